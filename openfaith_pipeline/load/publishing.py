"""Publish staged rows: a stream's whole sync in one transaction, writing changed rows only."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any, Final

from psycopg import AsyncConnection, sql

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk import Record
from openfaith_pipeline.database.table_names import raw_name, staging_name
from openfaith_pipeline.load.deletions import Verdict
from openfaith_pipeline.load.drift import Sightings, record_drift
from openfaith_pipeline.load.gathering import gather_parents
from openfaith_pipeline.load.left_out import keep_unasked, note_left_out
from openfaith_pipeline.load.links import publish_links
from openfaith_pipeline.load.lost_parents import note_parents_read
from openfaith_pipeline.load.merging import drop_staged_merged, remove_merged
from openfaith_pipeline.load.overtaken import drop_staged_overtaken
from openfaith_pipeline.load.row_merge import merge_rows, write_rows
from openfaith_pipeline.load.sessions import Session, joined_with
from openfaith_pipeline.load.staging import encode_completed, stage
from openfaith_pipeline.load.stream_states import (
    Reading,
    forget_proof,
    keep_states,
    note_reading,
    recount,
    recounting,
)
from openfaith_pipeline.load.tombstones import mark_deleted
from openfaith_pipeline.load.watermarks import follow_watermark, lacks_includes
from openfaith_pipeline.review.held_deletions import hold, let_lapse
from openfaith_pipeline.sources import STREAMS


@dataclass(frozen=True)
class Published:
    """Changes of one publish to a stream, and its number of rows afterwards.

    merged: rows marked deleted because their records were merged into others, of this stream or of the one whose
        mergers it has.
    caught: updated rows whose change came without a new cursor value, so that only a full read could find it.
    """

    fetched: int
    inserted: int
    updated: int
    unchanged: int
    deleted: int
    merged: int
    caught: int
    row_count: int


async def publish(
    connection: AsyncConnection[Any],
    session: Session,
    verdict: Verdict,
) -> dict[str, Published]:
    """Publish every stream of the session, end it and release its leases, in one transaction.

    A stream ends as succeeded, as incomplete if the verdict doubts its completeness or a deletion is held, or as
    withheld if the source may have withheld it. Children of deleted records are deleted with them, and restored with
    them.
    """
    async with connection.transaction():
        await keep_states(connection, session.leases, list(session.ids.values()))
        published = {
            stream.name: await publish_stream(
                connection,
                session,
                stream,
                verdict.deletions.get(stream.name, ()),
            )
            for stream in session.walk.streams
        }
        # Changes under the parents that were left out have yet to be read.
        rotating = {route.lead for route in session.walk.routes if route.is_rotating}
        for lead in session.walk.leads:
            if lead.cursor and lead.name in session.ids and lead not in rotating:
                await follow_watermark(connection, session, lead)
        for route in session.walk.routes:
            for stream in joined_with(route):
                await follow_watermark(connection, session, stream, route.lead if stream.touches_companion else None)
        await note_left_out(connection, session)
        await _finish(connection, session, published, verdict)
        await note_parents_read(connection, session)
        await _restore_children(connection, session, verdict)
        await _settle_deletions(connection, session, verdict)
    return published


async def publish_stream(
    connection: AsyncConnection[Any],
    session: Session,
    stream: Stream,
    deletions: Sequence[str],
) -> Published:
    """Publish the session's staged rows of a stream, and mark rows as deleted, in the caller's transaction."""
    await drop_staged_merged(connection, session, stream)
    await drop_staged_overtaken(connection, session, stream)
    await gather_parents(connection, session, stream)
    keeps_links = await keep_unasked(connection, session, stream)
    counts = await merge_rows(connection, session, stream)
    deleted = await mark_deleted(connection, session.journaled_as, stream, deletions)
    merged = await remove_merged(connection, session, stream)
    fetched, inserted, updated = counts["fetched"], counts["inserted"], counts["updated"]
    # Most syncs find nothing new in most streams. Rows deleted or merged away have lost their links already.
    if (inserted or updated) and not keeps_links:
        await publish_links(connection, session, stream, are_new=not updated)
    await record_drift(connection, session.org_id, stream, session.sightings.get(stream.name, Sightings()))
    return Published(
        fetched=fetched,
        inserted=inserted,
        updated=updated,
        unchanged=fetched - inserted - updated,
        deleted=deleted,
        merged=merged,
        caught=counts["caught"] if session.walk.is_whole else 0,
        row_count=await _unstage(connection, session, stream),
    )


async def _restore_children(connection: AsyncConnection[Any], session: Session, verdict: Verdict) -> None:
    """Publish children that came back with their parents, although their own streams were not read."""
    staged_as = session.ids[session.names[0]]
    for name, records in verdict.returning.items():
        child = STREAMS[name]
        borrowed = replace(session, ids={name: staged_as}, pages=0)
        rows = await encode_completed(connection, borrowed, child, [Record(*each) for each in records])
        await stage(connection, borrowed, child, rows)
        await gather_parents(connection, replace(borrowed, end=None), child)
        await write_rows(connection, borrowed, child)
        await publish_links(connection, borrowed, child)
        await connection.execute(
            sql.SQL("DELETE FROM {} WHERE _stream_sync_id = %s").format(staging_name(child)), (staged_as,)
        )
        await recount(connection, session.org_id, child)
    if verdict.unsettled:
        await forget_proof(connection, session.org_id, verdict.unsettled)


async def _settle_deletions(connection: AsyncConnection[Any], session: Session, verdict: Verdict) -> None:
    """Mark the children of deleted records, and hold deletions that exceed a guard."""
    for name, ids in verdict.under.items():
        if await mark_deleted(connection, session.journaled_as, STREAMS[name], ids):
            await recount(connection, session.org_id, STREAMS[name])
    for name in session.names:
        if name in verdict.held:
            await hold(
                connection,
                session.org_id,
                name,
                ids=verdict.held[name],
                sync_id=session.sync_id,
                reason=verdict.objections[name],
            )
        elif name in verdict.proven:
            await let_lapse(connection, session.org_id, name, session.sync_id)


# A record that stays as it is, read every hour, would else leave an entry each time. The record's row must not have
# been written now: an entry that is older than its row counts as overtaken.
_KNOWN: Final = """
DELETE FROM sync.quarantine AS again USING sync.quarantine AS known
WHERE again.org_id = %(org_id)s AND again.stream = %(stream)s AND again.sync_id = %(sync_id)s
  AND known.org_id = again.org_id AND known.stream = again.stream AND known.sync_id <> again.sync_id
  AND again.resolved_at IS NULL AND known.resolved_at IS NULL
  AND coalesce(known.record_id, '') = coalesce(again.record_id, '')
  AND coalesce(known.field, '') = coalesce(again.field, '') AND known.reason = again.reason
  AND known.record = again.record AND known.parents IS NOT DISTINCT FROM again.parents
  AND NOT EXISTS (SELECT FROM {raw} AS written
      WHERE written.org_id = again.org_id AND written.id = again.record_id AND written._synced_at = now())
