"""Align the raw and staging tables with the catalog, without losing a value.

Columns are added and change their types; nothing is dropped, and values that do not fit a new type are kept in
`_extra`. docs/decisions/0001-raw-tables-follow-the-catalog.md says why these tables have no migration files.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg import Connection, sql
from sqlalchemy import Column, Index, MetaData, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import (
    CreateColumn,
    CreateIndex,
    CreateSchema,
    CreateTable,
    ExecutableDDLElement,
)

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database.adoption import adopt_extras
from openfaith_pipeline.database.comments import align_comments
from openfaith_pipeline.database.dependent_views import views_set_aside
from openfaith_pipeline.database.raw_tables import RAW_METADATA, tables_of, type_name
from openfaith_pipeline.database.retyping import OLD_TYPES, retype_columns
from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.sources import STREAMS

_TABLES_AT_ONCE: Final = 100  # per transaction, which holds a lock for each table, index and TOAST table
_DIALECT: Final = postgresql.dialect()  # type: ignore[no-untyped-call]

# Our relations with the types of their columns; indexes are relations too.
_LIVE: Final = """
SELECT n.nspname || '.' || c.relname, jsonb_object_agg(a.attname, format_type(a.atttypid, a.atttypmod))
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'p', 'i')
GROUP BY 1
"""

Live = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Gap:
    """Differences of one table from its declaration. old_types: current types of columns declared with another one."""

    stream: Stream
    table: Table
    is_absent: bool
    columns: tuple[Column[Any], ...]
    old_types: Mapping[str, str]
    indexes: tuple[Index, ...]


def find_gaps(
    connection: Connection[Any], streams: Iterable[Stream] | None = None, metadata: MetaData = RAW_METADATA
) -> list[Gap]:
    """Differences for these streams (default: the whole catalog), found with one query.

    Raises ConfigurationError if one of our own columns has another type.
    """
    declared = [
        (stream, table)
        for stream in (STREAMS.values() if streams is None else streams)
        for table in tables_of(stream, metadata)
    ]
    schemas = sorted({str(table.schema) for _, table in declared})
    live = read_live(connection, schemas)
    gaps = (_gap(stream, table, live) for stream, table in declared)
    return [gap for gap in gaps if gap is not None]


def align_raw_tables(
    connection: Connection[Any], streams: Iterable[Stream] | None = None, metadata: MetaData = RAW_METADATA
) -> list[str]:
    """Create missing tables and columns, each existing table in its own transaction; returns the changed tables.

    A new or retyped column takes over its values from `_extra`, in the table's rows and in the journal; values that do
    not fit its type are in `_extra` afterwards.
    """
    streams = list(STREAMS.values() if streams is None else streams)
    gaps = find_gaps(connection, streams, metadata)
    absent = [gap for gap in gaps if gap.is_absent]
    for start in range(0, len(absent), _TABLES_AT_ONCE):
        with connection.transaction():
            connection.execute("; ".join(_creation(absent[start : start + _TABLES_AT_ONCE])))
    for gap in gaps:
        if not gap.is_absent:
            with connection.transaction():
                _extend(connection, gap)
    align_comments(connection, (table for stream in streams for table in tables_of(stream, metadata)))
    return [gap.table.fullname for gap in gaps]


def read_live(connection: Connection[Any], schemas: Sequence[str]) -> Live:
    """The relations of these schemas by full name, each with its columns' types."""
    return dict(connection.execute(_LIVE, (list(schemas),)).fetchall())


def _gap(stream: Stream, table: Table, live: Live) -> Gap | None:
    columns = live.get(table.fullname)
    if columns is None:
        return Gap(stream, table, True, (), {}, tuple(table.indexes))
    missing = tuple(column for column in table.columns if column.name not in columns)
    indexes = tuple(index for index in table.indexes if f"{table.schema}.{index.name}" not in live)
    old_types = _old_types(stream, table, columns)
    return Gap(stream, table, False, missing, old_types, indexes) if missing or old_types or indexes else None


def _old_types(stream: Stream, table: Table, live: Mapping[str, str]) -> dict[str, str]:
    declared = {column.name: type_name(column.type) for column in table.columns if column.name in live}
    old = {name: live[name] for name, type_ in declared.items() if live[name] != type_}
    is_of_records = table.fullname not in {f"{stream.schema}.{name}" for name in stream.links.values()}
    for name, type_ in old.items():
        if not (is_of_records and name in stream.columns and type_ in OLD_TYPES):
            raise ConfigurationError(
                f"{table.fullname}.{name} is {type_} in the database and {declared[name]} in the catalog:"
                " this change of type needs a migration file"
            )
    return old


def _creation(gaps: Sequence[Gap]) -> list[str]:
    schemas = {str(gap.table.schema): CreateSchema(str(gap.table.schema), if_not_exists=True) for gap in gaps}
    return [
        *map(ddl, schemas.values()),
        *(ddl(CreateTable(gap.table)) for gap in gaps),
        *(ddl(CreateIndex(index)) for gap in gaps for index in gap.indexes),
    ]


def _extend(connection: Connection[Any], gap: Gap) -> None:
    if gap.old_types:
        with views_set_aside(connection, gap.table.fullname):
            retype_columns(connection, gap.stream, gap.table, gap.old_types)
    if gap.columns:
        _add_columns(connection, gap)
    for index in gap.indexes:
        connection.execute(ddl(CreateIndex(index)))


def _add_columns(connection: Connection[Any], gap: Gap) -> None:
    table = sql.Identifier(str(gap.table.schema), gap.table.name)
    added = ", ".join(f"ADD COLUMN {CreateColumn(column).compile(dialect=_DIALECT)}" for column in gap.columns)
    connection.execute(sql.SQL("ALTER TABLE {} {}").format(table, sql.SQL(added)))
    adopt_extras(connection, gap.stream, gap.table, {column.name for column in gap.columns})


def ddl(statement: ExecutableDDLElement) -> str:
    """The statement as Postgres reads it."""
    return str(statement.compile(dialect=_DIALECT))
