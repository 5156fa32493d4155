"""Webhook deliveries: kept before they are answered, claimed by whoever applies them, settled when that is done.

A delivery is `pending` until it is `applied`, `superseded` (something newer was there), `requested` (a sync that was
asked for brings it), `ignored` (about nothing that is synced) or `failed`, with the reason. A claim is a lease: that of
an applier that was killed runs out, and what it had begun is done again, which changes nothing a second time.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, Literal

import psycopg
from psycopg import AsyncConnection, Connection
from psycopg.rows import class_row, scalar_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from openfaith_pipeline.database.beats import beating
from openfaith_pipeline.errors import DatabaseUnavailable

Outcome = Literal["applied", "superseded", "requested", "ignored", "failed"]

CLAIM_TTL: Final = timedelta(seconds=60)
KEPT_FOR: Final = timedelta(days=30)
"""How long settled deliveries are remembered: Planning Center tries for five and a half days."""

_MOST_AT_ONCE: Final = 500
_PATIENCE_SECONDS: Final = 5.0

_KEEP: Final = """
INSERT INTO sync.webhook_deliveries (org_id, event_id, event, stream, record_id, occurred_at, payload)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::bytea[])
ON CONFLICT (org_id, event_id) DO NOTHING
"""
# One claimer at a time, so that no two hold deliveries of one org, whose order would be lost between them.
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('openfaith_pipeline.webhook_claims', 0))"
_CLAIM: Final = """
WITH held AS (
    SELECT DISTINCT org_id FROM sync.webhook_deliveries
    WHERE status = 'pending' AND claimed_until > now() AND NOT holder = ANY(%(dead)s)
), due AS (
    SELECT delivery.org_id FROM sync.webhook_deliveries AS delivery JOIN sync.orgs AS org USING (org_id)
    WHERE delivery.status = 'pending' AND delivery.next_attempt_at <= now()
        AND org.paused_at IS NULL AND org.removed_at IS NULL AND delivery.org_id NOT IN (SELECT org_id FROM held)
    ORDER BY delivery.next_attempt_at LIMIT 1
), chosen AS (
    SELECT id, holder IS NOT NULL AS is_left_behind FROM sync.webhook_deliveries
    WHERE org_id = (SELECT org_id FROM due) AND status = 'pending' AND next_attempt_at <= now()
    ORDER BY id LIMIT %(most)s FOR UPDATE SKIP LOCKED
)
UPDATE sync.webhook_deliveries AS delivery SET holder = %(holder)s, claimed_until = now() + %(ttl)s
FROM chosen WHERE delivery.id = chosen.id
RETURNING delivery.id, org_id, event_id, event, stream, record_id, occurred_at, payload, attempts, is_left_behind
"""


@dataclass(frozen=True)
class Incoming:
    """A delivery whose signature was right.

    event_id: names the event. event: its name. stream, record_id: what it is about, None where that cannot be told.
    occurred_at: when, as Planning Center says. payload: the record's document as it came.
    """

    org_id: str
    event_id: str
    event: str
    stream: str | None
    record_id: str | None
    occurred_at: datetime | None
    payload: bytes


@dataclass(frozen=True)
class Delivery:
    """A kept delivery, claimed.

    attempts: how often it was tried before. is_left_behind: whether somebody claimed it before and came to no end.
    """

    id: int
    org_id: str
    event_id: str
    event: str
    stream: str | None
    record_id: str | None
    occurred_at: datetime | None
    payload: bytes
    attempts: int
    is_left_behind: bool


class Inbox:
    """Keeps what arrives at the same time in one transaction: under load, many deliveries share the wait for the disk.

    For one event loop; `run` must be running there.
    """

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self._pool = pool
        self._waiting: list[tuple[Incoming, asyncio.Future[None]]] = []
        self._has_come = asyncio.Event()

    async def keep(self, deliveries: Sequence[Incoming]) -> None:
        """Return once they are committed, those known already included. Raises DatabaseUnavailable."""
        loop = asyncio.get_running_loop()
        entries = [(delivery, loop.create_future()) for delivery in deliveries]
        self._waiting += entries
        self._has_come.set()
        await asyncio.gather(*(future for _, future in entries))

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._has_come.wait()
            batch, self._waiting = self._waiting[:_MOST_AT_ONCE], self._waiting[_MOST_AT_ONCE:]
            if not self._waiting:
                self._has_come.clear()
            await self._commit(batch)

    async def _commit(self, batch: list[tuple[Incoming, asyncio.Future[None]]]) -> None:
        failure: DatabaseUnavailable | None = None
        try:
            await self._write([delivery for delivery, _ in batch])
        except (psycopg.Error, PoolTimeout) as error:
            failure = DatabaseUnavailable(f"webhook deliveries could not be kept: {type(error).__name__}")
        for _, future in batch:
            if future.done():  # whoever waited has gone
                continue
            if failure:
                future.set_exception(failure)
            else:
                future.set_result(None)

    async def _write(self, deliveries: list[Incoming]) -> None:
        try:
            await self._write_once(deliveries)
        except psycopg.OperationalError:  # of a connection that Postgres closed while it lay idle
            await self._write_once(deliveries)

    async def _write_once(self, deliveries: list[Incoming]) -> None:
        async with self._pool.connection(timeout=_PATIENCE_SECONDS) as connection:
            await keep_deliveries(connection, deliveries)


async def keep_deliveries(connection: AsyncConnection[Any], deliveries: Sequence[Incoming]) -> None:
    """Keep those that are not known yet, in their order."""
    columns = zip(
        *(
            (each.org_id, each.event_id, each.event, each.stream, each.record_id, each.occurred_at, each.payload)
            for each in deliveries
        ),
        strict=True,
    )
    await connection.execute(_KEEP, [list(column) for column in columns])


async def claim(
    connection: AsyncConnection[Any], holder: str, dead: Collection[str], most: int = _MOST_AT_ONCE
) -> list[Delivery]:
    """The oldest due deliveries of one org, in the order they came; none of an org that somebody else works for.

    dead: holders that are gone, whose claims count no more.
    """
    async with connection.transaction(), connection.cursor(row_factory=class_row(Delivery)) as cursor:
        await cursor.execute(_LOCK)
        await cursor.execute(
            _CLAIM, {"holder": holder, "dead": list(dead), "most": most, "ttl": CLAIM_TTL}, prepare=False
        )
        return sorted(await cursor.fetchall(), key=lambda delivery: delivery.id)


async def holders(connection: AsyncConnection[Any]) -> list[str]:
    """Who holds deliveries now."""
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(
            "SELECT DISTINCT holder FROM sync.webhook_deliveries WHERE status = 'pending' AND claimed_until > now()"
        )
        return await cursor.fetchall()


@asynccontextmanager
async def keeping_claim(pool: AsyncConnectionPool[Any], holder: str) -> AsyncIterator[None]:
    """Renew the holder's claims in the background for the block, however long asking takes."""
    # Were all renewals to fail, another would do the same work once more.
    async with beating(pool, partial(_renew, holder), every_seconds=CLAIM_TTL.total_seconds() / 4):
        yield


