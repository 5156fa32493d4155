"""Leases of streams: the holder, its fencing number, and the heartbeat that keeps them however long a page takes.

A lease is a row of `sync.stream_states`. Taking it raises the stream's fencing number, and each later write of its
holder first renews it by holder and number: when that touches fewer rows than were taken, another took over, and the
write is refused.
"""

import contextlib
import os
import socket
import uuid
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import psutil
from psycopg import AsyncConnection, Connection, sql
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from openfaith_pipeline.database.beats import beating
from openfaith_pipeline.database.refusals import TROUBLE
from openfaith_pipeline.errors import LeaseLost, OpenFaithError, StreamBusy
from openfaith_pipeline.load import look_back
from openfaith_pipeline.orgs.erased import check_org_not_erased

LEASE_TTL = timedelta(seconds=15)
BEAT_SECONDS = LEASE_TTL.total_seconds() / 4

FREED: Final = sql.SQL("holder = NULL, lease_expires_at = NULL")
"""SQL: the assignments that give a lease back."""

_living_here: set[str] = set()


@dataclass(frozen=True)
class Leases:
    """The leases of some streams of an org. fences: by stream name, the fencing number of the lease."""

    org_id: str
    holder: str
    fences: Mapping[str, int]

    @property
    def streams(self) -> list[str]:
        return list(self.fences)

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of RENEWAL."""
        fences = {"names": list(self.fences), "fences": list(self.fences.values())}
        return {"ttl": LEASE_TTL, "org_id": self.org_id, "holder": self.holder, **fences}

    def check(self, renewed: int) -> None:
        """Raise LeaseLost unless a renewal touched all of them."""
        if renewed != len(self.fences):
            raise LeaseLost(f"another sync took over {', '.join(self.fences)} of {self.org_id}")


@contextlib.asynccontextmanager
async def holding(pool: AsyncConnectionPool[Any]) -> AsyncIterator[str]:
    """A unique holder name (`host:pid:unique`), whose leases are renewed in the background during the block."""
    holder = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:12]}"
    _living_here.add(holder)
    try:
        async with beating(pool, partial(_beat, holder), every_seconds=BEAT_SECONDS):
            yield holder
    finally:
        _living_here.discard(holder)


# SKIP LOCKED: a transaction of the holder's own renews the row that it has locked. Waiting for it would let all other
# leases expire, and would deadlock with a transaction that wants a second row.
_BEAT: Final = """
UPDATE sync.stream_states SET lease_expires_at = now() + %s
WHERE (org_id, stream) IN (SELECT org_id, stream FROM sync.stream_states WHERE holder = %s FOR UPDATE SKIP LOCKED)
"""


async def _beat(holder: str, connection: AsyncConnection[Any]) -> None:
    await connection.execute(_BEAT, (LEASE_TTL, holder))


_GIVE_UP: Final = sql.SQL("""
WITH given_up AS (
    UPDATE sync.stream_states SET {freed} WHERE org_id = %s AND holder = %s RETURNING stream
)
UPDATE sync.stream_syncs SET status = 'failed', error = %s, finished_at = now()
WHERE org_id = %s AND stream IN (SELECT stream FROM given_up) AND status = 'running'
""").format(freed=FREED)


@contextlib.asynccontextmanager
async def releasing(pool: AsyncConnectionPool[Any], holder: str, org_id: str) -> AsyncIterator[None]:
    """Release the leases that the holder still has on the org at the end: its heartbeat would renew them.

    That is everything under way if the block fails. Else it is the rest of a walk that another sync took over in part:
    its session has ended, and may not write that it has.
    """
    reason = "its sync ended before it did"
    try:
        yield
    except BaseException as error:
        reason = str(error) if isinstance(error, OpenFaithError) else reason
        raise
    finally:
        with contextlib.suppress(*TROUBLE):
            async with pool.connection(timeout=5) as connection:
                await connection.execute(_GIVE_UP, (org_id, holder, reason, org_id))


_ENTER: Final = """
INSERT INTO sync.stream_states (org_id, stream) SELECT %s, unnest(%s::text[]) ON CONFLICT DO NOTHING
"""
# A watermark in the future, as earlier versions let records set it, is none: the stream is read from its beginning.
_LOCK: Final = sql.SQL("""
SELECT stream, CASE WHEN watermark <= now() + interval '10 minutes' THEN watermark - {look_back} END AS start,
    CASE WHEN lease_expires_at > now() THEN holder END AS holder
FROM sync.stream_states AS state WHERE org_id = %s AND stream = ANY(%s) ORDER BY stream FOR UPDATE
""").format(look_back=look_back.NOW)


async def lock_streams(
    connection: AsyncConnection[Any], org_id: str, names: Sequence[str], more: Collection[str] = ()
) -> dict[str, datetime | None]:
    """Lock the streams, in a fixed order, until the transaction ends; returns their cursors, None for a full read.

    more: further streams to lock, even if another sync holds them. Raises StreamBusy when a live sync holds one of the
    others, and UnknownOrg if the org was erased.
    """
    concerned = sorted({*names, *more})
    await connection.execute(_ENTER, (org_id, concerned))
    cursor = await connection.execute(_LOCK, (org_id, concerned))
    await check_org_not_erased(connection, org_id)
    states = {row["stream"]: row for row in await cursor.fetchall()}
    _refuse_held(org_id, {name: states[name]["holder"] for name in names})
    return {name: state["start"] for name, state in states.items()}


async def lock_stream(connection: AsyncConnection[Any], org_id: str, stream: str) -> None:
    """Keep other transactions from publishing the stream until the caller's ends."""
    await connection.execute(_LOCK, (org_id, [stream]))


