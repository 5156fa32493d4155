"""A church at a simulated Planning Center, a Postgres of its own, and everything about them that can be killed."""

import os
import random
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.database.server import inspect_server, stop_server
from openfaith_pipeline.settings import Settings, environment_with
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.options import Latency
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline_tests.chaos.attempt import CHOSEN, run
from openfaith_pipeline_tests.chaos.changes import Editor
from openfaith_pipeline_tests.chaos.deployment import Deployment, running_deployment
from openfaith_pipeline_tests.forking import Forked, fork
from openfaith_pipeline_tests.integration.sync.church import connect
from openfaith_pipeline_tests.verbs import PROGRAM

PEOPLE = 120  # so that the larger lists have several pages
LATENCY = Latency(base_ms=8)

Process = Forked | subprocess.Popen[bytes]


@dataclass
class World:
    """The system under test.

    deployment: Dagster's processes, if some rounds go through them.
    kills: how often each kind of process was killed while it was running.
    """

    settings: Settings
    simulator: SimulatorClient
    org_id: str
    chance: random.Random
    deployment: Deployment | None = None
    kills: Counter[str] = field(default_factory=Counter)

    @property
    def environment(self) -> dict[str, str]:
        return environment_with(OPENFAITH_HOME=str(self.settings.home))

    @property
    def editor(self) -> Editor:
        return Editor(self.simulator, self.org_id, random.Random(self.chance.random()))

    @contextmanager
    def database(self) -> Iterator[Database]:
        """The database, its server started again when it was killed."""
        with open_database(self.settings) as database:
            yield database

    def start_attempt(self, mode: str, sync_id: str) -> Process:
        """A sync by the engine alone."""
        return fork(run, self.org_id, mode, sync_id, environment=self.environment)

    def start_verb(self, *arguments: str) -> Process:
        """The command line, which runs its syncs through Dagster."""
        command, nowhere = (*PROGRAM, *arguments), subprocess.DEVNULL
        return subprocess.Popen(command, env=self.environment, stdout=nowhere, stderr=nowhere)

    def kill(self, process: Process, victim: str) -> None:
        """SIGKILL to the process, or to the Postgres it works with; then wait for the process to end."""
        if victim == "postgres":
            self.kill_postgres()
        elif process.poll() is None:
            process.kill()
            self.kills[victim] += 1
        process.wait(timeout=600)

    def kill_postgres(self) -> None:
        """SIGKILL to the server, and a new one as soon as whatever looks after it notices."""
        pid_file = next(self.settings.home.rglob("postmaster.pid"), None)
        if pid_file and inspect_server(self.settings).is_running:
            os.kill(int(pid_file.read_text().split()[0]), signal.SIGKILL)
            self.kills["postgres"] += 1
        with self.database():
            pass


@contextmanager
def made_up_world(directory: Path, seed: int, *, has_dagster: bool = True) -> Iterator[World]:
    """A church of some people, connected and not yet synced; its processes end with the block."""
    settings = Settings(home=directory / "home")
    with running_simulator(made_up_churches(1, people=PEOPLE), latency=LATENCY) as simulator, ExitStack() as stack:
        stack.callback(stop_server, settings)
        database = stack.enter_context(open_database(settings, makes_home=True))
        [org_id] = connect(database, simulator)
        _put_off_schedules(database, org_id)
        world = World(settings, simulator, org_id, random.Random(seed))
        if has_dagster:
            world.deployment = stack.enter_context(running_deployment(settings, database, org_id))
        yield world


def leftovers(database: Database) -> list[str]:
    """Leftovers that no finished sync may leave behind: staged rows, leases, syncs marked as running."""
    found: list[str] = []
    with database.connect() as connection:
        for stream in CHOSEN:
            if _holds_rows(connection, f"people__{stream.short_name}"):
                found.append(f"staged rows of {stream.name}")
        for what, statement in (
            ("leases", "SELECT count(*) FROM sync.stream_states WHERE holder IS NOT NULL"),
            ("running syncs", "SELECT count(*) FROM sync.stream_syncs WHERE status = 'running'"),
        ):
            [count] = connection.execute(statement).fetchone() or (0,)
            if count:
                found.append(f"{count} {what}")
    return found


def _holds_rows(connection: psycopg.Connection, staging_table: str) -> bool:
    statement = psycopg.sql.SQL("SELECT FROM staging.{} LIMIT 1").format(psycopg.sql.Identifier(staging_table))
    return connection.execute(statement).fetchone() is not None


def _put_off_schedules(database: Database, org_id: str) -> None:
    """Keep Dagster's schedules from starting syncs of their own during a round."""
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO sync.org_schedules (org_id, kind, next_at)"
            " SELECT %s, kind, now() + interval '30 days' FROM unnest(ARRAY['incremental', 'reconcile']) AS kind",
            (org_id,),
        )
