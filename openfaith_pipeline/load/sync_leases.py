"""The leases of syncs without a run of Dagster: plans, rollbacks, replays, webhooks, syncs from a terminal.

Dagster notices when a run's process is gone. A sync without a run has a lease in `sync.syncs` instead, which its
process renews: when that has run out, the process was killed, and the next process to look records the sync as
interrupted.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, Final

from psycopg import AsyncConnection, Connection
from psycopg_pool import AsyncConnectionPool

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.beats import beating, beating_in_thread
from openfaith_pipeline.load.leases import BEAT_SECONDS, LEASE_TTL
from openfaith_pipeline.load.sync_log import RunningSync, end_left_over

GONE: Final = "interrupted: its process ended before it did"

# A sync that another attempt has given to a run no longer has a lease.
_RENEW: Final = """
UPDATE sync.syncs SET lease_expires_at = now() + %s WHERE sync_id = %s AND lease_expires_at IS NOT NULL
"""
_EXPIRED: Final = """
SELECT sync_id, run_id FROM sync.syncs WHERE status = 'running' AND lease_expires_at < now() FOR UPDATE SKIP LOCKED
"""


@contextmanager
def lease_kept(database: Database, sync_id: str) -> Iterator[None]:
    """Renew the sync's lease in a thread during the block."""

    def renew(connection: Connection[Any]) -> None:
        connection.execute(_RENEW, (LEASE_TTL, sync_id))

    with beating_in_thread(database, renew, every_seconds=BEAT_SECONDS, at_once=False):
        yield


@asynccontextmanager
async def lease_kept_by(pool: AsyncConnectionPool[Any], sync_id: str) -> AsyncIterator[None]:
    """Renew the sync's lease in a task during the block."""
    async with beating(pool, partial(_renew, sync_id), every_seconds=BEAT_SECONDS):
        yield


async def _renew(sync_id: str, connection: AsyncConnection[Any]) -> None:
    await connection.execute(_RENEW, (LEASE_TTL, sync_id))


def end_expired(connection: Connection[Any]) -> int:
    """End the syncs whose leases have run out; returns their number. A process still alive records its own end."""
    with connection.transaction():
        expired = connection.execute(_EXPIRED).fetchall()
        return sum(end_left_over(connection, RunningSync(*each), GONE) for each in expired)
