"""Rows of child streams whose parent is lost: no parent is named, or the one that is named is not there."""

from typing import Any, Final, NamedTuple

from psycopg import Connection, sql
from psycopg.rows import tuple_row

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database.parentage import is_parentless
from openfaith_pipeline.database.table_names import raw_name
from openfaith_pipeline.sources import STREAMS

_LOST: Final = """
SELECT count(*) AS number, (array_agg(id ORDER BY length(id), id))[:%(most)s] AS examples FROM {table}
WHERE org_id = %(org_id)s AND _deleted_at IS NULL AND {is_lost}
"""
# If a parent stream has no rows, nothing is known of the parents.
_IS_LIVE: Final = """
({column} IS NOT NULL AND (NOT EXISTS (SELECT FROM {parents} AS parent WHERE parent.org_id = {rows}.org_id)
 OR EXISTS (SELECT FROM {parents} AS parent
     WHERE parent.org_id = {rows}.org_id AND parent.id = {rows}.{column} AND parent._deleted_at IS NULL)))
"""


class Orphans(NamedTuple):
    """The number of rows, and the first of their ids."""

    number: int
    examples: list[str]


def find_parentless(connection: Connection[Any], org_id: str, stream: Stream, most: int) -> Orphans:
    """Live rows of the stream that name no parent."""
    return _find(connection, org_id, stream, is_parentless(stream), most)


def find_orphaned(connection: Connection[Any], org_id: str, stream: Stream, most: int) -> Orphans:
    """Live rows of the stream that name parents, all of which are gone or marked deleted."""
    names = list(dict.fromkeys(way[-1] for way in stream.parent_ways))
    if not names:
        return Orphans(0, [])
    columns = [sql.SQL("{}").format(sql.Identifier(f"{name}_id")) for name in names]
    is_lost = sql.SQL("num_nonnulls({}) > 0 AND NOT ({})").format(
        sql.SQL(", ").join(columns),
        sql.SQL(" OR ").join(
            _is_live(stream, column, stream.belongs_to[name]) for name, column in zip(names, columns, strict=True)
        ),
    )
    return _find(connection, org_id, stream, is_lost, most)


def _is_live(stream: Stream, column: sql.Composable, parent: str | None) -> sql.Composable:
    """SQL: whether the parent is live; a parent of an unknown type counts as live."""
    if parent is None:
        return sql.SQL("{} IS NOT NULL").format(column)
    return sql.SQL(_IS_LIVE).format(rows=raw_name(stream), column=column, parents=raw_name(STREAMS[parent]))


def _find(connection: Connection[Any], org_id: str, stream: Stream, is_lost: sql.Composable, most: int) -> Orphans:
    statement = sql.SQL(_LOST).format(table=raw_name(stream), is_lost=is_lost)
    with connection.cursor(row_factory=tuple_row) as cursor:
        number, examples = cursor.execute(statement, {"org_id": org_id, "most": most}).fetchall()[0]
    return Orphans(number, examples or [])
