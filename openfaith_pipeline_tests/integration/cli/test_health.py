"""`health`: whether a role works on this machine."""

import http.server
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import grpc
import pytest
import typer
from grpc_health.v1.health import HealthServicer
from grpc_health.v1.health_pb2 import HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server

from openfaith_pipeline.cli.health import Role, health
from openfaith_pipeline.database import Database
from openfaith_pipeline.load.run_workers import beat_worker
from openfaith_pipeline_tests.acceptance.dagster.processes import free_port


class Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path in {"/health", "/server_info"} else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture(autouse=True)
def _environment(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def is_healthy(role: Role, port: int | None = None) -> bool:
    try:
        health(role, port)
    except typer.Exit as ended:
        assert ended.exit_code == 1
        return False
    return True


@pytest.mark.parametrize("role", [Role.SERVICE, Role.WEBSERVER])
def test_a_role_that_listens_is_probed(role: Role, port: int) -> None:
    assert is_healthy(role, port)
    assert not is_healthy(role, free_port())


def test_the_code_server_is_asked_whether_it_serves() -> None:
    servicer = HealthServicer()
    server = grpc.server(ThreadPoolExecutor(1))
    add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    assert not is_healthy(Role.CODE_SERVER, port), "another server"
    servicer.set("DagsterApi", HealthCheckResponse.NOT_SERVING)
    assert not is_healthy(Role.CODE_SERVER, port)
    servicer.set("DagsterApi", HealthCheckResponse.SERVING)
    assert is_healthy(Role.CODE_SERVER, port)
    server.stop(None).wait()
    assert not is_healthy(Role.CODE_SERVER, port)


def test_a_worker_has_to_beat_on_this_machine(database: Database) -> None:
    with database.connect() as connection:
        beat_worker(connection, "elsewhere:1", slots=1, has_room=True)
    assert not is_healthy(Role.WORKER)
    with database.connect() as connection:
        beat_worker(connection, f"{socket.gethostname()}:1", slots=1, has_room=True)
    assert is_healthy(Role.WORKER)
    with database.connect() as connection:
        connection.execute("UPDATE sync.run_workers SET beat_at = now() - interval '13 seconds'")
    assert not is_healthy(Role.WORKER)


def test_the_daemon_has_to_beat(database: Database) -> None:
    assert not is_healthy(Role.DAEMON)
    with database.connect() as connection:
        for age, healthy in ((0, True), (3600, False)):
            connection.execute("DELETE FROM dagster.daemon_heartbeats")
            moment = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=age)
            connection.execute(
                "INSERT INTO dagster.daemon_heartbeats (daemon_type, timestamp) VALUES ('SENSOR', %s)", (moment,)
            )
            connection.commit()
            assert is_healthy(Role.DAEMON) is healthy
