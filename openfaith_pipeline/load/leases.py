"""Leases kept alive while their owner lives, however long a page or a rate-limit wait takes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from psycopg import OperationalError
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from openfaith_pipeline.load.sessions import HOLDER, LEASE_TTL

BEAT_SECONDS = LEASE_TTL.total_seconds() / 4


@contextlib.asynccontextmanager
async def keep_alive(pool: AsyncConnectionPool[Any], org_id: str) -> AsyncIterator[None]:
    """Renew this process's leases of the org in the background."""
    beating = asyncio.create_task(_beat(pool, org_id))
    try:
        yield
    finally:
        beating.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await beating


async def _beat(pool: AsyncConnectionPool[Any], org_id: str) -> None:
    while True:
        await asyncio.sleep(BEAT_SECONDS)
        # A beat that fails is made good by the next one; a sync that has truly lost Postgres fails at its next page.
        with contextlib.suppress(OperationalError, PoolTimeout):
            async with pool.connection() as connection:
                await connection.execute(
                    "UPDATE sync.stream_states SET lease_expires_at = now() + %s WHERE org_id = %s AND holder = %s",
                    (LEASE_TTL, org_id, HOLDER),
                )
