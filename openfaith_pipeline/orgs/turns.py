"""Turns: when each org's connection to a source is due, and the lease by which one sweep at a time works on it.

A turn is of one source: failures and delays there do not affect the org's turns at another.

Several sweeps, on several machines, may claim at once: a row is locked for a moment and leased for as long as its sweep
sends heartbeats. Turns of a dead sweep are claimed again once the lease has run out, under the same sync id, so that
the new sweep makes another attempt at the same sync.
"""

import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, cast

from psycopg import AsyncConnection, Connection
from psycopg.rows import class_row, dict_row, scalar_row

from openfaith_pipeline.orgs.org_settings import POLL_EVERY, OrgSettings
from openfaith_pipeline.sources import names_of_source

LEASE_TTL: Final = timedelta(seconds=30)
BEAT_SECONDS: Final = LEASE_TTL.total_seconds() / 4

FIRST_RETRY_AFTER: Final = timedelta(minutes=1)
LONGEST_RETRY_AFTER: Final = timedelta(hours=6)

_SLACK: Final = timedelta(seconds=90)  # a turn may come some seconds early or late

NIGHT_BEGINS: Final = timedelta(hours=6)
NIGHT_LASTS: Final = timedelta(hours=5)
"""Hours for rolling reconciles, in UTC: after midnight in the Americas, where nearly all the churches are."""


class Kind(StrEnum):
    """The work that a turn is for."""

    INCREMENTAL = "incremental"
    RECONCILE = "reconcile"


@dataclass(frozen=True)
class Turn:
    """One org claimed by one sweep.

    adapter: the source that is synced.
    sync_id: of the sync to begin, or to continue after a dead sweep.
    failures: consecutive failed turns before this one.
    untransformed: streams whose changes earlier turns could not write to the canonical tables.
    is_poll: streams that can only be read whole are due too.
    """

    org_id: str
    adapter: str
    kind: Kind
    sync_id: str
    failures: int
    untransformed: Sequence[str]
    settings: OrgSettings
    is_poll: bool = True


@dataclass(frozen=True)
class TurnEnd:
    """Outcome of a turn. is_partial: some streams were synced, so the org keeps its usual interval."""

    error: str | None = None
    is_partial: bool = False
    untransformed: Sequence[str] = ()


@dataclass(frozen=True)
class Progress:
    """Position of an org in one kind of turn.

    next_at: may be past, for a turn begins with the next sweep; None while the org is paused. is_due: it is past, and
    the turn waits for that sweep.
    """

    kind: str
    next_at: datetime | None
    is_due: bool
    is_under_way: bool
    succeeded_at: datetime | None
    failures: int
    error: str | None


_DUE: Final = """
FROM sync.source_schedules AS turn
JOIN sync.orgs AS org USING (org_id)
JOIN sync.source_connections AS link USING (org_id, adapter)
LEFT JOIN sync.org_settings AS chosen USING (org_id)
WHERE turn.adapter = %(adapter)s AND turn.kind = %(kind)s AND org.paused_at IS NULL AND org.removed_at IS NULL
  AND (turn.next_at <= now()
       -- reconnected since it failed: no need to sit out the wait
       OR turn.failures > 0 AND link.state = 'connected' AND link.updated_at > turn.attempted_at)
  AND (turn.lease_expires_at IS NULL OR turn.lease_expires_at < now())
  -- whoever else syncs the org from this source now, a person or another kind of turn, is not disturbed
  AND NOT EXISTS (SELECT FROM sync.stream_states AS state
                  WHERE state.org_id = turn.org_id AND state.lease_expires_at > now()
                    AND state.stream COLLATE "C" = ANY(%(streams)s))
"""

