"""Plans: walks that were read and judged, and wait in staging until somebody publishes them."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection, Connection, sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk import RESUMABLE_FOR, End, Walk
from openfaith_pipeline.catalog.written_walk import read_walk, write_walk
from openfaith_pipeline.database.table_names import raw_name, staging_name
from openfaith_pipeline.errors import PlanStale, StreamBusy, UsageError
from openfaith_pipeline.load.deletions import Verdict
from openfaith_pipeline.load.leases import lock_holders, release
from openfaith_pipeline.load.publishing import Published
from openfaith_pipeline.load.sessions import Session
from openfaith_pipeline.load.sync_log import PUBLISHED
from openfaith_pipeline.sources import STREAMS


@dataclass(frozen=True)
class PlannedStream:
    """A stream of one org in a plan."""

    org_id: str
    stream: str
    started_at: datetime


@dataclass(frozen=True)
class Plan:
    """A waiting plan. streams: of all its orgs, in the order in which they were read."""

    sync_id: str
    mode: str
    planned_at: datetime
    streams: tuple[PlannedStream, ...]


@dataclass(frozen=True)
class PlannedWalk:
    """A walk of a plan, as stored.

    streams: their names. walk: None if this version reads them otherwise than the one that planned.
    """

    streams: Sequence[str]
    walk: Walk | None
    verdict: Verdict


async def keep_planned(
    connection: AsyncConnection[Any], session: Session, verdict: Verdict, published: Mapping[str, Published]
) -> None:
    """Keep the session in staging with its expected result, and release its leases; in the caller's transaction."""
    for name, counts in published.items():
        # The verdict may have added to the end of the walk.
        read = {"end": asdict(session.end or End()), "walk": write_walk(session.walk)}
        kept = {"verdict": asdict(verdict), **read} if name == session.names[0] else {}
        await connection.execute(
            "UPDATE sync.stream_syncs SET status = 'planned', finished_at = now(), error = %s, fetched = %s,"
            " inserted = %s, updated = %s, unchanged = %s, deleted = %s, merged = %s, checkpoint = checkpoint || %s"
            " WHERE id = %s",
            (
                verdict.reason(name),
                counts.fetched,
                counts.inserted,
                counts.updated,
                counts.unchanged,
                counts.deleted,
                counts.merged,
                Jsonb(kept),
                session.ids[name],
            ),
        )
    await release(connection, session.leases)


async def planned_walks(
    connection: AsyncConnection[Any], org_id: str, sync_id: str, streams: Sequence[Stream]
) -> list[PlannedWalk]:
    """The waiting walks of a plan, in the order in which they were read: parents before children."""
    cursor = await connection.execute(
        "SELECT checkpoint FROM sync.stream_syncs WHERE sync_id = %s AND org_id = %s AND stream = ANY(%s)"
        " AND status = 'planned' AND checkpoint IS NOT NULL ORDER BY id",
        (sync_id, org_id, [stream.name for stream in streams]),
    )
    stored = [row["checkpoint"] for row in await cursor.fetchall()]
    return [
        PlannedWalk(
            each["signature"]["streams"], read_walk(each.get("walk", {}), STREAMS), _verdict_of(each["verdict"])
        )
        for each in stored
    ]


def _verdict_of(stored: Mapping[str, Any]) -> Verdict:
    """The stored verdict, without fields of older versions: such a walk's signature will not match either."""
    return Verdict(**{each.name: stored[each.name] for each in fields(Verdict) if each.name in stored})


def is_plan(connection: Connection[Any], sync_id: str) -> bool:
    """Whether the sync was planned: it publishes staged rows and fetches nothing."""
    row = connection.execute("SELECT planned_at IS NOT NULL FROM sync.syncs WHERE sync_id = %s", (sync_id,)).fetchone()
    return bool(row and row[0])


def end_planning(connection: Connection[Any], sync_id: str, error: str | None) -> None:
    """Record that a plan is complete; error: the parts that could not be planned."""
    connection.execute(
        "UPDATE sync.syncs SET status = 'planned', planned_at = now(), finished_at = now(), error = %s"
        " WHERE sync_id = %s",
        (error, sync_id),
    )


def find_plan(connection: Connection[Any], sync_id: str) -> Plan:
    """The waiting plan with this id. Raises UsageError if there is none or nothing of it is left to publish."""
    row = connection.execute(
        "SELECT mode, planned_at, status FROM sync.syncs WHERE sync_id = %s AND planned_at IS NOT NULL", (sync_id,)
    ).fetchone()
    if row is None:
        raise UsageError(f"there is no plan {sync_id!r}; `openfaith-pipeline sync ORG_ID --plan` creates one")
    mode, planned_at, status = row
    streams = _planned_streams(connection, sync_id)
    if not streams:
        how = {"succeeded": "was applied", "discarded": "was discarded"}.get(status, "has nothing left to publish")
        raise UsageError(f"the plan {sync_id} {how}; make a new one: openfaith-pipeline sync ORG_ID --plan")
    return Plan(sync_id, mode, planned_at, tuple(streams))


def _planned_streams(connection: Connection[Any], sync_id: str) -> list[PlannedStream]:
    with connection.cursor(row_factory=class_row(PlannedStream)) as cursor:
        return cursor.execute(
            "SELECT org_id, stream, started_at FROM sync.stream_syncs WHERE sync_id = %s AND status = 'planned'"
            " ORDER BY id",
            (sync_id,),
        ).fetchall()


