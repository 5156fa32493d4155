"""Erasures carried over a restore: the marks of the database that is replaced, kept in a schema of their own.

They are copied in the transaction that replaces everything else, and the schema is dropped once everybody brought back
by the backup is erased again. While it is there, the database is not open to anything but a restore.
"""

from typing import Any, Final

import psycopg
from psycopg import Connection

from openfaith_pipeline.errors import ConfigurationError, DatabaseUnavailable

CARRIED_SCHEMA: Final = "carried_erasures"

_HAS_ERASURES: Final = "SELECT to_regclass('sync.erased_records') IS NOT NULL"
_COUNT: Final = "SELECT count(*), count(counts) FROM sync.erasures"
_READ_MARKS: Final = (
    "SELECT count(record_hash), count(salt) FROM sync.erased_records JOIN sync.erasure_salts USING (org_id)"
)

CARRY: Final = """
CREATE SCHEMA IF NOT EXISTS carried_erasures;
CREATE TABLE IF NOT EXISTS carried_erasures.erasures (
    erasure_id text PRIMARY KEY, org_id text, subject text, erased_by text, erased_at timestamptz, counts jsonb,
    lifted_at timestamptz, lifted_by text);
CREATE TABLE IF NOT EXISTS carried_erasures.marks (
    org_id text, salt bytea, stream text, record_hash bytea, erasure_id text,
    UNIQUE (org_id, salt, stream, record_hash, erasure_id));
INSERT INTO carried_erasures.erasures AS carried
SELECT erasure_id, org_id, subject, erased_by, erased_at, counts, lifted_at, lifted_by FROM sync.erasures
ON CONFLICT (erasure_id) DO UPDATE SET lifted_at = coalesce(excluded.lifted_at, carried.lifted_at),
    lifted_by = coalesce(excluded.lifted_by, carried.lifted_by);
INSERT INTO carried_erasures.marks
SELECT org_id, salt, stream, record_hash, erasure_id FROM sync.erased_records JOIN sync.erasure_salts USING (org_id)
ON CONFLICT DO NOTHING;
"""
"""After a restore that was interrupted, those carried over before stay. The columns are named: the database may be of
another version each time."""


def carrying(connection: Connection[Any]) -> str:
    """Statements that copy the erasures, none if the database has no table of them.

    Raises DatabaseUnavailable if they cannot be read.
    """
    try:
        if connection.execute(_HAS_ERASURES).fetchone() != (True,):
            return ""
        connection.execute(_COUNT)
        connection.execute(_READ_MARKS)
    except psycopg.Error as error:
        raise DatabaseUnavailable(
            "nothing was restored: the marks of erased people in the database to replace cannot be read"
            f" ({error.diag.message_primary or error}), and without them the backup brings these people back. Restore"
            " into an empty database (another DB_NAME or OPENFAITH_HOME), and erase them there again"
        ) from None
    return CARRY


def has_carried(connection: Connection[Any]) -> bool:
    """Whether a restore is unfinished."""
    return connection.execute("SELECT to_regnamespace(%s) IS NOT NULL", (CARRIED_SCHEMA,)).fetchone() == (True,)


def check_no_restore(connection: Connection[Any]) -> None:
    """Raise ConfigurationError while a restore is unfinished: erased people may be in the tables."""
    if has_carried(connection):
        raise ConfigurationError(
            "a restore was interrupted, and people who were erased since the backup are still in the tables: run"
            " openfaith-pipeline db restore FILE --replace again"
        )
