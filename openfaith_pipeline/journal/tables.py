"""Tables whose changes are journaled, and the names and keys by which the journal knows their rows."""

from dataclasses import dataclass
from functools import cache
from typing import Final

from psycopg import sql

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database.canonical_tables import CANONICAL_PREFIX, canonical_metadata
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.sources import STREAMS


@dataclass(frozen=True)
class JournaledTable:
    """A table of rows that each belong to one org.

    key: the columns that identify a row within its org. org: the column with the org. deleted: the column that is set
    on a tombstone, None for a table whose rows are removed instead. deleted_by: who set it, if the table says so.
    The journal has both wherever one of them changes, so that undoing leaves no row deleted by somebody else or nobody.
    """

    schema: str
    name: str
    key: tuple[str, ...]
    org: str
    deleted: str | None
    deleted_by: str | None = None

    @property
    def full_name(self) -> str:
        """The name in the journal, such as `<adapter>_people.emails`."""
        return f"{self.schema}.{self.name}"

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)


LOCAL_EDITS: Final = JournaledTable("sync", "local_edits", ("entity_table", "entity_id", "field"), "org_id", None)
"""The fields that people changed in OpenFaith. Their own edits are not journaled, only ours of these notes."""

CONFLICTS: Final = JournaledTable("sync", "conflicts", ("id",), "org_id", None)
"""Conflicts between those and the source."""


def raw_rows(stream: Stream) -> JournaledTable:
    """The stream's raw table."""
    return JournaledTable(stream.schema, stream.short_name, ("id",), "org_id", "_deleted_at")


def link_rows(stream: Stream, relationship: str) -> JournaledTable:
    """The link table of one to-many relationship of the stream."""
    return JournaledTable(stream.schema, stream.links[relationship], ("id", "related_id"), "org_id", None)


@cache
def canonical_rows(schema: str, table: str) -> JournaledTable:
    """`openfaith_<table>` in the canonical schema."""
    declared = canonical_metadata(schema).tables[f"{schema}.{CANONICAL_PREFIX}{table}"]
    key = tuple(str(column.name) for column in declared.primary_key if column.name != "orgId")
    deleted = [name if name in declared.c else None for name in ("deletedAt", "deletedBy")]
    return JournaledTable(schema, str(declared.name), key, "orgId", *deleted)


def table_named(full_name: str, canonical_schema: str) -> JournaledTable:
    """The table with this name in the journal; UsageError if this version does not know it."""
    schema, _, name = full_name.partition(".")
    table = name.removeprefix(CANONICAL_PREFIX)
    if schema == canonical_schema and f"{schema}.{name}" in canonical_metadata(schema).tables:
        return canonical_rows(schema, table)
    for kept in (LOCAL_EDITS, CONFLICTS):
        if kept.full_name == full_name:
            return kept
    for stream in STREAMS.values():
        if stream.schema == schema and stream.short_name == name:
            return raw_rows(stream)
        for relationship, links in stream.links.items():
            if stream.schema == schema and links == name:
                return link_rows(stream, relationship)
    raise UsageError(f"the journal has changes of {full_name}, which this version does not know")


def tables_of_stream(stream: Stream) -> list[str]:
    """Journal names of the stream's raw table and of its link tables."""
    return [stream.raw_table, *(link_rows(stream, relationship).full_name for relationship in stream.links)]
