"""Grants of the writer, a role that syncs can use instead of the owner: every row, but no change of a table."""

from collections.abc import Iterable
from typing import Any, Final

from psycopg import Connection, sql

from openfaith_pipeline.database.access.names import WRITER
from openfaith_pipeline.database.connection import DAGSTER_SCHEMA
from openfaith_pipeline.database.table_names import STAGING_SCHEMA

_MAINTAINED_FROM: Final = 170000
"""The first version in which others than the owner can be let VACUUM and ANALYZE a table."""

_KEPT: Final = ("readers", "reader_orgs", "alembic_version")
"""Tables of `sync` that only the owner changes: by the first two a writer could let itself read as somebody else."""

# Views and other people's tables are left out.
_TABLES: Final = """
SELECT n.nspname, c.relname, array_agg(a.privilege_type) FILTER (WHERE a.privilege_type IS NOT NULL)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN LATERAL (SELECT given.privilege_type FROM aclexplode(c.relacl) AS given
    WHERE given.grantee = %(writer)s::regrole) AS a ON true
WHERE n.nspname = ANY(%(schemas)s) AND c.relkind IN ('r', 'p')
    AND c.relowner = (SELECT nspowner FROM pg_namespace WHERE nspname = 'sync')
GROUP BY 1, 2
"""
_CLOSED_SCHEMAS: Final = """
SELECT nspname FROM pg_namespace
WHERE nspname = ANY(%(schemas)s) AND NOT has_schema_privilege(%(writer)s, oid, 'USAGE')
"""
_CLOSED_SEQUENCES: Final = """
SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%(schemas)s) AND c.relowner = (SELECT nspowner FROM pg_namespace WHERE nspname = 'sync')
    -- Not with AND: Postgres may try the second condition first, which fails for a table.
    AND CASE WHEN c.relkind = 'S' THEN NOT has_sequence_privilege(%(writer)s, c.oid, 'USAGE') ELSE false END
"""
_IS_OURS: Final = """
SELECT FROM pg_namespace
WHERE nspname = %s AND nspowner = (SELECT nspowner FROM pg_namespace WHERE nspname = 'sync')
"""


def grant_to_writer(connection: Connection[Any], schemas: Iterable[str]) -> None:
    """Grant missing rights, in these schemas and those that only programs use."""
    writer = sql.Identifier(WRITER)
    everywhere = sorted({*schemas, STAGING_SCHEMA, DAGSTER_SCHEMA})
    privileges = ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"]
    if connection.info.server_version >= _MAINTAINED_FROM:
        privileges.append("MAINTAIN")
    given = connection.execute(_TABLES, {"writer": WRITER, "schemas": everywhere}).fetchall()
    lacking = [
        sql.Identifier(schema, name)
        for schema, name, present in given
        if not {*privileges} <= {*(present or ())} and not (schema == "sync" and name in _KEPT)
    ]
    kept = [
        sql.Identifier(schema, name)
        for schema, name, present in given
        if schema == "sync" and name in _KEPT and not present
    ]
    for tables, rights in ((lacking, privileges), (kept, ["SELECT"])):
        if tables:
            listed = sql.SQL(", ").join(tables)
            connection.execute(
                sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(", ").join(map(sql.SQL, rights)), listed, writer)
            )
    _grant_schemas(connection, everywhere, writer)


def _grant_schemas(connection: Connection[Any], schemas: list[str], writer: sql.Identifier) -> None:
    named = {"writer": WRITER, "schemas": schemas}
    for (name,) in connection.execute(_CLOSED_SCHEMAS, named).fetchall():
        connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(name), writer))
    for schema, name in connection.execute(_CLOSED_SEQUENCES, named).fetchall():
        connection.execute(sql.SQL("GRANT USAGE ON SEQUENCE {} TO {}").format(sql.Identifier(schema, name), writer))
    if connection.execute(_IS_OURS, (DAGSTER_SCHEMA,)).fetchone():
        for statement in _FOR_DAGSTER:
            connection.execute(statement.format(schema=sql.Identifier(DAGSTER_SCHEMA), writer=writer))


# Dagster creates its own tables when it first starts.
_FOR_DAGSTER: Final = (
    sql.SQL("ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {writer}"),
    sql.SQL("ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT USAGE ON SEQUENCES TO {writer}"),
)
