"""Combine the parents of a record that several parents list into one row.

Each listing stages the record with its own parents. Before publishing, the staged versions of a record are combined
into one row: content from the page read last, the parent of each kind from whichever listing had it, and all parents of
one kind in a link table if the stream declares one. The result depends on which parents list the record, not on the
order in which they were read. Parents that this walk has not certainly visited are kept from the existing row.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any, Final

from psycopg import AsyncConnection, sql

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database.table_names import raw_name, staging_name
from openfaith_pipeline.journal import link_rows
from openfaith_pipeline.load.sessions import Session

# `told` has a row for each page that held the record, and one for its published row where that counts.
_GATHER: Final = """
WITH versions AS (
    SELECT ctid AS place, id, {columns},
        row_number() OVER (PARTITION BY id ORDER BY _page DESC, _position DESC) AS age
    FROM {staging} WHERE _stream_sync_id = %(id)s
), told AS (
    SELECT id, {columns}, false AS is_known FROM versions
    UNION ALL
    SELECT id, {known}, true FROM {raw} AS present
    WHERE org_id = %(org_id)s AND _deleted_at IS NULL AND id IN (SELECT id FROM versions)
), parents AS (
    SELECT id, {first} FROM told GROUP BY id
) {listers}, repeated AS (
    DELETE FROM {staging} AS target USING versions WHERE target.ctid = versions.place AND versions.age > 1
)
UPDATE {staging} AS target SET {assignments},
    _content_hash = substring(sha256(target._content_hash || convert_to(jsonb_build_array({all})::text, 'UTF8')) FOR 16)
FROM versions JOIN parents USING (id) {joins}
WHERE target.ctid = versions.place AND versions.age = 1
"""

_LISTERS: Final = """
, {name} AS (
    SELECT id, jsonb_agg(related_id ORDER BY length(related_id), related_id COLLATE "C") AS ids FROM (
        SELECT id, {column} AS related_id FROM told WHERE {column} IS NOT NULL
        UNION
        SELECT id, related_id FROM {links}
        WHERE org_id = %(org_id)s AND id IN (SELECT id FROM versions) AND {is_unread}
    ) AS each GROUP BY id
)"""


async def gather_parents(connection: AsyncConnection[Any], session: Session, stream: Stream) -> None:
    """Gather the rows that the session has staged of a stream whose records several parents list.

    In the caller's transaction.
    """
    if stream.listing_kinds:
        asked = {"id": session.ids[stream.name], "org_id": session.org_id, **_read_by(session, stream)}
        await connection.execute(_statement(stream), asked)


def _read_by(session: Session, stream: Stream) -> dict[str, Any]:
    """Parameters: by kind, whether the listings of its parents were read, and the parents with unread listings."""
    ends = session.end.routes if session.end else ()
    read = {
        route.placeholders[-1]: [str(each.parent) for each in ended.left_out]
        for route, ended in zip(session.walk.routes, ends, strict=False)
        if route.lead is stream and route.placeholders and ended.accounts_for_all(route)
    }
    return {
        name: value
        for kind in stream.listing_kinds
        for name, value in ((f"{kind}_read", kind in read), (f"{kind}_out", read.get(kind, [])))
    }


def _is_unread(kind: str, column: sql.Composable) -> sql.Composable:
    """SQL: whether the walk has not read this parent's listing to its end."""
    return sql.SQL("(NOT {} OR {} = ANY({}::text[]))").format(
        sql.Placeholder(f"{kind}_read"), column, sql.Placeholder(f"{kind}_out")
    )


def _known(stream: Stream, name: str) -> sql.Composable:
    """SQL: the row's own parent while that parent's listing is unread; outer parents stay while an inner one does."""
    column = sql.Identifier(f"{name}_id")
    kinds = [name] if name in stream.listing_kinds else stream.listing_kinds
    unread = [
        sql.SQL("({0} IS NOT NULL AND {1})").format(
            sql.Identifier(f"{kind}_id"), _is_unread(kind, sql.Identifier(f"{kind}_id"))
        )
        for kind in kinds
    ]
    return sql.SQL("CASE WHEN {} THEN {} END").format(sql.SQL(" OR ").join(unread), column)


@cache
def _statement(stream: Stream) -> bytes:
    columns = [f"{name}_id" for name in stream.listing_parents]
    tables = {f"{kind}_id": link for link, kind in stream.listed_by.items()}
    return (
        sql.SQL(_GATHER)
        .format(
            columns=_listed(sql.Identifier(column) for column in columns),
            known=_listed(_known(stream, name) for name in stream.listing_parents),
            staging=staging_name(stream),
            raw=raw_name(stream),
            first=_listed(_first(stream, column) for column in columns),
            listers=sql.SQL("").join(_listers(stream, column, link) for column, link in tables.items()),
            assignments=_assignments(columns, tables),
            all=_listed(
                [*(sql.Identifier("parents", column) for column in columns)]
                + [sql.Identifier(f"listers_{link}", "ids") for link in tables.values()]
            ),
            joins=sql.SQL(" ").join(
                sql.SQL("LEFT JOIN {} USING (id)").format(sql.Identifier(f"listers_{link}")) for link in tables.values()
            ),
        )
        .as_bytes()
    )


def _first(stream: Stream, column: str) -> sql.Composable:
    """The column's value in the preferred version.

    A parent of a kind: a parent that was read before one that is known, the first in order of several. A parent's
    parent (the service type of a plan): from the same version as that parent, for the kind declared first.
    """
    kinds = [sql.Identifier(f"{kind}_id") for kind in stream.listing_kinds]
    name = sql.Identifier(column)
    by_kind = [] if name in kinds else [sql.SQL("{} IS NULL").format(kind) for kind in kinds]
    in_order = [_in_order(each) for each in ([name] if name in kinds else [*kinds, name])]
    order = _listed([*by_kind, sql.SQL("is_known"), *in_order])
    return sql.SQL("(array_agg({0} ORDER BY {1}) FILTER (WHERE {0} IS NOT NULL))[1] AS {0}").format(name, order)


def _in_order(column: sql.Identifier) -> sql.Composable:
    """Sort numeric ids by value."""
    return sql.SQL('length({0}), {0} COLLATE "C"').format(column)


def _listers(stream: Stream, column: str, link: str) -> sql.Composable:
    return sql.SQL(_LISTERS).format(
        name=sql.Identifier(f"listers_{link}"),
        column=sql.Identifier(column),
        links=link_rows(stream, link).identifier,
        is_unread=_is_unread(column.removesuffix("_id"), sql.Identifier("related_id")),
    )


def _assignments(columns: list[str], tables: dict[str, str]) -> sql.Composable:
    """Assignments of parent columns. With a link table, the column has the first parent that lists the record."""
    values = {
        column: sql.SQL("{} ->> 0").format(sql.Identifier(f"listers_{tables[column]}", "ids"))
        if column in tables
        else sql.Identifier("parents", column)
        for column in columns
    }
    assigned = [sql.SQL("{} = {}").format(sql.Identifier(column), value) for column, value in values.items()]
    if tables:
        pairs = _listed(
            sql.SQL("{}, coalesce({}, '[]')").format(sql.Literal(link), sql.Identifier(f"listers_{link}", "ids"))
            for link in tables.values()
        )
        assigned.append(sql.SQL("_links = coalesce(target._links, '{{}}') || jsonb_build_object({})").format(pairs))
    return _listed(assigned)


def _listed(parts: Iterable[sql.Composable]) -> sql.Composed:
    return sql.SQL(", ").join(parts)