async def _renew(holder: str, connection: AsyncConnection[Any]) -> None:
    # What is being settled right now needs no renewal, and to wait for it could deadlock with it.
    await connection.execute(
        "UPDATE sync.webhook_deliveries SET claimed_until = now() + %s WHERE id IN (SELECT id"
        " FROM sync.webhook_deliveries WHERE holder = %s AND status = 'pending' FOR UPDATE SKIP LOCKED)",
        (CLAIM_TTL, holder),
    )


async def settle(
    connection: AsyncConnection[Any],
    ids: Collection[int],
    outcome: Outcome,
    *,
    sync_id: str | None = None,
    error: str | None = None,
) -> None:
    """Bring deliveries to their end; those that another applier settled meanwhile stay as they are."""
    await connection.execute(
        "UPDATE sync.webhook_deliveries SET status = %s, sync_id = %s, error = %s, settled_at = now(),"
        " attempts = attempts + 1, holder = NULL, claimed_until = NULL WHERE id = ANY(%s) AND status = 'pending'",
        (outcome, sync_id, error, list(ids)),
    )


async def postpone(
    connection: AsyncConnection[Any],
    ids: Collection[int],
    wait: timedelta,
    reason: str,
    *,
    is_attempt: bool = True,
) -> None:
    """Let deliveries be tried again after a while. is_attempt: whether this try counts, or only something was busy."""
    await connection.execute(
        "UPDATE sync.webhook_deliveries SET next_attempt_at = now() + %s, error = %s,"
        " attempts = attempts + %s::int, holder = NULL, claimed_until = NULL WHERE id = ANY(%s) AND status = 'pending'",
        (wait, reason, is_attempt, list(ids)),
    )


