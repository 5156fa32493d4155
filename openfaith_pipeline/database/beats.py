"""Heartbeats: a statement repeated for as long as some work lasts."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from openfaith_pipeline.database.refusals import TROUBLE

Beat = Callable[[AsyncConnection[Any]], Awaitable[object]]


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
