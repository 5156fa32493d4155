"""The raw and staging tables, each derived from its stream's declaration; nothing here names a stream.

A raw table `<adapter>_people.emails` holds the published rows. Its staging table `staging.people__emails` holds the
pages of running syncs until they are published.
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from openfaith_pipeline.catalog.stream import ColumnType, Stream
from openfaith_pipeline.catalog.words import describe_columns, describe_links, describe_table
from openfaith_pipeline.database.comments import describe
from openfaith_pipeline.database.table_names import STAGING_SCHEMA, staging_table_name
from openfaith_pipeline.sources import STREAMS

LINKS_COLUMN: Final = "_links"
"""Column of a staging table: JSON, to-many relationship -> ids, for the link tables."""

LONGEST_NAME: Final = 63  # bytes; Postgres cuts longer identifiers silently
_DIALECT: Final = postgresql.dialect()  # type: ignore[no-untyped-call]

TYPES: Final[Mapping[ColumnType, TypeEngine[Any]]] = {
    ColumnType.TEXT: Text(),
    ColumnType.INTEGER: BigInteger(),
    ColumnType.FLOAT: Numeric(),  # a double would round numbers with more than 15 digits
    ColumnType.BOOLEAN: Boolean(),
    ColumnType.DATE: Date(),
    ColumnType.TIMESTAMP: DateTime(timezone=True),
    ColumnType.JSON: JSONB(none_as_null=True),
}

RAW_METADATA: Final = MetaData()
"""The tables created so far; `raw_metadata` creates them all."""


def tables_of(stream: Stream, metadata: MetaData = RAW_METADATA) -> list[Table]:
    """Every table of the stream."""
    return [raw_table(stream, metadata), staging_table(stream, metadata), *link_tables(stream, metadata)]


def raw_table(stream: Stream, metadata: MetaData = RAW_METADATA) -> Table:
    """`<adapter>_<product>.<stream>`: org_id, id, the typed columns, then ours, which start with an underscore."""
    known = metadata.tables.get(stream.raw_table)
    if known is not None:
        return known
    table = Table(
        stream.short_name,
        metadata,
        Column("org_id", Text, nullable=False),
        Column("id", Text, nullable=False),
        *_typed_columns(stream),
        Column("_extra", JSONB(none_as_null=True)),
        Column("_content_hash", LargeBinary, nullable=False),
        Column("_first_seen_at", DateTime(timezone=True), nullable=False),
        Column("_synced_at", DateTime(timezone=True), nullable=False),
        Column("_deleted_at", DateTime(timezone=True)),
        Column("_sync_id", Text, nullable=False),
        PrimaryKeyConstraint("org_id", "id"),
        schema=stream.schema,
        comment=describe_table(stream),
    )
    describe(table, describe_columns(stream))
    for relationship in stream.belongs_to:
        column = f"{relationship}_id"
        Index(_fitting(f"{stream.short_name}_{column}_idx"), table.c.org_id, table.c[column])
    return table


def staging_table(stream: Stream, metadata: MetaData = RAW_METADATA) -> Table:
    """`staging.<product>__<stream>`: one row for each record of a page, with its `_stream_sync_id`.

    No key on purpose: a record that comes twice within one sync is staged twice, and the publish keeps the last.
    """
    name = staging_table_name(stream)
    known = metadata.tables.get(f"{STAGING_SCHEMA}.{name}")
    if known is not None:
        return known
    table = Table(
        name,
        metadata,
        Column("_stream_sync_id", BigInteger, nullable=False),
        Column("_page", Integer, nullable=False),
        Column("_position", Integer, nullable=False),
        Column("id", Text, nullable=False),
        *_typed_columns(stream),
        Column("_extra", JSONB(none_as_null=True)),
        *([Column(LINKS_COLUMN, JSONB(none_as_null=True))] if stream.links else []),
        Column("_content_hash", LargeBinary, nullable=False),
        schema=STAGING_SCHEMA,
    )
    Index(_fitting(f"{name}_stream_sync_id_idx"), table.c["_stream_sync_id"])
    return table


def link_tables(stream: Stream, metadata: MetaData = RAW_METADATA) -> list[Table]:
    """`<adapter>_<product>.<stream>_<relationship>`, for each to-many relationship: pairs of record and related id."""
    return [_link_table(stream, relationship, metadata) for relationship in stream.links]


def _link_table(stream: Stream, relationship: str, metadata: MetaData) -> Table:
    name = stream.links[relationship]
    known = metadata.tables.get(f"{stream.schema}.{name}")
    if known is not None:
        return known
    table = Table(
        name,
        metadata,
        Column("org_id", Text, nullable=False),
        Column("id", Text, nullable=False),
        Column("related_id", Text, nullable=False),
        Column("position", Integer, nullable=False),
        PrimaryKeyConstraint("org_id", "id", "related_id"),
        schema=stream.schema,
    )
    describe(table, describe_links(stream, relationship))
    Index(_fitting(f"{name}_related_id_idx"), table.c.org_id, table.c.related_id)
    return table


def type_name(type_: TypeEngine[Any]) -> str:
    """Postgres' name of the type, such as `timestamp with time zone`."""
    return type_.compile(_DIALECT).lower()


def _typed_columns(stream: Stream) -> list[Column[Any]]:
    return [Column(name, TYPES[kind]) for name, kind in stream.columns.items()]


def _fitting(name: str) -> str:
    if len(name) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: LONGEST_NAME - 9]}_{digest}"


@cache
def raw_metadata() -> MetaData:
    """Tables of the whole catalog. Takes half a second, so call it only to compare them."""
    for stream in STREAMS.values():
        tables_of(stream)
    return RAW_METADATA
