"""Whatever a sync waits for, an interrupt ends it within seconds, and nothing of it is left running or leased."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from threading import Thread
from typing import Any

import pytest
from psycopg import Connection

from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.execution import run_sync
from openfaith_pipeline.defs.instance import open_instance
from openfaith_pipeline.defs.sync_orders import SyncOrder
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.faults import Script
from openfaith_pipeline.simulator.options import Faults
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline_tests.integration.sync.church import connect
from openfaith_pipeline_tests.rates import GENEROUS

CAMPUSES = STREAMS["people.campuses"]
OUGHT_TO_END_WITHIN = 12.0
"""On a machine that is busy; the least of the waits below lasts for a minute."""


@pytest.fixture
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator(made_up_churches(1, people=5), rate_limit=GENEROUS) as running:
        yield running


@pytest.fixture
def _ending() -> Iterator[None]:
    """SIGINT and SIGTERM both interrupt, as at the command line."""
    before = {each: signal.signal(each, signal.default_int_handler) for each in (signal.SIGINT, signal.SIGTERM)}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


Way = Callable[[Connection[Any], SimulatorClient, str], Callable[[], object]]
"""Puts something in the way of a sync; what it gives says whether the sync has come there."""


def back_off(_connection: Connection[Any], simulator: SimulatorClient, _org_id: str) -> Callable[[], object]:
    simulator.script(Script("bad_gateway", stream=CAMPUSES.name, times=None))
    return lambda: len(simulator.requests(stream=CAMPUSES.name)) > 1


def rate_budget(_connection: Connection[Any], simulator: SimulatorClient, _org_id: str) -> Callable[[], object]:
    simulator.set_faults(Faults(retry_after=60))
    simulator.script(Script("rate_limited", stream=CAMPUSES.name, times=None))
    return lambda: simulator.requests(stream=CAMPUSES.name)


def busy_stream(connection: Connection[Any], _simulator: SimulatorClient, org_id: str) -> Callable[[], object]:
    connection.execute(
        "INSERT INTO sync.stream_states (org_id, stream, holder, lease_expires_at)"
        " VALUES (%s, %s, 'elsewhere:1:x', now() + interval '1 minute')",
        (org_id, CAMPUSES.name),
    )
    return lambda: (
        connection.execute("SELECT FROM sync.run_leases WHERE beat_at > now() - interval '1 minute'").rowcount
    )


def postgres(connection: Connection[Any], _simulator: SimulatorClient, _org_id: str) -> Callable[[], object]:
    connection.execute("BEGIN")
    connection.execute("LOCK TABLE pco_people.campuses")
    return lambda: connection.execute("SELECT FROM pg_locks WHERE NOT granted").rowcount


def canonical(connection: Connection[Any], _simulator: SimulatorClient, _org_id: str) -> Callable[[], object]:
    connection.execute("BEGIN")
    connection.execute("LOCK TABLE openfaith_campuses")
    return lambda: connection.execute("SELECT FROM pg_locks WHERE NOT granted").rowcount


@pytest.mark.usefixtures("_ending")
@pytest.mark.parametrize(
    ("way", "number"),
    [
        (back_off, signal.SIGTERM),
        (rate_budget, signal.SIGINT),
        (busy_stream, signal.SIGTERM),
        (postgres, signal.SIGINT),
        (canonical, signal.SIGTERM),
    ],
)
def test_an_interrupt_ends_a_sync_wherever_it_waits(
    database: Database, simulator: SimulatorClient, way: Way, number: signal.Signals
) -> None:
    [org_id] = connect(database, simulator)
    sent_at: list[float] = []
    with ExitStack() as stack:
        blocking = stack.enter_context(database.connect())
        blocking.autocommit = True
        has_come = way(blocking, simulator, org_id)

        def interrupt() -> None:
            while not has_come():
                time.sleep(0.05)
            time.sleep(0.3)
            sent_at.append(time.monotonic())
            os.kill(os.getpid(), number)

        Thread(target=interrupt, daemon=True).start()
        with pytest.raises(KeyboardInterrupt):
            run_sync(database, SyncOrder([org_id], [CAMPUSES], patience_seconds=60))
        assert time.monotonic() - sent_at[0] < OUGHT_TO_END_WITHIN
        if way in (postgres, canonical):
            blocking.execute("ROLLBACK")
        assert_nothing_is_left(database)
        blocking.execute("UPDATE sync.stream_states SET holder = NULL, lease_expires_at = NULL")
    simulator.clear_scripts()
    if way is not rate_budget:  # where it would wait for a minute, as it should
        assert run_sync(database, SyncOrder([org_id], [CAMPUSES]))[org_id].status == "succeeded"


def assert_nothing_is_left(database: Database) -> None:
    with open_instance(database.settings, database) as instance:
        assert {run.status.value for run in instance.get_runs()} == {"CANCELED"}
    with database.connect() as connection:
        assert connection.execute("SELECT DISTINCT status FROM sync.syncs").fetchall() == [("interrupted",)]
        assert connection.execute("SELECT FROM sync.stream_syncs WHERE status = 'running'").rowcount == 0
        held = "SELECT FROM sync.stream_states WHERE holder IS NOT NULL AND holder <> 'elsewhere:1:x'"
        assert connection.execute(held).rowcount == 0
