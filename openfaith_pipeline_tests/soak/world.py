"""Three churches at a simulated Planning Center, and `openfaith-pipeline dev` with all of its processes."""

import os
import random
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import psutil
import psycopg

from openfaith_pipeline.database import open_database
from openfaith_pipeline.database.account import server_account
from openfaith_pipeline.database.binaries import find_binaries
from openfaith_pipeline.database.server import running_server, stop_server
from openfaith_pipeline.settings import Settings, environment_with
from openfaith_pipeline.simulator import ChurchSpec, RateLimit, SimulatorClient, made_up_churches, running_simulator
from openfaith_pipeline_tests.acceptance.dagster.processes import free_port
from openfaith_pipeline_tests.soak.clock import Clock
from openfaith_pipeline_tests.soak.disk import Disk
from openfaith_pipeline_tests.soak.inbox import Inbox, running_inbox
from openfaith_pipeline_tests.verbs import PROGRAM
from openfaith_pipeline_tests.waiting import wait_until

STREAMS: Final = "people,giving,groups"
PEOPLE: Final = (60, 40, 25)
NO_LIMIT: Final = RateLimit(limit=10**6, high_offset_limit=10**6)
_START_SECONDS: Final = 180

SETTINGS: Final = {"OPENFAITH_RUNS_DAYS": "7", "OPENFAITH_VERIFY_NIGHTS": "3"}
"""Short retention, so that thirty days are enough to see whether anything is ever removed."""
_ORG_SETTINGS: Final = (
    "--streams",
    STREAMS,
    "--keep-journal",
    "7d",
    "--keep-deliveries",
    "7d",
    "--reconcile-within",
    "3d",
)


@dataclass
class World:
    """Every change to the churches is made through this.

    directory: of logs; settings: of the product's home; dev: the process of `dev`.
    """

    directory: Path
    settings: Settings
    clock: Clock
    simulator: SimulatorClient
    churches: Sequence[ChurchSpec]
    inbox: Inbox
    disk: Disk
    chance: random.Random
    environment: dict[str, str]
    dev: subprocess.Popen[bytes] | None = None
    kills: dict[str, int] = field(default_factory=dict)

    @property
    def org_ids(self) -> list[str]:
        return [church.org_id for church in self.churches]

    def verb(self, *arguments: str, stdin: str = "", seconds: float = 600) -> tuple[int, str]:
        """A command of the product; its exit code and stdout."""
        done = subprocess.run(
            [*PROGRAM, *arguments],
            env=self.environment,
            input=stdin.encode(),
            capture_output=True,
            timeout=seconds,
            check=False,
        )
        return done.returncode, done.stdout.decode() or done.stderr.decode()

    def connect(self, church: ChurchSpec) -> None:
        """Give the org a token, as a person does who adds a church or mends its connection."""
        code, told = self.verb(
            *("org", "add", church.org_id, "--app-id", church.credentials.app_id, "--secret-stdin"),
            *("--api-url", self.simulator.url, "--yes"),
            stdin=f"{church.credentials.secret}\n",
        )
        assert code == 0, told

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]] | None:
        """The rows of a query; None while Postgres does not answer."""
        try:
            server = running_server(self.settings)
            if server is None:
                return None
            with psycopg.connect(server.url(), autocommit=True, connect_timeout=3) as connection:
                return connection.execute(statement.encode(), values).fetchall()
        except psycopg.OperationalError:
            return None

    def processes(self) -> dict[str, list[psutil.Process]]:
        """The living processes of `dev` by their part in it."""
        found: dict[str, list[psutil.Process]] = {}
        assert self.dev
        with suppress(psutil.NoSuchProcess):
            found["dev"] = [psutil.Process(self.dev.pid)]
            for process in found["dev"][0].children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    found.setdefault(_part_of(process), []).append(process)
        postmaster = self.postmaster()
        if postmaster:
            found["postgres"] = [postmaster]
        return found

    def postmaster(self) -> psutil.Process | None:
        pid_file = self.settings.home / "postgres" / "data" / "postmaster.pid"
        with suppress(OSError, ValueError, psutil.NoSuchProcess):
            process = psutil.Process(int(pid_file.read_text().split()[0]))
            return process if process.is_running() and "postgres" in process.name() else None
        return None

    def kill(self, part: str, number: int = signal.SIGKILL) -> bool:
        """Kill one process of this part of `dev`; False if there is none."""
        there = self.processes().get(part)
        if not there:
            return False
        with suppress(psutil.NoSuchProcess):
            self.chance.choice(there).send_signal(number)
        self.kills[part] = self.kills.get(part, 0) + 1
        return True


