"""The heartbeat that renews an applier's claims, concurrent with the transactions that settle them."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.rows import dict_row

from openfaith_pipeline.database import Database
from openfaith_pipeline.webhooks import deliveries


async def claim_of(connection: AsyncConnection[Any], event_id: str) -> Any:
    cursor = await connection.execute(
        "SELECT claimed_until FROM sync.webhook_deliveries WHERE event_id = %s", (event_id,)
    )
    return (await cursor.fetchall())[0]["claimed_until"]


async def test_the_beat_waits_for_no_settling_and_lets_none_wait(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "CLAIM_TTL", timedelta(seconds=0.2))
    async with database.pool(size=3, row_factory=dict_row) as pool:
        async with pool.connection() as connection:
            for event_id in ("first", "locked"):
                await connection.execute(
                    "INSERT INTO sync.webhook_deliveries (org_id, event_id, event, payload, holder, claimed_until)"
                    " VALUES ('org', %s, 'people.v2.events.email.updated', '{}', 'me', now())",
                    (event_id,),
                )
        async with (
            deliveries.keeping_claim(pool, "me"),
            pool.connection() as settling,
            pool.connection() as looking,
        ):
            await looking.set_autocommit(True)
            await settling.execute("SELECT FROM sync.webhook_deliveries WHERE event_id = 'locked' FOR UPDATE")
            before = await claim_of(looking, "first")
            await asyncio.sleep(0.5)  # beats meanwhile
            assert await claim_of(looking, "first") > before
            await settling.execute("UPDATE sync.webhook_deliveries SET attempts = 1 WHERE event_id = 'first'")
            await looking.set_autocommit(False)
