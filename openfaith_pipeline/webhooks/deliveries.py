"""Webhook deliveries: stored before they are answered, claimed by an applier, settled when applied.

A delivery is `pending` until it is `applied`, `superseded` (there was newer data), `requested` (a sync was requested
for it), `ignored` (about no synced type) or `failed`, with the reason. A claim is a lease: if the applier is killed it
runs out, and its work is repeated, which changes nothing the second time.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, Literal

from psycopg import AsyncConnection, Connection
from psycopg.rows import class_row, dict_row, scalar_row
from psycopg_pool import AsyncConnectionPool

from openfaith_pipeline.catalog.events import Incoming
from openfaith_pipeline.database.beats import beating
from openfaith_pipeline.load.erased import Erased, read_erased
from openfaith_pipeline.load.withheld_deliveries import NOTHING, without_erased
from openfaith_pipeline.sources import SOURCES

Outcome = Literal["applied", "superseded", "requested", "ignored", "failed"]

CLAIM_TTL: Final = timedelta(seconds=60)
KEPT_FOR: Final = timedelta(days=30)
"""Retention of settled deliveries: Planning Center retries for five and a half days."""

MOST_AT_ONCE: Final = 500
MOST_BYTES_AT_ONCE: Final = 8 * 1024 * 1024
"""Limits, in deliveries and bytes, for storing or claiming together; a larger single one goes alone."""

# Of an erased record not even the id is stored: it would say who was erased.
_KEEP: Final = """
INSERT INTO sync.webhook_deliveries (org_id, event_id, event, stream, record_id, occurred_at, payload, is_doubtful,
    traceparent, status, error, settled_at)
SELECT org_id, event_id, event, stream, CASE WHEN payload IS NOT NULL THEN record_id END, occurred_at,
    coalesce(payload, '{}'), is_doubtful, traceparent,
    CASE WHEN payload IS NULL THEN 'ignored' ELSE 'pending' END,
    CASE WHEN payload IS NULL THEN 'withheld: its record is erased' END, CASE WHEN payload IS NULL THEN now() END
FROM unnest(
    %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %b::bytea[], %s::boolean[],
    %s::text[]) AS sent (org_id, event_id, event, stream, record_id, occurred_at, payload, is_doubtful, traceparent)
ON CONFLICT (org_id, event_id) DO NOTHING
"""
_WITH_ERASURES: Final = """
SELECT org_id FROM sync.erasure_salts AS salt WHERE org_id = ANY(%s)
    AND EXISTS (SELECT FROM sync.erased_records AS marked WHERE marked.org_id = salt.org_id)
"""
# One claimer at a time, so that no two hold deliveries of one org, which would lose their order.
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('openfaith_pipeline.webhook_claims', 0))"
# Orgs take turns: of those with due deliveries, the one whose last turn was longest ago. They are found by skipping
# from org to org through an index, since one of them may have very many deliveries.
_NEXT_ORG: Final = """
WITH RECURSIVE waiting AS (
    (SELECT org_id FROM sync.webhook_deliveries WHERE status = 'pending' ORDER BY org_id LIMIT 1)
    UNION ALL
    SELECT (SELECT min(org_id) FROM sync.webhook_deliveries WHERE status = 'pending' AND org_id > waiting.org_id)
      FROM waiting WHERE waiting.org_id IS NOT NULL
), held AS (
    SELECT DISTINCT org_id FROM sync.webhook_deliveries
     WHERE status = 'pending' AND claimed_until > now() AND NOT holder = ANY(%(dead)s)
), chosen AS (
    SELECT org_id FROM waiting JOIN sync.orgs AS org USING (org_id) LEFT JOIN sync.webhook_turns AS turn USING (org_id)
     WHERE org.paused_at IS NULL AND org.removed_at IS NULL AND org_id NOT IN (SELECT org_id FROM held)
       AND EXISTS (SELECT FROM sync.webhook_deliveries AS due
                    WHERE due.org_id = waiting.org_id AND status = 'pending' AND next_attempt_at <= now())
     ORDER BY turn.taken_at NULLS FIRST, org_id LIMIT 1
)
INSERT INTO sync.webhook_turns (org_id, taken_at) SELECT org_id, clock_timestamp() FROM chosen
ON CONFLICT (org_id) DO UPDATE SET taken_at = excluded.taken_at
RETURNING org_id
"""
# A time outside Python's range counts as none: such rows have occurred, and one of them must not block the others.
_CLAIM: Final = """
WITH due AS (
    SELECT id, octet_length(payload) AS size, holder IS NOT NULL AS is_left_behind FROM sync.webhook_deliveries
     WHERE org_id = %(org)s AND status = 'pending' AND next_attempt_at <= now()
     ORDER BY next_attempt_at, id LIMIT %(most)s FOR UPDATE SKIP LOCKED
), chosen AS (
    SELECT id, is_left_behind, sum(size) OVER (ORDER BY id) - size AS bytes_before FROM due
)
UPDATE sync.webhook_deliveries AS delivery SET holder = %(holder)s, claimed_until = now() + %(ttl)s
FROM chosen WHERE delivery.id = chosen.id AND bytes_before < %(most_bytes)s
RETURNING delivery.id, org_id, event_id, event, stream, record_id,
    CASE WHEN occurred_at BETWEEN '0001-01-02Z' AND '9999-12-30Z' THEN occurred_at END AS occurred_at,
    payload, attempts, is_left_behind, is_doubtful, traceparent
