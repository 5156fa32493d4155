"""A church at a simulated Planning Center, a Postgres of its own, and everything about them that can be killed."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.database.server import inspect_server, stop_server
from openfaith_pipeline.settings import Settings, environment_with
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.options import Latency
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline_tests.chaos.attempt import CHOSEN
from openfaith_pipeline_tests.integration.sync.church import connect
from openfaith_pipeline_tests.verbs import PROGRAM

PEOPLE = 40
LATENCY = Latency(base_ms=8)
CHANGES_A_ROUND = 40  # of more, so many would be deletions that a reconcile holds them back
_CHANGED = ("people.people", "people.emails", "people.phone_numbers", "people.addresses", "people.households")


@dataclass
class World:
    """What the rounds act on."""

    settings: Settings
    simulator: SimulatorClient
    org_id: str
    chance: random.Random
    kills: Counter[str] = field(default_factory=Counter)

    @property
    def environment(self) -> dict[str, str]:
        return environment_with(OPENFAITH_HOME=str(self.settings.home))

    @contextmanager
    def database(self) -> Iterator[Database]:
        """The database, its server started again when it was killed."""
        with open_database(self.settings) as database:
            yield database

    def start_attempt(self, mode: str, sync_id: str) -> subprocess.Popen[bytes]:
        """A sync by the engine alone."""
        program = (sys.executable, "-m", "openfaith_pipeline_tests.chaos.attempt")
        return self._start(*program, self.org_id, mode, sync_id)

    def start_verb(self, *arguments: str) -> subprocess.Popen[bytes]:
        """The command line, which runs its syncs through Dagster."""
        return self._start(*PROGRAM, *arguments)

    def kill(self, process: subprocess.Popen[bytes], victim: str) -> None:
        """SIGKILL to the process, or to the Postgres it works with; then wait for the process to end."""
        if victim == "postgres":
            self._kill_postgres()
        elif process.poll() is None:
            process.kill()
            self.kills["sync"] += 1
        process.wait(timeout=180)

    def wait_for_a_moment(self, process: subprocess.Popen[bytes]) -> None:
        """Until some random point of what the process does: after a number of requests, or at a publish."""
        deadline = time.monotonic() + 30
        if self.chance.random() < 0.35:
            self._wait_for_statement(process, deadline)
            return
        wanted = self.simulator.stats()["requests"] + self.chance.randrange(0, 70)
        while process.poll() is None and self.simulator.stats()["requests"] < wanted and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(self.chance.random() * 0.2)

    @contextmanager
    def changing_church(self) -> Iterator[None]:
        """For the block, somebody at the church adds, edits, deletes and merges people."""
        is_over = threading.Event()

        def change() -> None:
            for _ in range(CHANGES_A_ROUND):
                if is_over.wait(0.05):
                    return
                self.change_once()

        editor = threading.Thread(target=change)
        editor.start()
        try:
            yield
        finally:
            is_over.set()
            editor.join()

    def change_once(self) -> None:
        stream = self.chance.choice(_CHANGED)
        action = self.chance.choices(("edit", "quiet", "add", "delete", "merge"), (5, 2, 3, 2, 1))[0]
        if action == "add":
            self.simulator.add(self.org_id, stream, count=self.chance.randrange(1, 4))
        elif action == "merge" and len(self.ids("people.people")) > 10:
            self.simulator.merge(self.org_id, "people.people")
        elif action == "delete" and len(self.ids(stream)) > 10:
            self.simulator.delete(self.org_id, stream, [self.chance.choice(self.ids(stream))])
        else:
            self.simulator.edit(self.org_id, stream, count=2, is_quiet=action == "quiet")

    def ids(self, stream: str) -> list[int]:
        return [int(record["id"]) for record in self.simulator.truth(self.org_id, stream)]

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _kill_postgres(self) -> None:
        pid_file = next(self.settings.home.rglob("postmaster.pid"), None)
        if pid_file and inspect_server(self.settings).is_running:
            os.kill(int(pid_file.read_text().split()[0]), signal.SIGKILL)
            self.kills["postgres"] += 1

    def _wait_for_statement(self, process: subprocess.Popen[bytes], deadline: float) -> None:
        """Until Postgres is publishing, transforming or undoing for somebody."""
        with self.database() as database, database.connect(autocommit=True) as connection:
            while process.poll() is None and time.monotonic() < deadline:
                found = connection.execute(
                    "SELECT FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
                    " AND query ILIKE ANY (ARRAY['%incoming AS (%', '%transform_changes%', '%journal%'])"
                ).fetchone()
                if found is not None and self.chance.random() < 0.3:
                    return


@contextmanager
def made_up_world(directory: Path, seed: int) -> Iterator[World]:
    """A church of some people, connected and not yet synced; its processes end with the block."""
    settings = Settings(home=directory / "home")
    with running_simulator(made_up_churches(1, people=PEOPLE), latency=LATENCY) as simulator:
        try:
            with open_database(settings) as database:
                [org_id] = connect(database, simulator)
            yield World(settings, simulator, org_id, random.Random(seed))
        finally:
            stop_server(settings)


def refetched(simulator: SimulatorClient) -> int:
    """Answers that were given more than once since the log was last forgotten."""
    answered = Counter(request["target"] for request in simulator.requests() if request["status"] == 200)
    return sum(count - 1 for count in answered.values())


def leftovers(database: Database) -> list[str]:
    """What a finished sync must not leave behind: staged rows, leases, syncs that look alive."""
    found: list[str] = []
    with database.connect() as connection:
        for stream in CHOSEN:
            if _holds_rows(connection, f"people__{stream.short_name}"):
                found.append(f"staged rows of {stream.name}")
        for what, statement in (
            ("leases", "SELECT count(*) FROM sync.stream_states WHERE holder IS NOT NULL"),
            ("running syncs", "SELECT count(*) FROM sync.stream_syncs WHERE status = 'running'"),
        ):
            [count] = connection.execute(statement).fetchone() or (0,)
            if count:
                found.append(f"{count} {what}")
    return found


def _holds_rows(connection: psycopg.Connection, staging_table: str) -> bool:
    statement = psycopg.sql.SQL("SELECT FROM staging.{} LIMIT 1").format(psycopg.sql.Identifier(staging_table))
    return connection.execute(statement).fetchone() is not None