def check_plan(connection: Connection[Any], plan: Plan) -> None:
    """Raise PlanStale if the plan is too old or its streams were synced since."""
    oldest = min(stream.started_at for stream in plan.streams)
    row = connection.execute("SELECT now() - %s > %s", (oldest, RESUMABLE_FOR)).fetchone()
    _refuse_age(plan.sync_id, is_too_old=bool(row and row[0]))
    for planned in plan.streams:
        if (by := _overtaken_by(connection, plan.sync_id, planned)) is not None:
            raise PlanStale(_overtaken(plan.sync_id, planned.stream, planned.org_id, by))


async def check_session(connection: AsyncConnection[Any], session: Session) -> None:
    """Raise PlanStale for an opened session as `check_plan` does; its leases keep the result valid."""
    cursor = await connection.execute("SELECT now() - %s > %s AS is_old", (session.started_at, RESUMABLE_FOR))
    row = await cursor.fetchone()
    _refuse_age(session.sync_id, is_too_old=bool(row and row["is_old"]))
    for stream in session.walk.streams:
        asked = _asked(session.sync_id, PlannedStream(session.org_id, stream.name, session.started_at))
        row = await (await connection.execute(_overtaken_statement(stream), asked)).fetchone()
        if row is not None:
            raise PlanStale(_overtaken(session.sync_id, stream.name, session.org_id, row["overtaken_by"]))


_DISCARD: Final = """
UPDATE sync.syncs SET status = 'discarded', finished_at = now() WHERE sync_id = %s AND planned_at IS NOT NULL
"""


def discard_plan(connection: Connection[Any], sync_id: str) -> int:
    """Discard a plan and its staged rows; returns the number of streams.

    Raises StreamBusy while it is being applied.
    """
    plan = find_plan(connection, sync_id)
    _give_up(connection, sync_id, plan.streams)
    connection.execute(_DISCARD, (sync_id,))
    return len(plan.streams)


def give_up_old_plans(connection: Connection[Any]) -> int:
    """Discard plans that are too old to apply; returns their number."""
    rows = connection.execute(
        "SELECT DISTINCT sync_id FROM sync.stream_syncs WHERE status = 'planned' AND started_at < now() - %s",
        (RESUMABLE_FOR,),
    ).fetchall()
    given_up = 0
    for (sync_id,) in rows:
        # A plan whose streams are held now is left for the next time. If the process ended before it had recorded the
        # plan, nobody can apply or discard it, but its streams are staged like those of the others.
        with suppress(StreamBusy), connection.transaction():
            _give_up(connection, sync_id, _planned_streams(connection, sync_id))
            connection.execute(_DISCARD, (sync_id,))
            given_up += 1
    return given_up


def _give_up(connection: Connection[Any], sync_id: str, streams: Sequence[PlannedStream]) -> None:
    for org_id in dict.fromkeys(stream.org_id for stream in streams):
        names = [stream.stream for stream in streams if stream.org_id == org_id]
        if held := lock_holders(connection, org_id, names):
            raise StreamBusy(f"{next(iter(held))} of {org_id} is being synced; wait until that is done")
        given_up = connection.execute(
            "UPDATE sync.stream_syncs SET status = 'abandoned', checkpoint = NULL, finished_at = now()"
            " WHERE sync_id = %s AND org_id = %s AND status = 'planned' RETURNING id, stream",
            (sync_id, org_id),
        ).fetchall()
        for identifier, name in given_up:
            if name in STREAMS:
                connection.execute(
                    sql.SQL("DELETE FROM {} WHERE _stream_sync_id = %s").format(staging_name(STREAMS[name])),
                    (identifier,),
                )
        # Records in quarantine are read again by the next sync: nothing was published and no watermark has moved.
        connection.execute(
            "UPDATE sync.quarantine SET resolved_at = now()"
            " WHERE org_id = %s AND sync_id = %s AND stream = ANY(%s) AND resolved_at IS NULL",
            (org_id, sync_id, [name for _, name in given_up]),
        )


def _refuse_age(sync_id: str, *, is_too_old: bool) -> None:
    if is_too_old:
        hours = int(RESUMABLE_FOR.total_seconds() // 3600)
        raise PlanStale(f"the plan {sync_id} is older than {hours} hours; make a new one")


def _overtaken(sync_id: str, stream: str, org_id: str, by: str) -> str:
    return f"{stream} of {org_id} was changed by {by} after the plan {sync_id} was read; make a new plan"


def _overtaken_by(connection: Connection[Any], sync_id: str, planned: PlannedStream) -> str | None:
    if planned.stream not in STREAMS:
        raise PlanStale(f"this version knows no stream {planned.stream}; make a new plan")
    row = connection.execute(_overtaken_statement(STREAMS[planned.stream]), _asked(sync_id, planned)).fetchone()
    return row[0] if row else None


def _asked(sync_id: str, planned: PlannedStream) -> dict[str, Any]:
    return {
        "sync_id": sync_id,
        "org_id": planned.org_id,
        "stream": planned.stream,
        "started_at": planned.started_at,
        "published": list(PUBLISHED),
    }


def _overtaken_statement(stream: Stream) -> sql.Composed:
    """Select a later successful sync, even without changes, or any other later write."""
    return sql.SQL(
        "SELECT overtaken_by FROM ("
        "(SELECT 'sync ' || sync_id AS overtaken_by FROM sync.stream_syncs WHERE org_id = %(org_id)s"
        " AND stream = %(stream)s AND sync_id <> %(sync_id)s AND status = ANY(%(published)s)"
        " AND finished_at > %(started_at)s LIMIT 1)"
        " UNION ALL (SELECT _sync_id FROM {} WHERE org_id = %(org_id)s AND _sync_id <> %(sync_id)s"
        " AND _synced_at > %(started_at)s LIMIT 1)) AS later LIMIT 1"
    ).format(raw_name(stream))