"""


@dataclass(frozen=True)
class Delivery:
    """A stored delivery, claimed.

    attempts: number of earlier ones. is_left_behind: whether an earlier claim ended without a result.
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
    is_doubtful: bool = False
    traceparent: str | None = None


def of_source(adapter: str, deliveries: Sequence[Incoming]) -> Sequence[Incoming]:
    """The deliveries with event ids that no other source of their org has.

    The first source's stay as they are, since events of it are stored by them.
    """
    if adapter == next(iter(SOURCES)):
        return deliveries
    return [replace(each, event_id=f"{adapter} {each.event_id}") for each in deliveries]


async def keep_deliveries(connection: AsyncConnection[Any], deliveries: Sequence[Incoming]) -> None:
    """Store new deliveries in their order, without data of erased records.

    If a document were cleared only later, Postgres would keep its bytes until it reuses the space.
    """
    erased = await _erased_by_org(connection, {each.org_id for each in deliveries})
    cleared = [
        {**vars(each), "payload": without_erased(marks, each.stream, each.record_id, each.payload)}
        if (marks := erased.get(each.org_id))
        else vars(each)
        for each in deliveries
    ]
    await connection.execute(_KEEP, [[each[name] for each in cleared] for name in cleared[0]])


async def _erased_by_org(connection: AsyncConnection[Any], org_ids: Collection[str]) -> dict[str, Erased]:
    """The erased records of each org that has any."""
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(_WITH_ERASURES, (list(org_ids),))
        return {org_id: await read_erased(connection, org_id) for org_id in await cursor.fetchall()}


async def claim(
    connection: AsyncConnection[Any],
    holder: str,
    dead: Collection[str],
    most: int = MOST_AT_ONCE,
    most_bytes: int = MOST_BYTES_AT_ONCE,
) -> list[Delivery]:
    """Due deliveries of the org whose turn it is, in order of arrival; orgs claimed by another holder are skipped.

    dead: holders that are gone, whose claims no longer count.
    """
    limits = {"holder": holder, "most": most, "most_bytes": most_bytes, "ttl": CLAIM_TTL}
    async with connection.transaction(), connection.cursor(row_factory=dict_row) as turns:
        await turns.execute(_LOCK)
        await turns.execute(_NEXT_ORG, {"dead": list(dead)}, prepare=False)
        next_org = await turns.fetchone()
        if next_org is None:
            return []
        async with connection.cursor(row_factory=class_row(Delivery)) as cursor:
            await cursor.execute(_CLAIM, {**limits, "org": next_org["org_id"]}, prepare=False)
            claimed = sorted(await cursor.fetchall(), key=lambda delivery: delivery.id)
        return await withhold_erased(connection, claimed) if claimed else []


_WITHHOLD: Final = """
UPDATE sync.webhook_deliveries SET payload = '{}', record_id = NULL, status = 'ignored',
    error = 'withheld: its record is erased', settled_at = now(), holder = NULL, claimed_until = NULL
WHERE org_id = %s AND id = ANY(%s)
"""


async def withhold_erased(connection: AsyncConnection[Any], deliveries: Sequence[Delivery]) -> list[Delivery]:
    """One org's deliveries, without those of erased records and without references to such; stored ones change too.

    Deliveries about an erased person are cleared at once, not only after they were applied.
    """
    erased = await read_erased(connection, deliveries[0].org_id)
    if not erased:
        return list(deliveries)
    kept, withheld = [], []
    for each in deliveries:
        payload = without_erased(erased, each.stream, each.record_id, each.payload)
        # One that was emptied before comes again if it is replayed.
        if payload is None or (each.payload, each.record_id) == (NOTHING, None):
            withheld.append(each.id)
            continue
        kept.append(replace(each, payload=payload))
        if payload != each.payload:
            await connection.execute(
                "UPDATE sync.webhook_deliveries SET payload = %s WHERE org_id = %s AND id = %s",
                (payload, each.org_id, each.id),
            )
    await connection.execute(_WITHHOLD, (deliveries[0].org_id, withheld))
    return kept


