"""What has to be said to Postgres again and again for as long as something lasts."""

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
    """Have `beat` done in the background for the block, the first time after one interval.

    One that fails is made good by the next. Who has truly lost Postgres learns it from its own next statement.
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