_CLAIM: Final = f"""
WITH due AS (
    SELECT turn.org_id, link.revived_at, chosen.sync_every, chosen.poll_every, chosen.reconcile_within, chosen.streams
    {_DUE} AND turn.org_id <> ALL(%(under_way)s) ORDER BY turn.next_at LIMIT %(limit)s FOR UPDATE OF turn SKIP LOCKED
)
UPDATE sync.source_schedules AS turn
SET holder = %(holder)s, lease_expires_at = now() + %(ttl)s, attempted_at = now(),
    failures = CASE WHEN turn.attempted_at < due.revived_at THEN 0 ELSE turn.failures END,
    sync_id = coalesce(turn.sync_id, gen_random_uuid()::text)
FROM due WHERE turn.org_id = due.org_id AND turn.adapter = %(adapter)s AND turn.kind = %(kind)s
RETURNING turn.org_id, turn.sync_id, turn.failures, coalesce(turn.untransformed, '{{}}') AS untransformed,
          coalesce(turn.polled_at < now() - coalesce(due.poll_every, %(poll_every)s) + %(slack)s, true) AS is_poll,
          due.sync_every, due.poll_every, due.reconcile_within, due.streams
"""  # noqa: S608 - both parts are ours

_PROGRESS: Final = """
SELECT kind, CASE WHEN org.paused_at IS NULL THEN next_at END AS next_at,
       org.paused_at IS NULL AND next_at <= now() AND coalesce(lease_expires_at < now(), true) AS is_due,
       coalesce(lease_expires_at >= now(), false) AS is_under_way, succeeded_at, failures, error
FROM sync.source_schedules JOIN sync.orgs AS org USING (org_id)
WHERE org_id = %s AND adapter = %s ORDER BY kind
"""

_NEW: Final = """
SELECT org.org_id, chosen.sync_every,
       EXISTS (SELECT FROM sync.stream_states AS state
               WHERE state.org_id = org.org_id AND state.last_succeeded_at IS NOT NULL
                 AND state.stream COLLATE "C" = ANY(%(streams)s)) AS was_synced
FROM sync.orgs AS org JOIN sync.source_connections AS link USING (org_id)
LEFT JOIN sync.org_settings AS chosen USING (org_id)
WHERE org.removed_at IS NULL AND link.adapter = %(adapter)s
  AND NOT EXISTS (SELECT FROM sync.source_schedules AS turn
                  WHERE turn.org_id = org.org_id AND turn.adapter = %(adapter)s AND turn.kind = %(kind)s)
"""


def enroll_orgs(connection: Connection[Any], kind: Kind, adapter: str) -> int:
    """Create turns for orgs without one; returns their number. An org that was never synced is due at once."""
    now = _now(connection)
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_NEW, _turns_of(kind, adapter)).fetchall()
        times = {
            row["org_id"]: now if _is_urgent(kind, row) else next_turn(row["org_id"], kind, now, _of(row))
            for row in rows
        }
        cursor.executemany(
            "INSERT INTO sync.source_schedules (org_id, adapter, kind, next_at) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT DO NOTHING",
            [(org_id, adapter, kind.value, next_at) for org_id, next_at in times.items()],
        )
    return len(times)


def count_due(connection: Connection[Any], kind: Kind, adapter: str) -> int:
    """Number of orgs that are due and not claimed."""
    row = connection.execute(f"SELECT count(*) {_DUE}", _turns_of(kind, adapter)).fetchone()
    return row[0] if row else 0


def progress_of(connection: Connection[Any], org_id: str, adapter: str) -> list[Progress]:
    """The org's turns at this source, one for each kind."""
    with connection.cursor(row_factory=class_row(Progress)) as cursor:
        return cursor.execute(_PROGRESS, (org_id, adapter)).fetchall()


async def claim_turns(
    connection: AsyncConnection[Any],
    kind: Kind,
    adapter: str,
    holder: str,
    limit: int,
    under_way: Collection[str] = (),
) -> list[Turn]:
    """Lease up to `limit` orgs that are due at this source to `holder`, those that have waited longest first.

    under_way: orgs that the holder is already working on, whether or not their leases are still valid.
    """
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            _CLAIM,
            {
                **_turns_of(kind, adapter),
                "holder": holder,
                "limit": limit,
                "under_way": list(under_way),
                "ttl": LEASE_TTL,
                "poll_every": POLL_EVERY,
                "slack": _SLACK,
            },
        )
        rows = await cursor.fetchall()
    names = ("org_id", "sync_id", "failures", "untransformed", "is_poll")
    return [Turn(adapter=adapter, kind=kind, settings=_of(row), **{name: row[name] for name in names}) for row in rows]


