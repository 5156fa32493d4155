"""Dagster beside the church: its daemon and code server, quicker to notice things than as they are shipped."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.instance import code_server, daemon, open_instance, prepare_dagster_home
from openfaith_pipeline.defs.partitions import align_partitions
from openfaith_pipeline.settings import Settings
from openfaith_pipeline_tests.acceptance.dagster.processes import Processes, free_port

_HURRIED: Final[Mapping[str, str]] = {
    "poll_interval_seconds: 7": "poll_interval_seconds: 2",
    "start_timeout_seconds: 25200": "start_timeout_seconds: 60",
}
"""Lines of the shipped dagster.yaml, and what they are here, so that a round need not wait for them."""

_SECONDS_TO_A_RETRY: Final = {"DAGSTER_EVENT_LOG_CONSUMER_DAEMON_INTERVAL_SECONDS": "1"}
_WORKER_SECONDS: Final = 60


@dataclass
class Deployment(Processes):
    """Dagster's processes; a killed one is restarted at once, as a supervisor would do."""

    orphans: list[psutil.Process] = field(default_factory=list)
    ended: Counter[str] = field(default_factory=Counter)

    def crash(self, victim: str, chance: random.Random) -> bool:
        """Kill the process named by `victim`. Returns False if it had already ended.

        worker: a process that executes a run. host: the code server with all its child processes. With
        `code server`, only the server itself is killed and running runs go on.
        """
        if victim == "worker":
            return self._kill_worker(chance)
        if victim == "daemon":
            self.kill("daemon")
        else:
            self._kill_code_server(is_with_workers=victim == "host")
        self.restart("daemon" if victim == "daemon" else "code server")
        return True

    def revive(self) -> None:
        """Restart processes that have ended by themselves."""
        for name, process in self.processes.items():
            if process.poll() is not None:
                self.ended[name] += 1
                self.restart(name)

    def wait_for_worker(self) -> None:
        self.wait_until(self.workers, "a run's process", _WORKER_SECONDS)

    def end(self) -> None:
        super().end()
        for orphan in self.orphans:
            if orphan.is_running():
                orphan.kill()

    def _kill_worker(self, chance: random.Random) -> bool:
        workers = self.workers()
        if workers:
            chance.choice(workers).kill()
        return bool(workers)

    def _kill_code_server(self, *, is_with_workers: bool) -> None:
        workers = set() if is_with_workers else set(self.workers())
        self.orphans += workers
        server = psutil.Process(self.processes["code server"].pid)
        for process in [server, *server.children(recursive=True)]:
            if process not in workers:
                process.kill()
        self.processes["code server"].wait()


@contextmanager
def running_deployment(settings: Settings, database: Database, org_id: str) -> Iterator[Deployment]:
    """Daemon and code server over the database, which the caller keeps open; they end with the block."""
    home = settings.home / "dagster-hurried"
    settings = settings.model_copy(update={"dagster_home_override": home})
    with open_instance(settings, database) as instance:
        align_partitions(instance, [org_id])
    environment = {**prepare_dagster_home(settings, database), **_SECONDS_TO_A_RETRY}
    _hurry(home / "dagster.yaml")
    port = free_port()
    specs = (code_server(environment, port), daemon(environment, port))
    deployment = Deployment(settings.home, {spec.name: spec for spec in specs})
    try:
        for spec in specs:
            deployment.restart(spec.name)
        yield deployment
    finally:
        deployment.end()


def _hurry(path: Path) -> None:
    text = path.read_text()
    for shipped, hurried in _HURRIED.items():
        assert shipped in text, shipped
        text = text.replace(shipped, hurried)
    path.write_text(text)
