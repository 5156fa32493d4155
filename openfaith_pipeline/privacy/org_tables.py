"""Every table with rows of orgs: found in the database itself, so that none is forgotten."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from psycopg import Connection, sql

from openfaith_pipeline.database.bookkeeping import SYNC_SCHEMA
from openfaith_pipeline.database.canonical_tables import canonical_metadata
from openfaith_pipeline.sources import STREAMS

_TABLES: Final = """
SELECT n.nspname, c.relname, a.attname
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname IN ('org_id', 'orgId') AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname = ANY(%s)
ORDER BY 1, 2
"""


@dataclass(frozen=True)
class OrgTable:
    """A table; org: the column with the org's id."""

    schema: str
    name: str
    org: str

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)


def data_tables(connection: Connection[Any], canonical_schema: str) -> list[OrgTable]:
    """The tables with the org's data: raw, links, and the OpenFaith tables that are written here."""
    raw = {stream.schema for stream in STREAMS.values()}
    ours = {table.name for table in canonical_metadata(canonical_schema).tables.values()}
    found = _tables(connection, [*raw, canonical_schema])
    return [table for table in found if table.schema in raw or table.name in ours]


def bookkeeping_tables(connection: Connection[Any]) -> list[OrgTable]:
    """The tables that say how the org is synced, and the journal."""
    return list(_tables(connection, [SYNC_SCHEMA]))


def _tables(connection: Connection[Any], schemas: list[str]) -> Iterator[OrgTable]:
    for row in connection.execute(_TABLES, (schemas,)).fetchall():
        yield OrgTable(*row)


_KEYED: Final = """
SELECT c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = ANY(%(columns)s) AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname = %(schema)s
GROUP BY 1 HAVING count(*) = cardinality(%(columns)s) ORDER BY 1
"""


def bookkeeping_about(connection: Connection[Any], *columns: str) -> list[OrgTable]:
    """The bookkeeping tables of orgs that also have these columns."""
    asked = {"schema": SYNC_SCHEMA, "columns": ["org_id", *columns]}
    return [OrgTable(SYNC_SCHEMA, name, "org_id") for (name,) in connection.execute(_KEYED, asked).fetchall()]
