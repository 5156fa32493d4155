"""Publish records that arrive singly (by webhook), at once and under the same leases as a sync.

They say nothing about other records, so no watermark moves, and they prove nothing about withheld or missing ones.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

from psycopg import AsyncConnection, Connection, sql
from psycopg.rows import class_row, scalar_row

from openfaith_pipeline.catalog.stream import Strategy, Stream
from openfaith_pipeline.catalog.walk import Page, Record, Route, Walk
from openfaith_pipeline.database.table_names import raw_name
from openfaith_pipeline.load.leases import release
from openfaith_pipeline.load.publishing import Published, publish_stream
from openfaith_pipeline.load.sessions import ARRIVED, Session, SyncRequest, open_beside
from openfaith_pipeline.load.staging import commit_page
from openfaith_pipeline.load.stream_states import keep_states

Row = Mapping[str, Any]
"""A raw row as JSON: timestamps in ISO 8601, `_content_hash` as `\\x...`."""


async def publish_arrivals(
    connection: AsyncConnection[Any],
    request: SyncRequest,
    streams: Sequence[Stream],
    records: Mapping[str, list[Record]],
    gone: Mapping[str, Sequence[str]],
) -> dict[str, Published]:
    """Publish records, and mark rows as deleted, of these streams, in one transaction.

    Raises StreamBusy if a live sync holds one of the streams.
    """
    async with connection.transaction():
        session = await open_beside(connection, request, _walk(streams))
        await commit_page(connection, session, Page(records, {}))
        await keep_states(connection, session.leases, list(session.ids.values()))
        # A payload may omit attributes, which does not mean that the source lacks them.
        session.sightings.clear()
        published = {
            stream.name: await publish_stream(connection, session, stream, gone.get(stream.name, ()))
            for stream in streams
        }
        await _finish(connection, session, published)
    return published


async def present_rows(
    connection: AsyncConnection[Any], org_id: str, stream: Stream, ids: Collection[str]
) -> dict[str, Row]:
    """The published rows with these ids, including those marked deleted."""
    statement = sql.SQL("SELECT id, to_jsonb(present) AS row FROM {} AS present WHERE org_id = %s AND id = ANY(%s)")
    cursor = await connection.execute(statement.format(raw_name(stream)), (org_id, list(ids)))
    return {row["id"]: row["row"] for row in await cursor.fetchall()}


async def deleted_rows(
    connection: AsyncConnection[Any], org_id: str, stream: Stream, ids: Collection[str]
) -> dict[str, datetime]:
    """The times at which rows with these ids were marked deleted, for those that are."""
    cursor = await connection.execute(
        sql.SQL("SELECT id, _deleted_at FROM {} WHERE org_id = %s AND id = ANY(%s) AND _deleted_at IS NOT NULL").format(
            raw_name(stream)
        ),
        (org_id, list(ids)),
    )
    return {row["id"]: row["_deleted_at"] for row in await cursor.fetchall()}


async def rows_naming(
    connection: AsyncConnection[Any],
    org_id: str,
    stream: Stream,
    relationship: str,
    ids: Collection[str],
    *,
    of_type: str,
    most: int,
) -> dict[str, Row]:
    """At most `most` rows, not marked deleted, whose relationship names one of these records of type `of_type`."""
    is_polymorphic = stream.belongs_to.get(relationship, "") is None
    statement = sql.SQL(
        "SELECT id, to_jsonb(present) AS row FROM {} AS present"
        " WHERE org_id = %s AND {} = ANY(%s) AND _deleted_at IS NULL AND {} LIMIT %s"
    ).format(
        raw_name(stream),
        sql.Identifier(f"{relationship}_id"),
        sql.SQL("{} = {}").format(sql.Identifier(f"{relationship}_type"), sql.Literal(of_type))
        if is_polymorphic
        else sql.SQL("true"),
    )
    cursor = await connection.execute(statement, (org_id, list(ids), most))
    return {row["id"]: row["row"] for row in await cursor.fetchall()}


def _walk(streams: Sequence[Stream]) -> Walk:
    return Walk(tuple(map(_route, streams)), tuple(streams))


@cache
def _route(stream: Stream) -> Route:
    return Route(stream, stream.path, (), Strategy.FULL, is_whole=False)


async def _finish(connection: AsyncConnection[Any], session: Session, published: Mapping[str, Published]) -> None:
    for name, counts in published.items():
        await connection.execute(
            "UPDATE sync.stream_syncs SET status = 'succeeded', checkpoint = NULL, finished_at = now(),"
            " fetched = %s, inserted = %s, updated = %s, unchanged = %s, deleted = %s, withheld_by_erasure = %s"
            " WHERE id = %s",
            (
                counts.fetched,
                counts.inserted,
                counts.updated,
                counts.unchanged,
                counts.deleted,
                len(session.withheld.get(name, ())),
                session.ids[name],
            ),
        )
    await release(connection, session.leases)


@dataclass(frozen=True)
class Arrived:
    """Changes of one batch to one stream of an org. id: ascending."""

    id: int
    org_id: str
    stream: str
    sync_id: str
    inserted: int
    updated: int
    deleted: int


COMMITTED_LATE: Final = timedelta(minutes=1)
"""Longer than the transaction of a batch takes, whose ids are given out at its beginning."""

_ARRIVED: Final = """
SELECT id, org_id, stream, sync_id, inserted, updated, deleted FROM sync.stream_syncs
 WHERE id > %s AND id <> ALL(%s) AND mode = %s AND status = 'succeeded' AND inserted + updated + deleted > 0
 ORDER BY id LIMIT %s
"""
_SETTLED: Final = """
SELECT coalesce(max(id), 0) FROM sync.stream_syncs WHERE id = ANY(%s) AND finished_at < now() - %s
"""


@dataclass(frozen=True)
class Reached:
    """How far a reader of arrivals has come: all up to an id, and some after it.

    One with a lower id than those may be committed yet.
    """

    settled: int = 0
    after: tuple[int, ...] = ()


def arrived_after(connection: Connection[Any], reached: Reached, most: int) -> tuple[list[Arrived], Reached]:
    """Batches from webhooks that changed something, beyond those read, oldest first; and how far that reaches."""
    with connection.cursor(row_factory=class_row(Arrived)) as cursor:
        values = (reached.settled, list(reached.after), ARRIVED, most)
        arrived = cursor.execute(_ARRIVED, values).fetchall()
    read = [*reached.after, *(each.id for each in arrived)]
    if not read:
        return [], reached
    with connection.cursor(row_factory=scalar_row) as cursor:
        old = cursor.execute(_SETTLED, (read, COMMITTED_LATE)).fetchone() or 0
    settled = max(reached.settled, old)
    return arrived, Reached(settled, tuple(sorted(id for id in read if id > settled)))
