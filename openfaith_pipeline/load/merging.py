"""Raw rows of records that were merged into others: marked deleted as soon as their merger is known.

From then on the source answers 404 for such a record. A page read before the merge may still contain it, so its staged
version is dropped. Its children are not deleted: they belong to the survivor now, and show that when they are read
again.
"""

from functools import cache
from typing import Any

from psycopg import AsyncConnection, sql

from openfaith_pipeline.catalog.mergers import survivors_of
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database.table_names import raw_name, staging_name
from openfaith_pipeline.load.leases import lock_stream
from openfaith_pipeline.load.sessions import Session
from openfaith_pipeline.load.stream_states import recount
from openfaith_pipeline.load.tombstones import mark_deleted
from openfaith_pipeline.sources import STREAMS

CAUSE = "merge"


async def drop_staged_merged(connection: AsyncConnection[Any], session: Session, stream: Stream) -> None:
    """Drop staged records that are known to be merged away, if the merger has been published."""
    for mergers in _mergers_of(stream):
        staged = sql.SQL("present.id IN (SELECT id FROM {} WHERE _stream_sync_id = %(id)s)").format(
            staging_name(stream)
        )
        asked = {"org_id": session.org_id, "id": session.ids[stream.name]}
        gone = await _merged_away(connection, mergers, stream, staged, asked)
        if gone:
            await connection.execute(
                sql.SQL("DELETE FROM {} WHERE _stream_sync_id = %s AND id = ANY(%s)").format(staging_name(stream)),
                (session.ids[stream.name], gone),
            )


async def remove_merged(connection: AsyncConnection[Any], session: Session, stream: Stream) -> int:
    """Mark rows of merged records deleted: rows of the stream, or of the stream whose mergers it has.

    Returns their number. In the caller's transaction, after the stream's rows are written.
    """
    removed = 0
    for mergers in _mergers_of(stream):
        removed += await _remove(connection, session, mergers, stream)
    if stream.merging:
        target = STREAMS[stream.merging.target]
        # Its syncs hold this lock from their first write on, so either they see these mergers or we see their rows.
        await lock_stream(connection, session.org_id, target.name)
        count = await _remove(connection, session, stream, target)
        if count:
            await recount(connection, session.org_id, target)
        removed += count
    return removed


async def _remove(connection: AsyncConnection[Any], session: Session, mergers: Stream, target: Stream) -> int:
    live = sql.SQL("present._deleted_at IS NULL")
    gone = await _merged_away(connection, mergers, target, live, {"org_id": session.org_id})
    return await mark_deleted(connection, {**session.journaled_as, "cause": CAUSE}, target, gone)


async def _merged_away(
    connection: AsyncConnection[Any], mergers: Stream, target: Stream, condition: sql.Composable, asked: dict[str, Any]
) -> list[str]:
    """Ids of rows `present` of the target that meet the condition and whose records were merged away."""
    merging = mergers.merging
    assert merging  # noqa: S101 - only streams of mergers come here
    names = {"raw": raw_name(mergers), "kept": sql.Identifier(merging.kept), "removed": sql.Identifier(merging.removed)}
    named = sql.SQL(
        "SELECT DISTINCT merger.{removed} AS id FROM {raw} AS merger JOIN {target} AS present"
        " ON present.org_id = merger.org_id AND present.id = merger.{removed}"
        " WHERE merger.org_id = %(org_id)s AND {condition}"
    ).format(target=raw_name(target), condition=condition, **names)
    cursor = await connection.execute(named, asked)
    candidates = [row["id"] for row in await cursor.fetchall()]
    if not candidates:
        return []
    told = sql.SQL(
        "SELECT {kept} AS kept, {removed} AS removed FROM {raw} WHERE org_id = %(org_id)s"
        " AND {kept} IS NOT NULL AND {removed} IS NOT NULL"
        ' ORDER BY created_at NULLS FIRST, length(id), id COLLATE "C"'
    ).format(**names)
    cursor = await connection.execute(told, asked)
    survivors = survivors_of([(row["kept"], row["removed"]) for row in await cursor.fetchall()])
    return [candidate for candidate in candidates if candidate in survivors]


@cache
def _mergers_of(stream: Stream) -> tuple[Stream, ...]:
    """The streams with mergers of this one's records."""
    return tuple(each for each in STREAMS.values() if each.merging and each.merging.target == stream.name)
