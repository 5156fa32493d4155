"""Dagster's processes, started as a supervisor starts them, and ended as a crash ends them."""

import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from openfaith_pipeline.defs.instance import ProcessSpec


@dataclass
class Processes:
    """Processes by name, their logs in `directory`."""

    directory: Path
    specs: dict[str, ProcessSpec]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict, kw_only=True)

    def start(self, name: str) -> None:
        spec = self.specs[name]
        with (self.directory / f"{name.replace(' ', '-')}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(spec.command, env=spec.environment, stdout=log, stderr=log)

    def kill(self, name: str) -> None:
        """End the process as a crash would."""
        self.processes[name].kill()
        self.processes[name].wait()

    def restart(self, name: str) -> None:
        """Start it, and wait until it answers where it has a port."""
        self.start(name)
        if port := self.specs[name].port:
            self.wait_until(lambda: _answers(port), f"the {name}")

    def workers(self) -> list[psutil.Process]:
        """The processes that execute runs, children of the code server."""
        children = psutil.Process(self.processes["code server"].pid).children(recursive=True)
        return [child for child in children if _executes_run(child)]

    def wait_until(self, is_so: Callable[[], object], what: str, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < deadline, f"waited {seconds} s for {what}; logs are in {self.directory}"
            time.sleep(0.2)

    def end(self) -> None:
        for process in reversed(self.processes.values()):
            _end(process)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _executes_run(process: psutil.Process) -> bool:
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # it has just ended
        return False


def _answers(port: int) -> bool:
    with socket.socket() as connection:
        connection.settimeout(1)
        return connection.connect_ex(("127.0.0.1", port)) == 0


def _end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, then SIGKILL to it and its children: a code server waits long for clients that stream."""
    children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for child in children:
        if child.is_running():
            child.kill()