def lock_holders(connection: Connection[Any], org_id: str, names: Collection[str]) -> dict[str, str]:
    """Lock the streams until the transaction ends; returns, by stream, the holders of unexpired leases."""
    with connection.cursor(row_factory=dict_row) as cursor:
        states = cursor.execute(_LOCK, (org_id, sorted(names))).fetchall()
    return {state["stream"]: state["holder"] for state in states if state["holder"]}


def _refuse_held(org_id: str, holders: Mapping[str, str | None]) -> None:
    for name, holder in holders.items():
        if holder and not is_dead(holder):
            raise StreamBusy(f"{name} of {org_id} is being synced by {holder.rsplit(':', 1)[0]}")


_TAKE: Final = """
UPDATE sync.stream_states SET fence = fence + 1, holder = %s, lease_expires_at = now() + %s
WHERE org_id = %s AND stream = ANY(%s) RETURNING stream, fence
"""


async def take_leases(connection: AsyncConnection[Any], org_id: str, holder: str, names: Sequence[str]) -> Leases:
    """Take the leases of streams that the caller's transaction has locked, and fence off their previous holders."""
    cursor = await connection.execute(_TAKE, (holder, LEASE_TTL, org_id, list(names)))
    fences = {row["stream"]: row["fence"] for row in await cursor.fetchall()}
    return Leases(org_id, holder, {name: fences[name] for name in names})


_FENCE_OFF: Final = sql.SQL("""
UPDATE sync.stream_states SET fence = fence + 1, {freed} WHERE org_id = %s AND stream = ANY(%s)
""").format(freed=FREED)


def fence_off(connection: Connection[Any], org_id: str, names: Collection[str]) -> None:
    """Keep every sync from these streams until the transaction ends, and fence off their previous holders.

    Raises StreamBusy when a live sync holds one of them.
    """
    _refuse_held(org_id, lock_holders(connection, org_id, names))
    connection.execute(_FENCE_OFF, (org_id, list(names)))


_RESERVE: Final = """
INSERT INTO sync.stream_states (org_id, stream) SELECT %s, unnest(%s::text[]) ON CONFLICT DO NOTHING RETURNING stream
"""


@contextlib.contextmanager
def hold_org(connection: Connection[Any], org_id: str, names: Collection[str]) -> Iterator[None]:
    """Keep every sync from the org until the transaction ends, also from streams that no sync has read yet.

    names: of all streams. Raises StreamBusy when a live sync holds one of them.
    """
    reserved = connection.execute(_RESERVE, (org_id, sorted(names))).fetchall()
    fence_off(connection, org_id, names)
    yield
    connection.execute(
        "DELETE FROM sync.stream_states WHERE org_id = %s AND stream = ANY(%s)",
        (org_id, [stream for (stream,) in reserved]),
    )


RENEWAL: Final = sql.SQL("""
UPDATE sync.stream_states AS state SET lease_expires_at = now() + %(ttl)s
FROM unnest(%(names)s::text[], %(fences)s::bigint[]) AS mine (stream, fence)
WHERE state.org_id = %(org_id)s AND state.stream = mine.stream AND state.fence = mine.fence
    AND state.holder = %(holder)s
""")
"""SQL that touches as many states as there are leases, if all are still held. See `Leases.parameters`."""


async def renew(connection: AsyncConnection[Any], leases: Leases) -> None:
    """Prove, inside the caller's transaction, that the leases are still held; else raise LeaseLost."""
    cursor = await connection.execute(RENEWAL, leases.parameters)
    leases.check(cursor.rowcount)


_RELEASE: Final = sql.SQL("""
UPDATE sync.stream_states SET {freed} WHERE org_id = %s AND stream = ANY(%s) AND holder = %s RETURNING stream
""").format(freed=FREED)


async def release(connection: AsyncConnection[Any], leases: Leases) -> list[str]:
    """Release the leases; returns the streams of those that were still held."""
    cursor = await connection.execute(_RELEASE, (leases.org_id, leases.streams, leases.holder))
    return [row["stream"] for row in await cursor.fetchall()]


_HOLDERS: Final = """
SELECT DISTINCT state.holder FROM sync.stream_syncs AS work JOIN sync.stream_states AS state USING (org_id, stream)
WHERE work.sync_id = %s AND work.status = 'running' AND state.lease_expires_at > now() AND state.holder IS NOT NULL
"""


def live_holder(connection: Connection[Any], sync_id: str) -> str | None:
    """`host:pid` of a process, not known to be dead, that holds leases for the sync; None if there is none."""
    holders = [holder for (holder,) in connection.execute(_HOLDERS, (sync_id,)).fetchall()]
    return next((holder.rsplit(":", 1)[0] for holder in holders if not is_dead(holder)), None)


def is_dead(holder: str) -> bool:
    """Whether the holder was on this machine and is certainly gone, so that nobody need wait for its lease to expire.

    Only a shortcut: if it were wrong, the fencing number would still keep the holder from writing.
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
