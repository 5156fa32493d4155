"""Snapshots of all rows of all journaled tables, for comparisons of before and after."""

from typing import Any

from psycopg import Connection, sql

from openfaith_pipeline.journal import JournaledTable
from openfaith_pipeline_tests.integration.replay import journaled_tables, with_rows

Snapshot = dict[str, list[str]]


def snapshot(connection: Connection[Any], schema: str = "public") -> Snapshot:
    """By table, the text of each row, sorted; tables without rows left out."""
    written = with_rows(connection, journaled_tables(schema))
    taken = {table.full_name: _rows(connection, table) for table in written}
    return {name: rows for name, rows in taken.items() if rows}


def _rows(connection: Connection[Any], table: JournaledTable) -> list[str]:
    statement = sql.SQL("SELECT present::text FROM {} AS present").format(table.identifier)
    return sorted(row for (row,) in connection.execute(statement).fetchall())


def states(connection: Connection[Any]) -> list[tuple[Any, ...]]:
    """How far each stream is, its leases aside."""
    return connection.execute(
        "SELECT org_id, stream, watermark, last_full_at, last_succeeded_at, read_from, row_count, availability"
        " FROM sync.stream_states ORDER BY 1, 2"
    ).fetchall()


def differing(one: Snapshot, other: Snapshot) -> list[str]:
    """The tables in which two snapshots differ."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