async def keep_turns(connection: AsyncConnection[Any], holder: str) -> None:
    """Extend the holder's leases."""
    await connection.execute(
        "UPDATE sync.source_schedules SET lease_expires_at = now() + %s WHERE holder = %s", (LEASE_TTL, holder)
    )


async def end_turn(connection: AsyncConnection[Any], turn: Turn, holder: str, end: TurnEnd) -> None:
    """Record the outcome of a turn and schedule the next one; no effect if another sweep has taken it over."""
    cursor = await connection.execute("SELECT now() AS now")
    [row] = await cursor.fetchall()
    now = row["now"]  # the database's clock, which also decides when the next turn is due
    failures = turn.failures + 1 if end.error else 0
    usual = next_turn(turn.org_id, turn.kind, now, turn.settings)
    next_at = _retry_at(now, failures, usual, end) if end.error else usual
    await connection.execute(
        "UPDATE sync.source_schedules SET holder = NULL, lease_expires_at = NULL, sync_id = NULL, failures = %s,"
        " error = %s, next_at = %s, untransformed = %s,"
        " succeeded_at = CASE WHEN %s THEN now() ELSE succeeded_at END,"
        " polled_at = CASE WHEN %s THEN attempted_at ELSE polled_at END"
        " WHERE org_id = %s AND adapter = %s AND kind = %s AND holder = %s",
        (
            failures,
            end.error,
            next_at,
            list(end.untransformed) or None,
            end.error is None,
            turn.is_poll and (end.error is None or end.is_partial),
            turn.org_id,
            turn.adapter,
            turn.kind.value,
            holder,
        ),
    )


async def give_up_turns(connection: AsyncConnection[Any], holder: str) -> None:
    """Release the holder's unfinished turns at once, for the next sweep."""
    await connection.execute(
        "UPDATE sync.source_schedules SET holder = NULL, lease_expires_at = NULL WHERE holder = %s", (holder,)
    )


def reschedule(connection: Connection[Any], org_id: str, settings: OrgSettings) -> None:
    """Recompute the org's next turns, at every source, from changed settings."""
    connection.execute(
        "UPDATE sync.source_schedules SET next_at = least(next_at, %s) WHERE org_id = %s AND kind = 'incremental'",
        (next_turn(org_id, Kind.INCREMENTAL, _now(connection), settings), org_id),
    )


def next_turn(org_id: str, kind: Kind, after: datetime, settings: OrgSettings) -> datetime:
    """The org's next scheduled time. A hash gives each org its own offset in the period, which spreads them out."""
    place = zlib.crc32(org_id.encode()) / 2**32
    if kind is Kind.RECONCILE:
        period, offset = timedelta(days=1), NIGHT_BEGINS + place * NIGHT_LASTS
    else:
        period, offset = settings.sync_every, place * settings.sync_every
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + ((after - epoch - offset) // period + 1) * period + offset


def _retry_at(now: datetime, failures: int, usual: datetime, end: TurnEnd) -> datetime:
    wait = min(FIRST_RETRY_AFTER * float(2 ** min(failures - 1, 10)), LONGEST_RETRY_AFTER)
    return min(now + wait, usual) if end.is_partial else now + wait


def _turns_of(kind: Kind, adapter: str) -> dict[str, Any]:
    """Parameters of the statements above: the turns of one kind at one source."""
    return {"kind": kind.value, "adapter": adapter, "streams": names_of_source(adapter)}


def _is_urgent(kind: Kind, row: Mapping[str, Any]) -> bool:
    return kind is Kind.INCREMENTAL and not row["was_synced"]


def _of(row: Mapping[str, Any]) -> OrgSettings:
    names = ("sync_every", "poll_every", "reconcile_within", "streams")
    return OrgSettings(**{name: row[name] for name in names if row.get(name) is not None})


def _now(connection: Connection[Any]) -> datetime:
    with connection.cursor(row_factory=scalar_row) as cursor:
        [now] = cursor.execute("SELECT now()").fetchall()
    return cast(datetime, now)
