"""A heartbeat goes on after a failure, and stops with the block it belongs to."""

import asyncio
from typing import Any

import psycopg

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.beats import beating


async def test_a_beat_that_fails_is_made_good_by_the_next(database: Database) -> None:
    beats: list[int] = []
    is_enough = asyncio.Event()

    async def beat(connection: psycopg.AsyncConnection[Any]) -> None:
        beats.append(len(beats))
        if len(beats) == 1:
            raise psycopg.OperationalError("the connection is lost")
        await connection.execute("SELECT 1")
        if len(beats) == 3:
            is_enough.set()

    async with database.pool(size=1) as pool, asyncio.timeout(20):
        async with beating(pool, beat, every_seconds=0.01):
            await is_enough.wait()
        said = len(beats)
        await asyncio.sleep(0.1)
    assert len(beats) == said
