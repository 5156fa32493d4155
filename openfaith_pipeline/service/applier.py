"""The applier: a process beside the service that applies webhook deliveries, maintains subscriptions, and ends syncs
whose processes were killed.

It needs no Dagster. Several services share the work: each applier claims its work in Postgres. Where none runs, a
sensor has a run apply waiting deliveries. `applier_process` starts it.
"""

import asyncio
import logging
import os
import signal
import sys
import time
from contextlib import suppress
from typing import Any, Final

from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.beats import beating_in_thread
from openfaith_pipeline.database.connection import database_at
from openfaith_pipeline.database.refusals import TROUBLE
from openfaith_pipeline.errors import OpenFaithError
from openfaith_pipeline.load.leases import holding
from openfaith_pipeline.load.sync_leases import end_expired
from openfaith_pipeline.processes.interrupts import is_canceled
from openfaith_pipeline.processes.supervisor import GRACE_SECONDS
from openfaith_pipeline.settings import load_settings
from openfaith_pipeline.telemetry.process import Role, telemetry
from openfaith_pipeline.webhooks.applier import apply_next
from openfaith_pipeline.webhooks.gaps import beat
from openfaith_pipeline.webhooks.state import check_moved, next_to_check
from openfaith_pipeline.webhooks.subscriptions import ensure_subscriptions

ORGS_AT_ONCE: Final = 3
"""So that an org whose Planning Center does not respond delays no other."""
POOL_SIZE: Final = 6
LONGEST_REST_SECONDS: Final = 1.0
"""Pause after a batch of several, as long as the batch took: in a flood of one org's deliveries the service keeps its
share of the CPU, and batches grow. Many orgs with one delivery each have no batches to grow."""
LOOK_SECONDS: Final = 0.5
CHECK_SECONDS: Final = 5.0
BEAT_SECONDS: Final = 30.0
TROUBLE_SECONDS: Final = 5.0
_NICENESS: Final = 5

_log = logging.getLogger(__name__)


async def run_applier(database: Database) -> None:
    """Run until cancelled."""
    pool = database.pool(size=POOL_SIZE, row_factory=dict_row)
    # After a long silence of all receivers the missed events are fetched.
    with beating_in_thread(database, beat, every_seconds=BEAT_SECONDS):
        async with pool, holding(pool) as holder, asyncio.TaskGroup() as group:
            for _ in range(ORGS_AT_ONCE):
                group.create_task(_apply(database, pool, holder))
            group.create_task(_subscribe(database))
            group.create_task(_end_left_over(database))


async def _run_until_told(database: Database) -> None:
    """Run until stdin ends, which happens with the end of the service, however it ends."""
    loop, running = asyncio.get_running_loop(), asyncio.current_task()
    assert running  # noqa: S101 - this is one

    def end() -> None:
        loop.remove_reader(sys.stdin.fileno())
        signal.alarm(int(GRACE_SECONDS) - 1)
        running.cancel()

    loop.add_reader(sys.stdin.fileno(), end)
    with suppress(asyncio.CancelledError):
        await run_applier(database)


async def _apply(database: Database, pool: AsyncConnectionPool[Any], holder: str) -> None:
    while not is_canceled():
        began = time.monotonic()
        try:
            applied = await apply_next(database, pool, holder)
        except (OpenFaithError, *TROUBLE) as error:
            _log.error("webhooks could not be applied: %s", error if isinstance(error, OpenFaithError) else type(error))
            await asyncio.sleep(TROUBLE_SECONDS)
            continue
        if applied:
            _log.info("applied %s webhook deliveries of %s: %s", applied.deliveries, applied.org_id, applied.outcomes)
            if applied.deliveries > 1:
                await asyncio.sleep(min(time.monotonic() - began, LONGEST_REST_SECONDS))
        else:
            await asyncio.sleep(LOOK_SECONDS)


async def _subscribe(database: Database) -> None:
    """Maintain the subscriptions of one org after the other, each when its turn has come.

    If our own address has changed since, each has its turn at once.
    """
    is_begun = False
    while database.settings.public_url and not is_canceled():
        try:
            if not is_begun:
                await asyncio.to_thread(_check_moved, database)
                is_begun = True
            due = await asyncio.to_thread(_next_to_check, database)
            if due is None:
                await asyncio.sleep(CHECK_SECONDS)
                continue
            org_id, adapter = due
            ensured = await ensure_subscriptions(database, org_id, adapter)
            if ensured.problem:
                _log.warning("webhooks of %s at %s: %s", org_id, adapter, ensured.problem)
        except (OpenFaithError, *TROUBLE) as error:
            _log.error("webhook subscriptions could not be maintained: %s", type(error).__name__)
            await asyncio.sleep(TROUBLE_SECONDS)


async def _end_left_over(database: Database) -> None:
    """End the syncs that a killed process has left running, for deployments without Dagster."""
    while not is_canceled():
        try:
            if count := await asyncio.to_thread(_end_expired, database):
                _log.warning("%s syncs were ended as interrupted: their processes are gone", count)
        except (OpenFaithError, *TROUBLE) as error:
            _log.error("cannot search for left-over syncs: %s", type(error).__name__)
        await asyncio.sleep(CHECK_SECONDS)


def _end_expired(database: Database) -> int:
    with database.connect() as connection:
        return end_expired(connection)


def _check_moved(database: Database) -> None:
    with database.connect() as connection:
        if count := check_moved(connection, database.settings):
            _log.info("webhook subscriptions of %s orgs lead to another address: they are made anew", count)


def _next_to_check(database: Database) -> tuple[str, str] | None:
    with database.connect() as connection:
        return next_to_check(connection)


def main() -> None:
    """Main function of the process.

    The first line of stdin is the database's URL, which keeps it out of process lists.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # sent to all processes at once; the service stops this one
        signal.signal(number, signal.SIG_IGN)
    os.nice(_NICENESS)  # answering takes precedence over applying
    database = database_at(load_settings(), sys.stdin.readline().strip())
    with telemetry(database.settings, Role.APPLIER):
        asyncio.run(_run_until_told(database))


if __name__ == "__main__":
    main()
