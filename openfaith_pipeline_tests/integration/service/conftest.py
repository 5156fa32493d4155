"""A real service, in a process of its own, and a client that speaks HTTP to it."""

import http.client
import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from openfaith_pipeline.cli.demo_churches import free_port
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.connection import configured_url, database_at
from openfaith_pipeline.database.server import RunningServer
from openfaith_pipeline.orgs.registry import new_org_id
from openfaith_pipeline.settings import environment_with
from openfaith_pipeline_tests.conftest import environment_of, fresh_database
from openfaith_pipeline_tests.integration.inbox.conftest import connected_org
from openfaith_pipeline_tests.verbs import PROGRAM

APP, READER, ONE_ORG, ELSEWHERE = (
    "planted-app-key",
    "planted-reader-key",
    "planted-one-org-key",
    "planted-elsewhere-key",
)
SYNC = "/workflows/ExternalSyncWorkflow"
TRPC = "/api/trpc/core.triggerPcoSync"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Service:
    """A running service. org_id: an org that is connected; ONE_ORG is the key for it alone. log: its output."""

    port: int
    org_id: str
    log: Path
    database: Database | None = None
    process: subprocess.Popen[bytes] | None = None

    def call(self, method: str, path: str, body: Any = None, *, key: str | None = APP, **headers: str) -> Answer:
        """body: sent as JSON, or as it is when it is bytes. headers: with _ for -."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            sent.setdefault("authorization", f"Bearer {key}")
        if body is not None:
            sent.setdefault("content-type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method, path, data, sent)
        answer = connection.getresponse()
        told = Answer(answer.status, dict(answer.getheaders()), answer.read().decode())
        connection.close()
        return told

    def start(self, payload: Mapping[str, Any] | None = None, **how: Any) -> Answer:
        return self.call("POST", SYNC, {"payload": {"tokenKey": self.org_id, **(payload or {})}}, **how)


@contextmanager
def running_service(environment: Mapping[str, str], directory: Path, org_id: str) -> Iterator[Service]:
    service = Service(free_port(), org_id, directory / "service.log")
    with service.log.open("wb") as log:
        service.process = subprocess.Popen(
            [*PROGRAM, "serve", "--port", str(service.port)],
            env=environment_with(**environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield service
    finally:
        service.process.terminate()
        service.process.wait(30)


def wait_for(service: Service) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            service.call("GET", "/health")
        except OSError:
            assert time.monotonic() < deadline, service.log.read_text()
            time.sleep(0.05)
        else:
            return


@pytest.fixture(scope="session")
def services(postgres: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Service]]:
    """Two that started at the same time: one over a database of its own, one over a Postgres that is not there."""
    directory, other = tmp_path_factory.mktemp("service"), tmp_path_factory.mktemp("cut-off")
    with fresh_database(postgres, "service", directory / "home") as settings:
        database = database_at(settings, configured_url(settings))
        org_id = connected_org(database)
        keys = f"app:{APP},reader:{READER}:read,one:{ONE_ORG}:trigger|read:{org_id},else:{ELSEWHERE}::{new_org_id()}"
        environment = {**environment_of(settings), "OPENFAITH_API_KEYS": keys}
        nowhere = {"DB_PORT": str(free_port()), "OPENFAITH_REQUESTS_PER_MINUTE": "1"}
        with (
            running_service(environment, directory, org_id) as service,
            running_service({**environment, **nowhere}, other, org_id) as cut_off,
        ):
            service.database = database
            wait_for(service)
            wait_for(cut_off)
            yield service, cut_off


@pytest.fixture
def service(services: tuple[Service, Service]) -> Service:
    """The service; nothing is waiting in its inbox."""
    assert services[0].database
    with services[0].database.connect() as connection:
        connection.execute("DELETE FROM sync.requests")
    return services[0]


@pytest.fixture
def cut_off(services: tuple[Service, Service]) -> Service:
    """A service whose Postgres is down, and whose callers may call once a minute."""
    return services[1]
