"""Runs over a broker, with two workers in separate homes: runs wait for slots, and one worker resumes the other's."""

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.connection import configured_url, database_at
from openfaith_pipeline.database.server import RunningServer
from openfaith_pipeline.defs.celery_config import QUEUE
from openfaith_pipeline.defs.celery_launcher import LeaseCeleryRunLauncher
from openfaith_pipeline.load.run_workers import slots_of_workers
from openfaith_pipeline.settings import environment_with
from openfaith_pipeline.simulator.options import Latency
from openfaith_pipeline_tests.acceptance.dagster.brokers import BROKERS
from openfaith_pipeline_tests.acceptance.dagster.deployment import Deployment, running_dagster
from openfaith_pipeline_tests.acceptance.dagster.test_runs import WALK, equals_truth, retry_of, visits
from openfaith_pipeline_tests.conftest import environment_of, fresh_database
from openfaith_pipeline_tests.verbs import PROGRAM

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

DEAR = pytest.mark.skipif(
    not os.environ.get("DEPLOY_TESTS"), reason="the same over RabbitMQ is a part of `make test-deploy`"
)


@pytest.fixture(params=[pytest.param(name, marks=DEAR if name == "rabbitmq" else ()) for name in BROKERS])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with BROKERS[request.param](tmp_path) as url:
        yield url


@dataclass
class Fleet:
    """Code server, webserver and daemon in one home; workers of one slot, each in its own."""

    deployment: Deployment
    broker: str
    environment: dict[str, str]
    directory: Path
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def add_worker(self) -> None:
        home = self.directory / f"machine-{len(self.workers)}"
        self.workers.append(start_worker(home, self.environment, self.deployment.simulator.url))

    def slots(self) -> int:
        with self.deployment.database.connect() as connection:
            return slots_of_workers(connection)


@pytest.fixture
def fleet(postgres: RunningServer, broker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    monkeypatch.setenv("OPENFAITH_CELERY_BROKER", broker)
    with fresh_database(postgres, "many_machines", tmp_path / "home") as found:
        settings = found.model_copy(update={"celery_broker": broker})
        database: Database = database_at(settings, configured_url(settings))
        environment = {**environment_of(settings), "OPENFAITH_CELERY_BROKER": broker}
        with running_dagster(database, environment, tmp_path) as deployment:
            fleet = Fleet(deployment, broker, environment, tmp_path)
            yield fleet
            for worker in fleet.workers:
                kill(worker)


def start_worker(home: Path, environment: dict[str, str], api_url: str) -> subprocess.Popen[bytes]:
    home.mkdir()
    variables = {**environment, "OPENFAITH_HOME": str(home), "PCO_API_URL": api_url}
    with (home / "worker.log").open("wb") as log:
        command = [*PROGRAM, "worker", "--concurrency", "1"]
        return subprocess.Popen(command, env=environment_with(**variables), stdout=log, stderr=log)


def kill(worker: subprocess.Popen[bytes]) -> None:
    """Send SIGKILL to the worker and all its child processes, as if its machine had failed."""
    if worker.poll() is None:
        family = psutil.Process(worker.pid)
        for process in [family, *family.children(recursive=True)]:
            process.kill()
    worker.wait()


def test_a_run_that_waits_for_a_slot_waits_and_a_killed_workers_run_is_taken_up_by_another(
    fleet: Fleet, tmp_path: Path
) -> None:
    deployment = fleet.deployment
    first, second, third = deployment.org_ids[:3]
    deployment.simulator.set_latency(Latency(base_ms=15_000))  # so that both go on until one is killed
    for _ in range(2):
        fleet.add_worker()
    deployment.wait_until(lambda: fleet.slots() == 2, "both workers", 240)
    run_id, other_id, waiting_id = (deployment.launch(org_id, *WALK) for org_id in (first, second, third))
    deployment.wait_until(lambda: visits(deployment, first) and visits(deployment, second), "two walks at once", 240)

    assert waiting_at_broker(fleet.broker, after_sending=1) == 1, "a busy worker takes no run that another could do"
    assert deployment.run(waiting_id)["status"] == "QUEUED", "no slot is free"
    kill(working(deployment, fleet.workers, first))
    killed_at = time.monotonic()
    deployment.simulator.set_latency(Latency())
    retry = retry_of(deployment, run_id)

    assert deployment.run(run_id)["status"] == "FAILURE"
    assert retry["status"] == "SUCCESS"
    assert time.monotonic() - killed_at < 120
    for each, org_id in ((run_id, first), (other_id, second), (waiting_id, third)):
        assert each == run_id or deployment.finished(each)["status"] == "SUCCESS"
        assert equals_truth(deployment, org_id, "people.households", "people.household_memberships")
    assert not (tmp_path / "machine-0" / "postgres").exists(), "a worker keeps no data of its own"


def waiting_at_broker(url: str, after_sending: int) -> int:
    """How many messages wait in the queue a moment after so many of no meaning were sent; they are taken back."""
    app = LeaseCeleryRunLauncher(broker=url).celery
    with app.connection_for_write() as connection:
        queue = app.conf.task_queues[0].bind(connection.default_channel)
        for _ in range(after_sending):
            app.send_task("of_no_meaning", queue=QUEUE, routing_key=f"{QUEUE}.of_no_meaning", connection=connection)
        time.sleep(2)
        waiting = queue.queue_declare(passive=True).message_count
        queue.purge()
    return int(waiting)


def working(deployment: Deployment, workers: list[subprocess.Popen[bytes]], org_id: str) -> subprocess.Popen[bytes]:
    """The worker that executes the org's run: its sessions' leases name the process."""
    with deployment.database.connect() as connection:
        [(holder,)] = connection.execute(
            "SELECT DISTINCT holder FROM sync.stream_states WHERE holder IS NOT NULL AND org_id = %s", (org_id,)
        ).fetchall()
    pid = int(holder.split(":")[1])
    return next(
        worker
        for worker in workers
        if pid in {child.pid for child in psutil.Process(worker.pid).children(recursive=True)}
    )
