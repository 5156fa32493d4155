"""Answers with silence: no record and no refusal, from a product that hides records that the user may not read.

Such an answer alone does not show whether everything was deleted or nothing may be read.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection, sql

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk import Route, Walk
from openfaith_pipeline.database.table_names import raw_name, staging_name
from openfaith_pipeline.journal import link_rows
from openfaith_pipeline.load.deletions import account
from openfaith_pipeline.load.sessions import Session
from openfaith_pipeline.sources import STREAMS


class Silence(NamedTuple):
    """A stream that has rows, but returned no record when read whole. reason: why it is called withheld."""

    rows: int
    reason: str


class SilentParent(NamedTuple):
    """A parent whose listing returned no record, although we have rows that it listed.

    ids: of those rows. counted: how many its own row says that it has, None if that says nothing.
    shown: number of other parents of the route that show records.
    """

    id: str
    ids: Sequence[str]
    counted: int | None
    shown: int


async def find_silent(connection: AsyncConnection[Any], session: Session) -> dict[str, Silence]:
    """Streams that are silent altogether, by name."""
    silent: dict[str, Silence] = {}
    for stream in session.walk.streams:
        if not stream.product.hides_what_is_forbidden or not _is_shown_whole(session.walk, stream):
            continue
        if any(await account(connection, session, stream)):
            continue
        rows = await _live_rows(connection, session.org_id, stream)
        if rows:
            silent[stream.name] = Silence(
                rows,
                f"{stream.product.value} returned no record of {stream.name} and no refusal, which may mean"
                f" that it may not be read; the {rows} existing rows stay as they are",
            )
    return silent


async def with_rows(connection: AsyncConnection[Any], org_id: str, streams: Sequence[Stream]) -> list[Stream]:
    """The streams that have live rows."""
    return [stream for stream in streams if await _live_rows(connection, org_id, stream)]


def _is_shown_whole(walk: Walk, stream: Stream) -> bool:
    routes = [route for route in walk.routes if stream in route.streams]
    return bool(routes) and all(route.is_whole for route in routes)


async def _live_rows(connection: AsyncConnection[Any], org_id: str, stream: Stream) -> int:
    cursor = await connection.execute(_count_statement(stream), (org_id,))
    row = await cursor.fetchone()
    return row["rows"] if row else 0


@cache
def _count_statement(stream: Stream) -> bytes:
    statement = sql.SQL("SELECT count(*) AS rows FROM {} WHERE org_id = %s AND _deleted_at IS NULL")
    return statement.format(raw_name(stream)).as_bytes()


_SILENT_PARENTS: Final = """
WITH known AS (
    SELECT {column} AS parent, id FROM {raw} WHERE org_id = %(org_id)s AND _deleted_at IS NULL {listers}
), shown AS (
    SELECT DISTINCT {column} AS parent FROM {staging} WHERE _stream_sync_id = %(id)s AND {column} IS NOT NULL
)
SELECT known.parent, array_agg(known.id ORDER BY known.id) AS ids, {counted} AS counted,
    (SELECT count(*) FROM shown) AS shown
FROM known JOIN {parents} AS parent
    ON parent.org_id = %(org_id)s AND parent.id = known.parent AND parent._deleted_at IS NULL
WHERE known.parent NOT IN (SELECT parent FROM shown) AND known.parent <> ALL(%(left_out)s)
GROUP BY known.parent, counted ORDER BY known.parent
"""


async def find_silent_parents(
    connection: AsyncConnection[Any], session: Session, route: Route, left_out: Sequence[str]
) -> list[SilentParent]:
    """Silent parents of a route that was read under all its parents. left_out: those that could not be read."""
    statement = _silent_statement(route.lead, route.placeholders[-1])
    asked = {"org_id": session.org_id, "id": session.ids[route.lead.name], "left_out": list(left_out)}
    rows = await (await connection.execute(statement, asked)).fetchall()
    return [SilentParent(row["parent"], row["ids"], row["counted"], row["shown"]) for row in rows]


@cache
def _silent_statement(stream: Stream, relationship: str) -> bytes:
    links = [link for link, kind in stream.listed_by.items() if kind == relationship]
    listers = [
        sql.SQL(" UNION SELECT related_id, id FROM {} WHERE org_id = %(org_id)s").format(
            link_rows(stream, link).identifier
        )
        for link in links
    ]
    counted = stream.counted_by.get(relationship)
    return (
        sql.SQL(_SILENT_PARENTS)
        .format(
            column=sql.Identifier(f"{relationship}_id"),
            raw=raw_name(stream),
            listers=sql.SQL("").join(listers),
            staging=staging_name(stream),
            counted=sql.Identifier("parent", counted) if counted else sql.SQL("NULL::bigint"),
            parents=raw_name(STREAMS[stream.belongs_to[relationship] or ""]),
        )
        .as_bytes()
    )
