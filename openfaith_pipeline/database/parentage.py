"""Parentless rows: rows of child streams without the parent that they were found under. There should be none."""

from collections.abc import Iterable, Iterator
from typing import Final

from psycopg import sql

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database.table_names import raw_name
from openfaith_pipeline.sources import STREAMS


def is_parentless(stream: Stream) -> sql.Composable:
    """SQL condition on the raw table, unaliased: the row lacks a parent for every way in which its record is found."""
    if not stream.parent_ways:
        return sql.SQL("false")
    ways = [*(_names_all(way) for way in stream.parent_ways), *_ways_of_owner(stream)]
    # For a single column an index can answer this.
    if len(ways) == 1 and len(stream.parent_ways[0]) == 1:
        return sql.SQL("{} IS NULL").format(sql.Identifier(f"{stream.parent_ways[0][0]}_id"))
    return sql.SQL("NOT ({})").format(sql.SQL(" OR ").join(ways))


def _names_all(way: Iterable[str], *table: str) -> sql.Composable:
    """SQL: whether the row has every relationship of the way."""
    columns = (sql.Identifier(*table, f"{name}_id") for name in way)
    return sql.SQL("({})").format(sql.SQL(" AND ").join(sql.SQL("{} IS NOT NULL").format(each) for each in columns))


_OWNED: Final = sql.SQL("""
({named} AND EXISTS (SELECT FROM {owners} AS owner
  WHERE owner.org_id = {rows}.org_id AND owner.id = {rows}.{owner_id} AND {found}))
""")


def _ways_of_owner(stream: Stream) -> Iterator[sql.Composable]:
    """Ways through an owner that is found in more ways than the one in the path of the records included with it.

    The notes of a plan's item have a plan. Those of a template's item have none: there the item must be a template's.
    """
    if not stream.carried_as or not stream.parent:
        return
    owner, relationship = STREAMS[stream.parent], stream.placeholders[-1]
    for found in owner.parent_ways:
        way = (*(name for name in found if name in stream.belongs_to), relationship)
        if way not in stream.parent_ways:
            yield _OWNED.format(
                named=_names_all(way),
                owners=raw_name(owner),
                rows=raw_name(stream),
                owner_id=sql.Identifier(f"{relationship}_id"),
                found=_names_all(found, "owner"),
            )


def parentless_count(stream: Stream) -> sql.Composable:
    """SQL: the number of parentless rows among those counted; null if the stream's records have no parents."""
    if not stream.parent_ways:
        return sql.SQL("NULL::bigint")
    return sql.SQL("count(*) FILTER (WHERE {})").format(is_parentless(stream))
