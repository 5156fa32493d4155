"""Heartbeats: a statement repeated for as long as some work lasts."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

from psycopg import AsyncConnection, Connection
from psycopg_pool import AsyncConnectionPool

from openfaith_pipeline.database.connection import Database
from openfaith_pipeline.database.refusals import TROUBLE
from openfaith_pipeline.errors import DatabaseUnavailable

Beat = Callable[[AsyncConnection[Any]], Awaitable[object]]

_log = logging.getLogger(__name__)


@asynccontextmanager
async def beating(pool: AsyncConnectionPool[Any], beat: Beat, *, every_seconds: float) -> AsyncIterator[None]:
    """Run `beat` in the background during the block, the first time after one interval.

    A failed beat is made up for by the next one. If Postgres is really gone, the block's own next statement fails.
    """
    task = asyncio.create_task(_beat(pool, beat, every_seconds))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _beat(pool: AsyncConnectionPool[Any], beat: Beat, every_seconds: float) -> None:
    while True:
        await asyncio.sleep(every_seconds)
        with suppress(*TROUBLE):
            async with pool.connection() as connection:
                await beat(connection)


@contextmanager
def beating_in_thread(
    database: Database, beat: Callable[[Connection[Any]], object], *, every_seconds: float, at_once: bool = True
) -> Iterator[None]:
    """Run and commit `beat` in a thread during the block, the first time at once or after one interval."""
    is_over = threading.Event()
    thread = threading.Thread(
        target=_beat_until, args=(is_over, database, beat, every_seconds, at_once), name="heartbeat", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _beat_until(
    is_over: threading.Event,
    database: Database,
    beat: Callable[[Connection[Any]], object],
    every_seconds: float,
    at_once: bool,
) -> None:
    if not at_once and is_over.wait(every_seconds):
        return
    while True:
        try:
            with database.connect() as connection:
                beat(connection)
        except (DatabaseUnavailable, *TROUBLE) as error:
            reason = error if isinstance(error, DatabaseUnavailable) else type(error).__name__
            _log.warning("no heartbeat could be recorded, trying again: %s", reason)
        if is_over.wait(every_seconds):
            return
