"""A sync without a run of Dagster whose process is killed ends as interrupted, and one that lives goes on."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from threading import Event
from typing import Any, NoReturn
from unittest.mock import patch

import pytest

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.cli import plans
from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.defs import execution
from openfaith_pipeline.defs.sync_orders import SyncOrder
from openfaith_pipeline.load import sync_leases, sync_log
from openfaith_pipeline.load.sync_leases import GONE, end_expired
from openfaith_pipeline.load.sync_log import SyncStart, begin_sync, finish_sync
from openfaith_pipeline.orgs.org_ids import new_org_id
from openfaith_pipeline.orgs.registry import Org
from openfaith_pipeline.settings import environment_with, load_settings
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync import quarantine_replay, rollback
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline.sync.rollback import RollbackOrder, roll_back
from openfaith_pipeline_tests.forking import fork
from openfaith_pipeline_tests.tenants import add_orgs

LEASE = timedelta(seconds=1)
A_STREAM: tuple[Stream, ...] = (STREAMS["people.campuses"],)


def plan(database: Database, org: Org) -> None:
    plans.make_plan(database, org, A_STREAM, SyncMode.INCREMENTAL)


def replay(database: Database, org: Org) -> None:
    class Entry:
        org_id = org.org_id

    quarantine_replay.replay_as_sync(database, [Entry()], trigger="cli")  # type: ignore[list-item]


def undo(database: Database, org: Org) -> None:
    roll_back(database, RollbackOrder("a sync", org_ids=[org.org_id]))


def sync(database: Database, org: Org) -> None:
    execution.run_sync(database, SyncOrder([org.org_id], A_STREAM))


def hang(*_: Any, **__: Any) -> NoReturn:
    print("at work", flush=True)
    Event().wait()
    raise AssertionError


async def hang_async(*_: Any, **__: Any) -> None:
    print("at work", flush=True)
    await asyncio.Event().wait()


def nothing(*_: Any, **__: Any) -> list[str]:
    return ["org"]


KINDS: dict[str, tuple[Callable[[Database, Org], None], dict[str, Any]]] = {
    "a plan": (plan, {"openfaith_pipeline.cli.plans.plan_streams": hang_async}),
    "a replay": (replay, {f"{quarantine_replay.__name__}.replay": hang_async}),
    "a rollback": (undo, {f"{rollback.__name__}._check": nothing, f"{rollback.__name__}._Work.undo": hang}),
    "a sync of a terminal": (sync, {f"{execution.__name__}.execute_all": hang}),
}


def _work(kind: str, org: Org) -> None:
    do, patches = KINDS[kind]
    shorten_leases()
    for name, instead in patches.items():
        patch(name, instead).start()
    with open_database(load_settings()) as database:
        do(database, org)


def shorten_leases() -> None:
    sync_log.LEASE_TTL = sync_leases.LEASE_TTL = LEASE
    sync_leases.BEAT_SECONDS = LEASE.total_seconds() / 8


def recorded(database: Database) -> list[tuple[str, str | None]]:
    """Status and error of each sync, once those with a lease that has run out were ended."""
    with database.connect() as connection:
        end_expired(connection)
        return connection.execute("SELECT status, error FROM sync.syncs").fetchall()


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_process_leaves_no_sync_running(database: Database, environment: dict[str, str], kind: str) -> None:
    org = Org(new_org_id(), "Church", None)
    add_orgs(database, {org.org_id: org.name})
    process = fork(_work, kind, org, environment=environment_with(**environment))
    try:
        while process.stdout.readline() != b"at work\n":
            assert process.poll() is None
        time.sleep(2 * LEASE.total_seconds())
        assert recorded(database) == [("running", None)], "its process lives, and keeps the lease"
    finally:
        process.kill()
    process.wait(10)
    time.sleep(LEASE.total_seconds() + 0.1)
    assert recorded(database) == [("interrupted", GONE)]


def test_a_sync_that_was_taken_for_dead_says_how_it_ended(database: Database) -> None:
    with database.connect() as connection:
        begin_sync(connection, SyncStart("slow", None, "incremental", "test", {}))
        connection.execute("UPDATE sync.syncs SET lease_expires_at = now() - interval '1 s'")
    assert recorded(database) == [("interrupted", GONE)]
    with database.connect() as connection:
        finish_sync(connection, "slow")
    assert recorded(database) == [("succeeded", None)]


def test_the_lease_of_a_sync_that_a_run_goes_on_with_ends(database: Database) -> None:
    """A run needs no lease, because Dagster monitors it."""
    with database.connect() as connection:
        for run_id in (None, "a run"):
            begin_sync(connection, SyncStart("resumed", run_id, "incremental", "test", {}))
        assert connection.execute("SELECT run_id, lease_expires_at FROM sync.syncs").fetchall() == [("a run", None)]
