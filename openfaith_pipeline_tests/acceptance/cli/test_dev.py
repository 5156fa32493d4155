"""`dev`: everything up, looked after, and gone again, however it ends."""

import json
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from openfaith_pipeline.cli.demo_churches import free_port, load_demo
from openfaith_pipeline.database import open_database
from openfaith_pipeline.database.server import inspect_server
from openfaith_pipeline.settings import Settings, environment_with
from openfaith_pipeline.simulator import SimulatorClient
from openfaith_pipeline.sources import DEFAULT_SOURCE
from openfaith_pipeline.webhooks.state import want_subscriptions
from openfaith_pipeline_tests.acceptance.cli.conftest import is_alive
from openfaith_pipeline_tests.verbs import PROGRAM, Outcome, Verbs
from openfaith_pipeline_tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("demo")]


@dataclass
class Running:
    """A `dev` that has reported that it is ready. log: its stdout and stderr."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, words: str) -> psutil.Process:
        """The one direct child whose command line has these words."""
        children = psutil.Process(self.process.pid).children()
        (found,) = [child for child in children if words in " ".join(child.cmdline())]
        return found

    def ask(self, query: str) -> Any:
        """The data of a GraphQL query."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql",
            json.dumps({"query": query}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 - on the loopback
            return json.load(response)["data"]

    def says(self, text: str) -> bool:
        return text in self.log.read_text()

    def answers(self) -> bool:
        try:
            return bool(self.ask("{version}")["version"])
        except OSError:
            return False


@contextmanager
def running_dev(home: Path, log: Path) -> Iterator[Running]:
    port = free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*PROGRAM, "dev", "--port", str(port), "--service-port", str(free_port())],
            env=environment_with(OPENFAITH_HOME=str(home)),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        wait_until(
            lambda: "Dagster is at" in log.read_text() or process.poll() is not None, "dev is ready", seconds=120
        )
        assert process.poll() is None, log.read_text()
        yield Running(process, port, log)
    finally:
        process.kill()
        process.wait()


def test_dev_serves_the_demo_looks_after_it_and_ends_cleanly(
    demo: Outcome, verb: Verbs, demo_home: Path, tmp_path: Path
) -> None:
    """One after the other, since it takes a while to be up."""
    org_ids = set(demo.document["orgs"])
    _have_subscribed(demo_home, org_ids)
    with running_dev(demo_home, tmp_path / "dev.log") as dev:
        graph = dev.ask("{assetNodes(pipeline: null) {assetKey {path} partitionKeys}}")["assetNodes"]
        partitions = {"/".join(node["assetKey"]["path"]): set(node["partitionKeys"]) for node in graph}
        assert org_ids <= partitions["pco_people/emails"]

        # A run that the clock began, or a backfill that waited for a daemon, may be at work on it.
        synced = verb("sync", min(org_ids), "--stream", "people.emails", "--json", "--if-busy", "wait")
        assert synced.code == 0, synced.err

        second = verb("dev", "--port", str(free_port()), "--service-port", str(free_port()))
        assert (second.code, "already running" in second.err) == (2, True)

        settings = Settings(home=demo_home)
        simulator = SimulatorClient(load_demo(settings).url)
        with open_database(settings) as database, database.connect(autocommit=True) as connection:
            seconds = _followed_by_webhook(connection, simulator, org_ids)
        print(f"a change at Planning Center was in the OpenFaith tables after {seconds:.1f} s")

        for name, words in (("webserver", "openfaith_pipeline.defs.webserver"), ("code server", "dagster api grpc")):
            dev.child(words).kill()
            wait_until(partial(dev.says, f"{name} ended (killed by SIGKILL) and is started again"), "said so")
        wait_until(dev.answers, "the UI answers again")
        code_port = _value_of(dev.child("dagster api grpc"), "-p")
        wait_until(lambda: verb("health", "code-server", "--port", code_port).code == 0, "the code answers again")

        family = dev.family
        dev.process.send_signal(signal.SIGTERM)
        assert dev.process.wait(60) == 0
        assert [process.pid for process in family if is_alive(process)] == []
    assert "Traceback" not in dev.log.read_text()


def _value_of(process: psutil.Process, option: str) -> str:
    words = process.cmdline()
    return words[words.index(option) + 1]


def _followed_by_webhook(connection: psycopg.Connection[Any], simulator: SimulatorClient, org_ids: set[str]) -> float:
    """How many seconds after a change at the source the OpenFaith tables have it, with everything running."""
    wait_until(lambda: _subscribed(connection) == org_ids, "the churches are subscribed", seconds=120)
    # A sync that the clock began may hold the stream until it has read it, which is not part of the webhook's way.
    wait_until(lambda: not _running(connection), "no sync is running", 180, meanwhile=lambda: _running(connection))
    [person] = simulator.edit(min(org_ids), "people.people", count=1, attributes={"first_name": "Ottoline"})
    changed_at = time.monotonic()
    wait_until(
        lambda: _first_name(connection, min(org_ids), person) == "Ottoline",
        "the person is renamed",
        meanwhile=lambda: (simulator.deliveries(), _deliveries(connection), _running(connection)),
    )
    return time.monotonic() - changed_at


def _have_subscribed(home: Path, org_ids: set[str]) -> None:
    """Another test may have unsubscribed a church by hand, and no simulator keeps subscriptions when it ends."""
    with open_database(Settings(home=home)) as database, database.connect() as connection:
        connection.execute("DELETE FROM sync.source_webhooks")
        for org_id in org_ids:
            want_subscriptions(connection, org_id, DEFAULT_SOURCE.adapter, is_wanted=True)


def _subscribed(connection: psycopg.Connection[Any]) -> set[str]:
    found = connection.execute("SELECT org_id FROM sync.source_webhooks WHERE ensured_at IS NOT NULL").fetchall()
    return {org_id for (org_id,) in found}


def _running(connection: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT sync_id, trigger, mode, started_at FROM sync.syncs WHERE status = 'running'"
    ).fetchall()


def _deliveries(connection: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT event, record_id, status, attempts, error, received_at, next_attempt_at FROM sync.webhook_deliveries"
    ).fetchall()


def _first_name(connection: psycopg.Connection[Any], org_id: str, person: int) -> str:
    [(name,)] = connection.execute(
        'SELECT p."firstName" FROM openfaith_people p JOIN "openfaith_externalLinks" l ON l."entityId" = p.id'
        """ WHERE l."orgId" = %s AND l."entityType" = 'person' AND l."externalId" = %s""",
        (org_id, str(person)),
    ).fetchall()
    return str(name)


def test_a_killed_dev_leaves_nothing_behind(demo: Outcome, verb: Verbs, demo_home: Path, tmp_path: Path) -> None:
    assert demo.code == 0
    verb("db", "stop")
    with running_dev(demo_home, tmp_path / "dev.log") as dev:
        family = dev.family
        assert len(family) >= 5
        dev.process.kill()
    wait_until(lambda: not any(map(is_alive, family)), "all of its processes are gone")
    wait_until(lambda: not inspect_server(Settings(home=demo_home)).is_running, "Postgres is stopped")
