"""Alignment of the canonical tables with the mappings: missing tables, columns, indexes and comments are added.

Nothing is dropped or changed in type, and tables that the application made before are kept as they are otherwise.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from psycopg import Connection
from sqlalchemy import Column, Index, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateColumn, CreateIndex, CreateTable

from openfaith_pipeline.database.alignment import Live, ddl, read_live
from openfaith_pipeline.database.canonical_tables import canonical_metadata
from openfaith_pipeline.database.comments import align_comments

_DIALECT: Final = postgresql.dialect()  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class CanonicalGap:
    """The missing parts of one table."""

    table: Table
    is_absent: bool
    columns: tuple[Column[Any], ...]
    indexes: tuple[Index, ...]


def find_canonical_gaps(connection: Connection[Any], schema: str) -> list[CanonicalGap]:
    """Everything missing except comments; one query."""
    live = read_live(connection, [schema])
    found = (_gap(table, live) for table in canonical_metadata(schema).sorted_tables)
    return [gap for gap in found if gap is not None]


def align_canonical_tables(connection: Connection[Any], schema: str) -> list[str]:
    """Create missing tables and columns, each table in its own transaction; return the tables that changed."""
    gaps = find_canonical_gaps(connection, schema)
    for gap in gaps:
        with connection.transaction():
            for statement in _statements(gap):
                connection.execute(statement)
    align_comments(connection, canonical_metadata(schema).sorted_tables)
    return [gap.table.name for gap in gaps]


def _gap(table: Table, live: Live) -> CanonicalGap | None:
    columns = live.get(table.fullname)
    if columns is None:
        return CanonicalGap(table, True, (), tuple(table.indexes))
    missing = tuple(column for column in table.columns if column.name not in columns)
    # Other indexes of a table that is there are the application's affair, which may name them otherwise.
    indexes = tuple(index for index in table.indexes if set(index.columns) & set(missing))
    return CanonicalGap(table, False, missing, indexes) if missing else None


def _statements(gap: CanonicalGap) -> Iterator[str]:
    if gap.is_absent:
        yield ddl(CreateTable(gap.table))
    for column in gap.columns:
        yield f"ALTER TABLE {_DIALECT.identifier_preparer.format_table(gap.table)} ADD COLUMN {_addition(column)}"
    for index in gap.indexes:
        yield ddl(CreateIndex(index))


def _addition(column: Column[Any]) -> str:
    """A text that may not be null keeps a default: the previous version inserts rows without it."""
    defined = str(CreateColumn(column).compile(dialect=_DIALECT))
    needs_default = not column.nullable and column.server_default is None
    return f"{defined} DEFAULT ''" if needs_default else defined
