"""The database: server, encoding, role, tables, extensions and collations."""

from collections.abc import Iterator
from typing import Any, Final

from psycopg import Connection, sql

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.canonical_tables import CANONICAL_PREFIX, EXTERNAL_LINK_KEY
from openfaith_pipeline.database.change_notes import are_changes_noted
from openfaith_pipeline.database.migration import is_current
from openfaith_pipeline.database.session import ENCODING
from openfaith_pipeline.database.view_alignment import OLDEST_POSTGRES
from openfaith_pipeline.doctor.report import Finding, found, found_all
from openfaith_pipeline.privacy.unreclaimed import unfinished_erasures
from openfaith_pipeline.transform import links

_EXTENSIONS: Final = """
SELECT name FROM pg_available_extensions WHERE installed_version <> default_version ORDER BY 1
"""
# The version of the database's own collation; if no version is known there is nothing to compare.
_COLLATION: Final = """
SELECT datcollversion, pg_database_collation_actual_version(oid) FROM pg_database
 WHERE datname = current_database() AND datcollversion <> pg_database_collation_actual_version(oid)
"""
_COLLATIONS_FROM: Final = 150000

_UNIQUE: Final = """
SELECT index.relname, array_agg(column_of.attname::text) FROM pg_index JOIN pg_class AS index ON index.oid = indexrelid
  JOIN pg_attribute AS column_of ON attrelid = indrelid AND attnum = ANY(indkey)
 WHERE indrelid = to_regclass(%s) AND indisunique GROUP BY 1 ORDER BY 1
"""


def examine_server(connection: Connection[Any]) -> Iterator[Finding]:
    """The server's own state; needs none of our tables."""
    version = connection.info.server_version
    if version < OLDEST_POSTGRES:
        yield found("postgres_old", detail=f"PostgreSQL {version // 10000}")
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != ENCODING:
        yield found("encoding_narrow", detail=str(encoding))
    if connection.info.parameter_status("is_superuser") == "on":
        yield found("role_superuser", detail=connection.info.user)
    behind = [name for (name,) in connection.execute(_EXTENSIONS).fetchall()]
    yield from found_all("extension_behind", None, behind)
    if version >= _COLLATIONS_FROM:
        for before, now in connection.execute(_COLLATION).fetchall():
            yield found("collation_changed", detail=f"made with {before}, now {now}")


def examine_erasures(connection: Connection[Any]) -> Iterator[Finding]:
    """Erasures whose tables are to be rewritten yet. Examples are certificates."""
    yield from found_all("erasures_unfinished", None, [each for each, _, _ in unfinished_erasures(connection)])


def examine_schema(database: Database, connection: Connection[Any]) -> Iterator[Finding]:
    """The tables of this version. Raises ConfigurationError if a newer one has upgraded them."""
    if not is_current(database):
        yield found("schema_behind")
        return
    schema = database.settings.canonical_schema
    if connection.execute(sql.SQL("SELECT {}").format(are_changes_noted(schema))).fetchone() != (True,):
        yield found("changes_unnoted")
    table = sql.Identifier(schema, f"{CANONICAL_PREFIX}{links.TABLE}").as_string(None)
    unique = connection.execute(_UNIQUE, (table,)).fetchall()
    narrow = [name for name, columns in unique if set(columns) < set(EXTERNAL_LINK_KEY)]
    yield from found_all("links_key_narrow", None, narrow)
