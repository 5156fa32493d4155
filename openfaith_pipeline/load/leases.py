"""Who holds a lease, whether it still lives, and the beat that keeps its leases alive however long a page takes."""

import contextlib
import os
import socket
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from typing import Any, Final

import psutil
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from openfaith_pipeline.database.beats import beating
from openfaith_pipeline.database.refusals import TROUBLE
from openfaith_pipeline.errors import OpenFaithError

LEASE_TTL = timedelta(seconds=15)
BEAT_SECONDS = LEASE_TTL.total_seconds() / 4

_living_here: set[str] = set()


@contextlib.asynccontextmanager
async def holding(pool: AsyncConnectionPool[Any]) -> AsyncIterator[str]:
    """A name to hold leases by (`host:pid:unique`), whose leases are renewed in the background for the block."""
    holder = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:12]}"
    _living_here.add(holder)
    try:
        async with beating(pool, partial(_renew, holder), every_seconds=BEAT_SECONDS):
            yield holder
    finally:
        _living_here.discard(holder)


_GIVE_UP: Final = """
WITH given_up AS (
    UPDATE sync.stream_states SET holder = NULL, lease_expires_at = NULL WHERE org_id = %s AND holder = %s
    RETURNING stream
)
UPDATE sync.stream_syncs SET status = 'failed', error = %s, finished_at = now()
WHERE org_id = %s AND stream IN (SELECT stream FROM given_up) AND status = 'running'
"""


@contextlib.asynccontextmanager
async def releasing(pool: AsyncConnectionPool[Any], holder: str, org_id: str) -> AsyncIterator[None]:
    """When the block fails, give up what the holder has of the org, which its beat would keep alive for others."""
    try:
        yield
    except BaseException as error:
        reason = str(error) if isinstance(error, OpenFaithError) else "its sync ended before it did"
        with contextlib.suppress(*TROUBLE):
            async with pool.connection(timeout=5) as connection:
                await connection.execute(_GIVE_UP, (org_id, holder, reason, org_id))
        raise


async def _renew(holder: str, connection: AsyncConnection[Any]) -> None:
    # What a transaction of the holder's own has locked it renews itself. To wait for it would leave all other leases
    # to run out meanwhile, and would deadlock with one that wants a second row.
    await connection.execute(
        "UPDATE sync.stream_states SET lease_expires_at = now() + %s WHERE (org_id, stream) IN"
        " (SELECT org_id, stream FROM sync.stream_states WHERE holder = %s FOR UPDATE SKIP LOCKED)",
        (LEASE_TTL, holder),
    )


def is_dead(holder: str) -> bool:
    """Whether the holder was of this machine and is surely gone, so that its lease need not be waited for.

    Only a shortcut: were it wrong, the fencing number still keeps the other from writing.
    """
    host, pid, _ = holder.rsplit(":", 2)
    if host != socket.gethostname():
        return False
    return holder not in _living_here if int(pid) == os.getpid() else not _is_running(int(pid))


def _is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
