"""The beat that keeps a process's leases, beside the transactions of the same process."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.rows import dict_row

from openfaith_pipeline.database import Database
from openfaith_pipeline.load import leases
from openfaith_pipeline.sync.worker import open_workplace


async def lease_of(connection: AsyncConnection[Any], stream: str) -> Any:
    cursor = await connection.execute("SELECT lease_expires_at FROM sync.stream_states WHERE stream = %s", (stream,))
    return (await cursor.fetchall())[0]["lease_expires_at"]


async def test_the_beat_waits_for_no_transaction_and_lets_none_wait(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "BEAT_SECONDS", 0.05)
    async with database.pool(size=3, row_factory=dict_row) as pool, leases.holding(pool) as holder:
        async with pool.connection() as connection:
            for stream in ("first", "locked"):
                await connection.execute(
                    "INSERT INTO sync.stream_states (org_id, stream, holder, lease_expires_at)"
                    " VALUES ('org', %s, %s, now())",
                    (stream, holder),
                )
        async with pool.connection() as working, pool.connection() as looking:
            await looking.set_autocommit(True)
            await working.execute("SELECT FROM sync.stream_states WHERE stream = 'locked' FOR UPDATE")
            before = await lease_of(looking, "first")
            await asyncio.sleep(0.5)  # beats meanwhile
            assert await lease_of(looking, "first") > before
            await working.execute("UPDATE sync.stream_states SET fence = fence + 1 WHERE stream = 'first'")
            await looking.set_autocommit(False)


async def test_the_beat_waits_for_no_connection_that_work_has(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "BEAT_SECONDS", 0.05)
    async with open_workplace(database, connections=1) as place, place.pool.connection() as working:
        await working.set_autocommit(True)
        await working.execute(
            "INSERT INTO sync.stream_states (org_id, stream, holder, lease_expires_at)"
            " VALUES ('org', 'kept', %s, now())",
            (place.holder,),
        )
        before = await lease_of(working, "kept")
        for _ in range(600):  # half a second, and longer on a busy machine
            await asyncio.sleep(0.05)
            if renewed := await lease_of(working, "kept") > before + timedelta(seconds=5):
                break
        assert renewed
