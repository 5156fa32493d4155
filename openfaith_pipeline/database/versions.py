"""The schema version of a database, read without importing the migration code."""

from pathlib import Path
from typing import Any, Final

from psycopg import Connection

from openfaith_pipeline.database.backup.carried_erasures import check_no_restore
from openfaith_pipeline.database.connection import Database
from openfaith_pipeline.database.fingerprint import catalog_fingerprint, read_fingerprint
from openfaith_pipeline.errors import ConfigurationError

MIGRATIONS: Final = Path(__file__).parent / "migrations"


def head_revision() -> str:
    """Revision of the newest migration file: the number at the beginning of its name."""
    return max(path.name.split("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def was_upgraded(database: Database) -> bool:
    """Whether this very version has upgraded the database, by the fingerprint it left; takes a few milliseconds.

    Raises ConfigurationError if a newer version has upgraded the database, OPENFAITH_SCHEMA was changed since, or a
    restore was interrupted.
    """
    with database.connect() as connection:
        return is_migrated(connection, database) and read_fingerprint(connection) == catalog_fingerprint()


def is_migrated(connection: Connection[Any], database: Database) -> bool:
    """Whether all migration files are applied; raises ConfigurationError as `was_upgraded` does."""
    check_no_restore(connection)
    if revision_of(connection) != head_revision():
        return False
    _check_canonical_schema(connection, database.settings.canonical_schema)
    return True


def revision_of(connection: Connection[Any]) -> str | None:
    """Revision of the newest migration applied, None if there is none."""
    if connection.execute("SELECT to_regclass('sync.alembic_version')").fetchone() == (None,):
        return None
    row = connection.execute("SELECT version_num FROM sync.alembic_version").fetchone()
    revision = row[0] if row else None
    if revision and revision > head_revision():
        raise ConfigurationError(
            f"the database was upgraded to revision {revision} by a newer version of openfaith-pipeline;"
            f" this one knows {head_revision()}: install the newer one"
        )
    return revision


def _check_canonical_schema(connection: Connection[Any], schema: str) -> None:
    found = connection.execute(
        "SELECT to_regclass(format('%%I.%%I', %s::text, 'openfaith_people'))", (schema,)
    ).fetchone()
    if found == (None,):
        raise ConfigurationError(
            f"OPENFAITH_SCHEMA is {schema}, but the canonical tables were created elsewhere:"
            " set it to what it was, or move the openfaith_* tables there with ALTER TABLE ... SET SCHEMA"
        )
