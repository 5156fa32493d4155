"""compose.yaml as shipped, in a folder of its own and on free ports, over a simulator on this machine."""

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from uuid import uuid4

import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.connection import configured_url, database_at
from openfaith_pipeline.settings import Settings
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline_tests.acceptance.dagster.interfaces import API_KEY, Interfaces
from openfaith_pipeline_tests.acceptance.dagster.processes import free_port
from openfaith_pipeline_tests.acceptance.deploy.engine import ROOT, docker, done, port_of
from openfaith_pipeline_tests.planted import ENCRYPTION_KEY

PASSWORD = "planted-password-of-compose"
OURS = ("code", "daemon", "web", "worker", "service")
# Only for the test: it reads the tables from outside.
_OPENED = "services:\n  postgres:\n    ports: ['127.0.0.1::5432']\n"


@dataclass
class Compose(Interfaces):
    """A project of it that runs."""

    directory: Path
    project: str
    url: str
    port: int

    @property
    def service_port(self) -> int:
        return self.port

    def wait_until(self, is_so: Callable[[], object], what: str, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < deadline, f"waited {seconds} s for {what}:\n{self.run('logs', '--tail', '30')}"
            time.sleep(1)  # a key may call 600 times a minute

    def run(self, *arguments: str, seconds: float = 300, stdin: str | None = None) -> str:
        """Run a command of compose; returns its output."""
        command = [*compose_command(), "--project-name", self.project, "-f", "compose.yaml", "-f", "opened.yaml"]
        return done(
            subprocess.run(
                [*command, *arguments],
                cwd=self.directory,
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
                input=stdin,
            )
        )

    def verb(self, *arguments: str, stdin: str | None = None) -> str:
        """A verb in the container of the service."""
        return self.run("exec", "-T", "service", "openfaith-pipeline", *arguments, stdin=stdin)

    def containers(self, service: str) -> list[str]:
        return self.run("ps", "-q", service).split()

    def database(self) -> Database:
        [postgres] = self.containers("postgres")
        settings = Settings(
            home=self.directory / "home",
            db_host="127.0.0.1",
            db_port=port_of(postgres, 5432),
            db_name="openfaith",
            db_username="openfaith",
            db_password=PASSWORD,
        )
        return database_at(settings, configured_url(settings))


@cache
def compose_command() -> tuple[str, ...]:
    if shutil.which("docker") and docker("compose", "version").returncode == 0:
        return ("docker", "compose")
    if shutil.which("docker-compose"):
        return ("docker-compose",)
    pytest.skip("no docker compose (Debian: apt-get install docker-compose)")


@contextmanager
def composed(directory: Path, image: str, variables: Mapping[str, str], workers: int) -> Iterator[Compose]:
    """All roles, started as documented; containers and volumes are removed with the block."""
    web, service = free_port(), free_port()
    _write(directory, image, {"127.0.0.1:3000:": f"127.0.0.1:{web}:", "127.0.0.1:3020:": f"127.0.0.1:{service}:"})
    secrets = {
        "DB_PASSWORD": PASSWORD,
        "OPENFAITH_ENCRYPTION_KEYS": ENCRYPTION_KEY,
        "OPENFAITH_API_KEYS": f"app:{API_KEY}",
    }
    (directory / ".env").write_text("".join(f"{name}={value}\n" for name, value in {**secrets, **variables}.items()))
    compose = Compose(directory, f"openfaith-test-{uuid4().hex[:8]}", f"http://127.0.0.1:{web}", service)
    try:
        compose.run("up", "--detach", "--scale", f"worker={workers}", seconds=600)
        yield compose
    finally:
        compose.run("kill")  # nothing of it is kept
        compose.run("down", "--volumes")


def _write(directory: Path, image: str, ports: Mapping[str, str]) -> None:
    text = (ROOT / "compose.yaml").read_text()
    for shipped, ours in {"  build: .\n": "", "image: openfaith-pipeline\n": f"image: {image}\n", **ports}.items():
        assert shipped in text
        text = text.replace(shipped, ours)
    (directory / "compose.yaml").write_text(text)
    (directory / "opened.yaml").write_text(_OPENED)
    shutil.copytree(ROOT / "deploy" / "compose", directory / "deploy" / "compose")


@contextmanager
def reached_at(host: str, simulator: SimulatorClient) -> Iterator[str]:
    """The simulator's URL for containers: it listens on loopback, which is not theirs."""
    port = int(simulator.url.rsplit(":", 1)[1])
    with socket.create_server((host, 0), backlog=128) as listener:
        threading.Thread(target=_forward, args=(listener, port), daemon=True).start()
        yield f"http://{host}:{listener.getsockname()[1]}"


def _forward(listener: socket.socket, port: int) -> None:
    with suppress(OSError):  # closed
        while True:
            near, _ = listener.accept()
            far = socket.create_connection(("127.0.0.1", port))
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=_copy, args=(one, other), daemon=True).start()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
