"""Redis and RabbitMQ of a test's own, on loopback and in a folder of its own."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from openfaith_pipeline_tests.acceptance.dagster.processes import free_port

_RABBIT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # that in PATH takes no settings from the environment
_EPMD = shutil.which("epmd") or "epmd"
_SECONDS_TO_START = 90


@contextmanager
def running_redis(directory: Path) -> Iterator[str]:
    """Its URL."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed (Debian: apt-get install redis-server)")
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(directory)]
    with _running([program, *options], {}, directory / "redis.log", port):
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def running_rabbitmq(directory: Path) -> Iterator[str]:
    """Its URL. It has an epmd of its own, which ends with it."""
    if not _RABBIT.exists():
        pytest.skip("rabbitmq-server is not installed (Debian: apt-get install rabbitmq-server)")
    port, epmd = free_port(), free_port()
    home = directory / "rabbitmq"
    home.mkdir()
    (home / "plugins").write_text("[].")
    variables = {
        "HOME": str(home),
        "RABBITMQ_NODENAME": f"test{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
        "RABBITMQ_CONF_ENV_FILE": os.devnull,
        "RABBITMQ_CONFIG_FILE": str(home / "none"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(epmd),
    }
    names = {name: value for name, value in os.environ.items() if not name.startswith(("RABBITMQ_", "ERL_"))}
    with _epmd_ended(epmd), _running([str(_RABBIT)], {**names, **variables}, directory / "rabbitmq.log", port):
        yield f"pyamqp://guest:guest@127.0.0.1:{port}//"


@contextmanager
def _running(command: list[str], variables: Mapping[str, str], log: Path, port: int) -> Iterator[None]:
    """The broker from when it answers until the end of the block."""
    with log.open("wb") as sink:
        process = subprocess.Popen(command, env=variables or None, stdout=sink, stderr=sink)
    try:
        deadline = time.monotonic() + _SECONDS_TO_START
        while not _answers(port):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield
    finally:
        family = psutil.Process(process.pid).children(recursive=True)
        for each in (*family, process):
            with suppress(psutil.NoSuchProcess):
                each.terminate()
        process.wait(30)


def _answers(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def _epmd_ended(port: int) -> Iterator[None]:
    """End, after the block, the daemon of Erlang that RabbitMQ starts and leaves."""
    yield
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:  # it ends once its last node has gone
        ended = subprocess.run([_EPMD, "-port", str(port), "-kill"], capture_output=True, text=True, check=False)
        if ended.returncode == 0 and "Killed" in ended.stdout:
            return
        time.sleep(0.5)


BROKERS: Mapping[str, Callable[[Path], AbstractContextManager[str]]] = {
    "redis": running_redis,
    "rabbitmq": running_rabbitmq,
}