@contextmanager
def running_world(directory: Path, seed: int) -> Iterator[World]:
    """Everything of `dev`, three churches connected; ends with the block."""
    clock = Clock(directory)
    with ExitStack() as stack:
        disk = stack.enter_context(Disk.made(directory / "home"))
        inbox = stack.enter_context(running_inbox(clock))
        churches = [
            replace(church, people=people)
            for church, people in zip(made_up_churches(len(PEOPLE), people=1, seed=seed), PEOPLE, strict=True)
        ]
        with _variables(clock.environment):
            simulator = stack.enter_context(running_simulator(churches, rate_limit=NO_LIMIT))
        service = free_port()
        environment = environment_with(
            **clock.environment,
            **SETTINGS,
            OPENFAITH_HOME=str(directory / "home"),
            OPENFAITH_POSTGRES_BIN=str(clock.postgres_bin(directory / "postgres-bin", _binaries(directory))),
            OPENFAITH_SLACK_WEBHOOK=inbox.url,
            OPENFAITH_PUBLIC_URL=f"http://127.0.0.1:{service}",
        )
        settings = Settings(home=directory / "home", postgres_bin=directory / "postgres-bin")
        world = World(directory, settings, clock, simulator, churches, inbox, disk, random.Random(seed), environment)
        stack.callback(stop_server, settings)
        with open_database(settings, makes_home=True):  # so that not each command starts a server
            for church in churches:
                world.connect(church)
                code, told = world.verb("org", "set", church.org_id, *_ORG_SETTINGS)
                assert code == 0, told
        stack.enter_context(_running_dev(world, service))
        yield world


def _binaries(directory: Path) -> Path:
    settings = Settings(home=directory / "home")
    return find_binaries(settings, server_account(settings.postgres_user, None))


@contextmanager
def _running_dev(world: World, service: int) -> Iterator[None]:
    log = world.directory / "dev.log"
    command = [*PROGRAM, "dev", "--port", str(free_port()), "--service-port", str(service)]
    with log.open("wb") as output:
        world.dev = subprocess.Popen(
            command, env=world.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        wait_until(lambda: "Dagster is at" in log.read_text(), f"dev; see {log}", _START_SECONDS)
        yield
    finally:
        world.dev.terminate()
        try:
            world.dev.wait(60)
        except subprocess.TimeoutExpired:
            world.dev.kill()
            world.dev.wait()
        # The home's disk goes with the run.
        shutil.copytree(world.settings.home / "logs", world.directory / "logs", dirs_exist_ok=True)


@contextmanager
def _variables(more: dict[str, str]) -> Iterator[None]:
    """For processes that are started with this one's environment."""
    before = {name: os.environ.get(name) for name in more}
    os.environ.update(more)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


_PARTS: Final = {
    "webserver": "defs.webserver",
    "daemon": "daemon",
    "code server": "api grpc",
    "applier": "service.applier",
    "guard": "processes.guard",
    "service": "openfaith_pipeline.cli serve",
    "run": "spawn_main",
}


def _part_of(process: psutil.Process) -> str:
    command = " ".join(process.cmdline())
    return next((part for part, words in _PARTS.items() if words in command), "another")