async def holders(connection: AsyncConnection[Any]) -> list[str]:
    """Current holders of claims."""
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(
            "SELECT DISTINCT holder FROM sync.webhook_deliveries WHERE status = 'pending' AND claimed_until > now()"
        )
        return await cursor.fetchall()


@asynccontextmanager
async def keeping_claim(pool: AsyncConnectionPool[Any], holder: str) -> AsyncIterator[None]:
    """Renew the holder's claims in the background during the block, however long fetching takes."""
    # If all renewals failed, another applier would repeat the same work.
    async with beating(pool, partial(_renew, holder), every_seconds=CLAIM_TTL.total_seconds() / 4):
        yield


async def _renew(holder: str, connection: AsyncConnection[Any]) -> None:
    # Deliveries being settled right now need no renewal, and waiting for them could deadlock.
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
    """Record the outcome of deliveries; those that another applier settled meanwhile are left alone."""
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
    """Schedule deliveries for another attempt.

    is_attempt: whether this attempt counts, or something was merely busy.
    """
    await connection.execute(
        "UPDATE sync.webhook_deliveries SET next_attempt_at = now() + %s, error = %s,"
        " attempts = attempts + %s::int, holder = NULL, claimed_until = NULL WHERE id = ANY(%s) AND status = 'pending'",
        (wait, reason, is_attempt, list(ids)),
    )


async def ended_records(
    connection: AsyncConnection[Any], org_id: str, records: Collection[tuple[str, str]]
) -> set[tuple[str, str]]:
    """The records, as (stream, id), with a deletion event, regardless of its outcome."""
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
    """Schedule settled deliveries to be applied again; returns their number. The caller commits."""
    return connection.execute(
        "UPDATE sync.webhook_deliveries SET status = 'pending', attempts = 0, next_attempt_at = now(), error = NULL,"
        " settled_at = NULL, sync_id = NULL WHERE status = ANY(%(statuses)s)"
        " AND (%(org)s::text IS NULL OR org_id = %(org)s)"
        " AND (%(since)s::timestamptz IS NULL OR received_at >= %(since)s)"
        " AND (%(events)s::text[] IS NULL OR event_id = ANY(%(events)s))",
        {"statuses": list(statuses), "org": org_id, "since": since, "events": list(event_ids) or None},
    ).rowcount


def count_by_status(connection: Connection[Any]) -> Mapping[str, Mapping[str, int]]:
    """Number of deliveries by org and status."""
    found: dict[str, dict[str, int]] = {}
    rows = connection.execute("SELECT org_id, status, count(*) FROM sync.webhook_deliveries GROUP BY 1, 2").fetchall()
    for org_id, status, count in rows:
        found.setdefault(org_id, {})[status] = count
    return found


_OVERDUE: Final = """
SELECT org_id, min(delivery.id), count(*) FROM sync.webhook_deliveries AS delivery JOIN sync.orgs USING (org_id)
 WHERE status = 'pending' AND next_attempt_at < now() - %s AND coalesce(claimed_until < now(), true)
   AND paused_at IS NULL AND removed_at IS NULL
 GROUP BY 1 ORDER BY 2
"""


def oldest_overdue(connection: Connection[Any], patience: timedelta) -> int | None:
    """Id of the oldest delivery that has waited longer than `patience` without being claimed."""
    row = connection.execute(_OVERDUE, (patience,)).fetchone()
    return row[1] if row else None


def count_overdue(connection: Connection[Any], patience: timedelta) -> Mapping[str, int]:
    """By org, how many such deliveries there are."""
    return {org_id: number for org_id, _, number in connection.execute(_OVERDUE, (patience,)).fetchall()}


_FORGET: Final = """
DELETE FROM sync.webhook_deliveries AS delivery WHERE settled_at < now() - {kept}
    OR status = 'pending' AND received_at < now() - {kept}
       AND EXISTS (SELECT FROM sync.orgs WHERE orgs.org_id = delivery.org_id AND removed_at IS NOT NULL)
""".format(
    kept="coalesce((SELECT own.deliveries_kept FROM sync.org_settings AS own WHERE own.org_id = delivery.org_id),"
    " %(kept)s)"
)


def forget_settled(connection: Connection[Any]) -> int:
    """Delete deliveries settled long ago, with their personal data; returns their number. The caller commits.

    So are those of removed orgs, which nobody applies. An org may have its own retention time.
    """
    return connection.execute(_FORGET, {"kept": KEPT_FOR}).rowcount
