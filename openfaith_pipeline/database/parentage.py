"""Parentless rows: rows of child streams without the parent that they were found under. There should be none."""

from psycopg import sql

from openfaith_pipeline.catalog.stream import Stream


def is_parentless(stream: Stream) -> sql.Composable:
    """SQL condition: the row lacks a parent of every way in which the stream's records are found (`parent_ways`)."""
    ways = [
        sql.SQL("({})").format(
            sql.SQL(" AND ").join(sql.SQL("{} IS NOT NULL").format(sql.Identifier(f"{name}_id")) for name in way)
        )
        for way in stream.parent_ways
    ]
    if not ways:
        return sql.SQL("false")
    # For a single column an index can answer this.
    if len(ways) == 1 and len(stream.parent_ways[0]) == 1:
        return sql.SQL("{} IS NULL").format(sql.Identifier(f"{stream.parent_ways[0][0]}_id"))
    return sql.SQL("NOT ({})").format(sql.SQL(" OR ").join(ways))


def parentless_count(stream: Stream) -> sql.Composable:
    """SQL: the number of parentless rows among those counted; null where the stream's records have no parents."""
    if not stream.parent_ways:
        return sql.SQL("NULL::bigint")
    return sql.SQL("count(*) FILTER (WHERE {})").format(is_parentless(stream))
