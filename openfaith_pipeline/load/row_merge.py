"""Raw rows brought up to the staged ones, in one statement for each stream: changed rows only."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from psycopg import AsyncConnection, sql

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database.table_names import raw_name, staging_name
from openfaith_pipeline.journal import entries_of, link_rows, raw_rows
from openfaith_pipeline.load.lateness import note_lateness
from openfaith_pipeline.load.sessions import Session

FULL_REFRESH: Final = "full_refresh"
"""The mode, as sessions record it, in which rows are compared by value."""


async def merge_rows(connection: AsyncConnection[Any], session: Session, stream: Stream) -> Mapping[str, int]:
    """Merge the staged rows into the raw table; returns the numbers fetched, inserted, updated and caught."""
    asked = {"id": session.ids[stream.name], **session.journaled_as}
    by_value = _is_by_value(session)
    cursor = await connection.execute(_unchanged_statement(stream, by_value), asked)
    row = await cursor.fetchone()
    if row and row["unchanged"] is not None:
        return {"fetched": row["unchanged"], "inserted": 0, "updated": 0, "caught": 0}
    await note_lateness(connection, session, stream)
    return await write_rows(connection, session, stream)


async def write_rows(connection: AsyncConnection[Any], session: Session, stream: Stream) -> Mapping[str, int]:
    """Like `merge_rows`, without first checking whether any row differs."""
    cursor = await connection.execute(
        _merge_statement(stream, _is_by_value(session)), {"id": session.ids[stream.name], **session.journaled_as}
    )
    return await cursor.fetchone() or {}


def _is_by_value(session: Session) -> bool:
    """Whether hashes are not trusted: a row that was changed by hand still has the hash of its record."""
    return session.request.mode == FULL_REFRESH


@cache
def _unchanged_statement(stream: Stream, by_value: bool) -> bytes:
    """Number of staged records if all equal their rows; null as soon as one differs.

    Most syncs find nothing new in most streams, and planning the merge takes a millisecond.
    """
    statement = sql.SQL(
        "SELECT CASE WHEN NOT EXISTS (SELECT FROM {staging} AS incoming"
        " LEFT JOIN {raw} AS present ON present.org_id = %(org_id)s AND present.id = incoming.id"
        " WHERE incoming._stream_sync_id = %(id)s AND {differs})"
        " THEN (SELECT count(DISTINCT id) FROM {staging} WHERE _stream_sync_id = %(id)s) END AS unchanged"
    )
    return statement.format(
        staging=staging_name(stream), raw=raw_name(stream), differs=_differs(stream, by_value)
    ).as_bytes()


_DIFFERS: Final = sql.SQL("""(
    present.id IS NULL OR present._deleted_at IS NOT NULL OR (
        ({by_value} OR present._content_hash <> incoming._content_hash)
        AND (({present}) IS DISTINCT FROM ({incoming}) {links})
    ))""")
_LINKS_DIFFER: Final = sql.SQL("""
OR incoming._links -> {name} <> (
    SELECT coalesce(jsonb_agg(link.related_id ORDER BY link.position), '[]') FROM {links} AS link
    WHERE link.org_id = %(org_id)s AND link.id = incoming.id)""")


@cache
def _differs(stream: Stream, by_value: bool) -> sql.Composable:
    """SQL: whether the row `present` differs from the record `incoming`.

    An unchanged record has another hash if columns were added or retyped since: then values are compared.
    """
    stored = (*stream.columns, "_extra")
    present, incoming = (
        sql.SQL(", ").join(sql.Identifier(of, name) for name in stored) for of in ("present", "incoming")
    )
    links = [
        _LINKS_DIFFER.format(name=sql.Literal(name), links=link_rows(stream, name).identifier) for name in stream.links
    ]
    return _DIFFERS.format(
        present=present, incoming=incoming, links=sql.SQL("").join(links), by_value=sql.Literal(by_value)
    )


@cache
def _merge_statement(stream: Stream, by_value: bool) -> bytes:
    """Insert new rows, update those that differ by content hash or were deleted, leave every other row untouched.

    If a record was staged more than once, the page read last counts.
    """
    stored = [*stream.columns, "_extra", "_content_hash"]
    columns = sql.SQL(", ").join(map(sql.Identifier, stored))
    assignments = sql.SQL(", ").join(sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(name)) for name in stored)
    statement = sql.SQL(
        "WITH incoming AS ("
        " SELECT DISTINCT ON (id) id, {columns} {links} FROM {staging} WHERE _stream_sync_id = %(id)s"
        " ORDER BY id, _page DESC, _position DESC"
        "), changed AS ("
        " SELECT incoming.*, present.id IS NOT NULL AS is_present, {is_caught} AS is_caught FROM incoming"
        " LEFT JOIN {raw} AS present ON present.org_id = %(org_id)s AND present.id = incoming.id"
        " WHERE {differs}"
        "), written AS ("
        " INSERT INTO {raw} AS target (org_id, id, {columns}, _first_seen_at, _synced_at, _sync_id)"
        " SELECT %(org_id)s, id, {columns}, now(), now(), %(sync_id)s FROM changed"
        " ON CONFLICT (org_id, id) DO UPDATE SET {assignments},"
        " _synced_at = EXCLUDED._synced_at, _deleted_at = NULL, _sync_id = EXCLUDED._sync_id"
        " RETURNING target.*"
        "), journal AS ({entries})"
        " SELECT (SELECT count(*) FROM incoming) AS fetched,"
        " count(*) FILTER (WHERE NOT is_present) AS inserted, count(*) FILTER (WHERE is_present) AS updated,"
        " count(*) FILTER (WHERE is_caught) AS caught FROM changed"
    )
    return statement.format(
        columns=columns,
        links=sql.SQL(", _links") if stream.links else sql.SQL(""),
        staging=staging_name(stream),
        raw=raw_name(stream),
        differs=_differs(stream, by_value),
        assignments=assignments,
        entries=entries_of(raw_rows(stream)),
        is_caught=_is_caught(stream),
    ).as_bytes()


def _is_caught(stream: Stream) -> sql.Composable:
    """SQL: whether a row changed although its cursor did not. False for streams without a cursor."""
    if stream.cursor is None:
        return sql.SQL("false")
    return sql.SQL("present._deleted_at IS NULL AND present.{cursor} = incoming.{cursor}").format(
        cursor=sql.Identifier(stream.cursor)
    )