async def ended_records(
    connection: AsyncConnection[Any], org_id: str, records: Collection[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Those of the records, (stream, id), of whose end there was an event, whatever became of that."""
    cursor = await connection.execute(
        "SELECT DISTINCT delivery.stream, delivery.record_id FROM sync.webhook_deliveries AS delivery"
        " JOIN unnest(%s::text[], %s::text[]) AS asked (stream, record_id) USING (stream, record_id)"
        " WHERE delivery.org_id = %s AND delivery.event LIKE '%%.destroyed'",
        ([stream for stream, _ in records], [identifier for _, identifier in records], org_id),
    )
    return {(row["stream"], row["record_id"]) for row in await cursor.fetchall()}


def replay(
    connection: Connection[Any],
    *,
    org_id: str | None,
    since: datetime | None,
    statuses: Collection[str],
    event_ids: Collection[str] = (),
) -> int:
    """Let settled deliveries be applied once more; how many. The caller commits."""
    return connection.execute(
        "UPDATE sync.webhook_deliveries SET status = 'pending', attempts = 0, next_attempt_at = now(), error = NULL,"
        " settled_at = NULL, sync_id = NULL WHERE status = ANY(%(statuses)s)"
        " AND (%(org)s::text IS NULL OR org_id = %(org)s)"
        " AND (%(since)s::timestamptz IS NULL OR received_at >= %(since)s)"
        " AND (%(events)s::text[] IS NULL OR event_id = ANY(%(events)s))",
        {"statuses": list(statuses), "org": org_id, "since": since, "events": list(event_ids) or None},
    ).rowcount


def count_by_status(connection: Connection[Any]) -> Mapping[str, Mapping[str, int]]:
    """By org and status, how many deliveries there are."""
    found: dict[str, dict[str, int]] = {}
    rows = connection.execute("SELECT org_id, status, count(*) FROM sync.webhook_deliveries GROUP BY 1, 2").fetchall()
    for org_id, status, count in rows:
        found.setdefault(org_id, {})[status] = count
    return found


def oldest_overdue(connection: Connection[Any], patience: timedelta) -> int | None:
    """The id of the oldest delivery that nobody has come to apply for so long."""
    row = connection.execute(
        "SELECT min(delivery.id) FROM sync.webhook_deliveries AS delivery JOIN sync.orgs USING (org_id)"
        " WHERE status = 'pending' AND next_attempt_at < now() - %s AND coalesce(claimed_until < now(), true)"
        " AND paused_at IS NULL AND removed_at IS NULL",
        (patience,),
    ).fetchone()
    return row[0] if row else None


def forget_settled(connection: Connection[Any]) -> int:
    """Delete deliveries that were settled long ago, with the personal data in them; how many. The caller commits."""
    return connection.execute("DELETE FROM sync.webhook_deliveries WHERE settled_at < now() - %s", (KEPT_FOR,)).rowcount