RETURNING known.id
"""


async def _known_issues(connection: AsyncConnection[Any], session: Session, stream: Stream) -> list[int]:
    """The entries in quarantine that this session has made anew for the same record and reason; its own are dropped."""
    if not session.is_resumed and stream.name not in session.quarantined:
        return []
    statement = sql.SQL(_KNOWN).format(raw=raw_name(stream))
    asked = {"org_id": session.org_id, "stream": stream.name, "sync_id": session.sync_id}
    return [row["id"] for row in await (await connection.execute(statement, asked)).fetchall()]


async def _unstage(connection: AsyncConnection[Any], session: Session, stream: Stream) -> int:
    """Drop the published rows from staging, and resolve their quarantine entries; returns the stream's live rows.

    Earlier quarantine entries of records that were read again are resolved, except those that hold as they are: other
    remaining problems have new entries.
    """
    known = await _known_issues(connection, session, stream)
    cursor = await connection.execute(
        _unstage_statement(stream),
        {
            "id": session.ids[stream.name],
            "org_id": session.org_id,
            "stream": stream.name,
            "sync_id": session.sync_id,
            "is_whole": session.walk.is_whole,
            "known": known,
            "was_counted": False,
        },
    )
    row = await cursor.fetchone()
    return row["row_count"] if row else 0


@cache
def _unstage_statement(stream: Stream) -> bytes:
    statement = sql.SQL(
        "WITH unstaged AS (DELETE FROM {staging} WHERE _stream_sync_id = %(id)s RETURNING id), settled AS ("
        "UPDATE sync.quarantine SET resolved_at = now()"
        " WHERE org_id = %(org_id)s AND stream = %(stream)s AND resolved_at IS NULL AND sync_id <> %(sync_id)s"
        " AND (%(is_whole)s OR record_id IN (SELECT id FROM unstaged)) AND id <> ALL(%(known)s::bigint[])),"
        " counted AS ({recount})"
        " SELECT row_count FROM counted"
    )
    return statement.format(staging=staging_name(stream), recount=recounting(stream)).as_bytes()


_END: Final = """
UPDATE sync.stream_syncs SET status = %(status)s, error = %(error)s, checkpoint = NULL, finished_at = now(),
    fetched = %(fetched)s, inserted = %(inserted)s, updated = %(updated)s, unchanged = %(unchanged)s,
    deleted = %(deleted)s, merged = %(merged)s, caught = %(caught)s, requests = requests + %(requests)s,
    withheld_by_erasure = %(withheld_by_erasure)s
WHERE id = %(id)s
"""


async def _finish(
    connection: AsyncConnection[Any], session: Session, published: Mapping[str, Published], verdict: Verdict
) -> None:
    for stream in session.walk.streams:
        name, counts = stream.name, published[stream.name]
        ended = {
            **asdict(counts),
            "status": verdict.status(name),
            "error": verdict.reason(name),
            "requests": verdict.requests if name == session.names[0] else 0,
            "withheld_by_erasure": len(session.withheld.get(name, ())),
            "id": session.ids[name],
        }
        await connection.execute(_END, ended)
        availability, reason = _availability(stream, counts, verdict)
        reading = Reading(
            availability=availability,
            reason=reason,
            row_count=counts.row_count,
            read_from=None if lacks_includes(session, stream) else session.started_at,
            is_path_there=stream.path in session.walk.paths,
            is_proven=name in verdict.proven,
        )
        await note_reading(connection, session.org_id, name, reading)


def _availability(stream: Stream, counts: Published, verdict: Verdict) -> tuple[str, str | None]:
    if stream.name in verdict.withheld:
        return "withheld", verdict.withheld[stream.name]
    if stream.product.hides_what_is_forbidden and counts.fetched == 0 and counts.row_count == 0:
        return (
            "silent",
            f"{stream.product.value} returns no rows both where there are none and where they may not be read",
        )
    return "available", None
