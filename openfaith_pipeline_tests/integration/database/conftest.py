"""Homes of their own for tests that start, kill and damage servers."""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from openfaith_pipeline.database.server import stop_server
from openfaith_pipeline.settings import Settings, environment_with
from openfaith_pipeline_tests.forking import fork_program

_USER_PROGRAM = """
import os, sys
from openfaith_pipeline.database.server import use_server
from openfaith_pipeline.settings import load_settings
children = []
for _ in range({processes} - 1):
    children.append(os.fork())
    if children[-1] == 0:
        children.clear()
        break
with use_server(load_settings()) as server:
    print(server.pid, server.port, flush=True)
    {inside}
    sys.stdin.read()
for child in children:
    assert os.waitpid(child, 0)[1] == 0
"""

StartUser = Callable[..., "User"]


class User:
    """One or more processes that use the server until they are stopped or killed."""

    def __init__(self, home: Path, inside: str, processes: int) -> None:
        program = _USER_PROGRAM.format(inside=inside, processes=processes)
        self.process = fork_program(program, environment=environment_with(OPENFAITH_HOME=str(home)))

    def wait_until_in(self) -> tuple[int, int]:
        """The pid and port of the server it was given."""
        pid, port = self.process.stdout.readline().split()
        return int(pid), int(port)

    def read_line(self) -> str:
        return self.process.stdout.readline().decode().strip()

    def leave(self) -> None:
        self.process.finish()
        assert self.process.poll() == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=60)
        for pipe in (self.process.stdin, self.process.stdout):
            pipe.close()


@pytest.fixture
def home(open_directory: Path) -> Iterator[Settings]:
    """Settings with a home of this test alone; its server is stopped afterwards."""
    settings = Settings(home=open_directory / f"home-{uuid4().hex[:8]}")
    yield settings
    if settings.home.is_dir():
        stop_server(settings)


@pytest.fixture
def start_user(home: Settings) -> Iterator[StartUser]:
    """Start another process that uses the home's server; `inside` is Python it runs once it is in.

    processes: how many at the same moment, forked from one; they leave at the same moment too.
    """
    started: list[User] = []

    def start(inside: str = "pass", processes: int = 1) -> User:
        started.append(User(home.home, inside, processes))
        return started[-1]

    yield start
    for user in started:
        user.kill()
