"""Runs over a broker: two workers with homes of their own; of the one that is killed, the other goes on."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.connection import configured_url, database_at
from openfaith_pipeline.database.server import RunningServer
from openfaith_pipeline.settings import environment_with
from openfaith_pipeline.simulator.options import Latency
from openfaith_pipeline_tests.acceptance.dagster.deployment import Deployment, running_dagster
from openfaith_pipeline_tests.acceptance.dagster.test_runs import WALK, equals_truth, retry_of, visits
from openfaith_pipeline_tests.conftest import environment_of, fresh_database
from openfaith_pipeline_tests.verbs import PROGRAM

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("dagster")]

REDIS = shutil.which("redis-server")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    if REDIS is None:
        pytest.skip("redis-server is not installed (Debian: apt-get install redis-server)")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    process = subprocess.Popen([REDIS, *options], stdout=subprocess.DEVNULL)
    yield f"redis://127.0.0.1:{port}/0"
    process.terminate()
    process.wait()


@pytest.fixture
def fleet(
    postgres: RunningServer, broker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Deployment, list[subprocess.Popen[bytes]]]]:
    """Code server, webserver and daemon in one home; two workers, each in its own."""
    monkeypatch.setenv("OPENFAITH_CELERY_BROKER", broker)
    with fresh_database(postgres, "many_machines", tmp_path / "home") as found:
        settings = found.model_copy(update={"celery_broker": broker})
        database: Database = database_at(settings, configured_url(settings))
        environment = {**environment_of(settings), "OPENFAITH_CELERY_BROKER": broker}
        with running_dagster(database, environment, tmp_path) as deployment:
            api = deployment.simulator.url
            workers = [start_worker(tmp_path / f"machine-{number}", environment, api) for number in range(2)]
            yield deployment, workers
            for worker in workers:
                kill(worker)


def start_worker(home: Path, environment: dict[str, str], api_url: str) -> subprocess.Popen[bytes]:
    home.mkdir()
    variables = {**environment, "OPENFAITH_HOME": str(home), "PCO_API_URL": api_url}
    with (home / "worker.log").open("wb") as log:
        command = [*PROGRAM, "worker", "--concurrency", "1"]
        return subprocess.Popen(command, env=environment_with(**variables), stdout=log, stderr=log)


def kill(worker: subprocess.Popen[bytes]) -> None:
    """SIGKILL to the worker and what it started, as when its machine goes."""
    if worker.poll() is None:
        family = psutil.Process(worker.pid)
        for process in [family, *family.children(recursive=True)]:
            process.kill()
    worker.wait()


def test_a_killed_workers_run_is_taken_up_by_the_other(
    fleet: tuple[Deployment, list[subprocess.Popen[bytes]]], tmp_path: Path
) -> None:
    deployment, workers = fleet
    org_id = deployment.org_ids[0]
    deployment.simulator.set_latency(Latency(base_ms=250))
    run_id = deployment.launch(org_id, *WALK)
    deployment.wait_until(lambda: visits(deployment, org_id) >= 3, "the walk", 240)
    kill(working(deployment, workers))
    killed_at = time.monotonic()

    retry = retry_of(deployment, run_id)

    assert deployment.run(run_id)["status"] == "FAILURE"
    assert retry["status"] == "SUCCESS"
    assert time.monotonic() - killed_at < 120
    assert equals_truth(deployment, org_id, "people.households", "people.household_memberships")
    assert not (tmp_path / "machine-0" / "postgres").exists(), "a worker keeps no data of its own"


def working(deployment: Deployment, workers: list[subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    """The worker that executes the run: its sessions' leases name the process."""
    with deployment.database.connect() as connection:
        [(holder,)] = connection.execute(
            "SELECT DISTINCT holder FROM sync.stream_states WHERE holder IS NOT NULL"
        ).fetchall()
    pid = int(holder.split(":")[1])
    return next(
        worker
        for worker in workers
        if pid in {child.pid for child in psutil.Process(worker.pid).children(recursive=True)}
    )
