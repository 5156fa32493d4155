"""Upgrade of a database's schema: first the migration files, then the tables and views derived from declarations."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
import sqlalchemy
from psycopg import Connection, sql

from openfaith_pipeline.database.access.alignment import align_access
from openfaith_pipeline.database.alignment import align_raw_tables, find_gaps
from openfaith_pipeline.database.bookkeeping import SYNC_SCHEMA
from openfaith_pipeline.database.canonical_alignment import align_canonical_tables, find_canonical_gaps
from openfaith_pipeline.database.change_notes import align_change_notes
from openfaith_pipeline.database.connection import Database
from openfaith_pipeline.database.fingerprint import write_fingerprint
from openfaith_pipeline.database.journal_partitions import add_partitions
from openfaith_pipeline.database.session import ENCODING
from openfaith_pipeline.database.versions import MIGRATIONS, head_revision, is_migrated, revision_of
from openfaith_pipeline.database.view_alignment import align_views, are_views_current
from openfaith_pipeline.errors import ConfigurationError, DatabaseUnavailable

__all__ = ["align_raw_tables", "is_current", "upgrade"]

_LOCK_KEY: Final = int.from_bytes(b"openfait")
_TURN_TIMEOUT: Final = "300s"
_LOCK_TIMEOUT: Final = "15s"  # while an ALTER TABLE waits, every later reader of the table waits behind it
_STATEMENT_TIMEOUT: Final = "30min"


def is_current(database: Database) -> bool:
    """Whether `upgrade` would change nothing, by comparing every table; takes half a second for the whole catalog.

    Raises as `was_upgraded` does.
    """
    with database.connect() as connection:
        return (
            is_migrated(connection, database)
            and not find_gaps(connection)
            and not find_canonical_gaps(connection, database.settings.canonical_schema)
            and are_views_current(connection, database.settings.views_schema)
        )


def upgrade(database: Database) -> None:
    """Apply missing changes. Concurrent upgrades wait for each other, and one that dies leaves nothing half done.

    Raises DatabaseUnavailable if a table stays in use, ConfigurationError if the user may not change the schema or the
    database is not UTF8.
    """
    with turn_of_upgrades(database) as connection:
        _check_encoding(connection)
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(SYNC_SCHEMA)))
        if revision_of(connection) != head_revision():
            _run_migration_files(database)
        add_partitions(connection)
        align_raw_tables(connection)
        align_canonical_tables(connection, database.settings.canonical_schema)
        align_change_notes(connection, database.settings.canonical_schema)
        align_views(connection, database.settings.views_schema)
        align_access(connection, database.settings.canonical_schema, database.settings.views_schema)
        write_fingerprint(connection)


@contextmanager
def turn_of_upgrades(database: Database) -> Iterator[Connection[Any]]:
    """An autocommit connection that alone may change the schema, once other upgrades ended; raises as `upgrade`."""
    with database.connect(autocommit=True) as connection, _failures_explained():
        connection.execute(f"SET lock_timeout = '{_TURN_TIMEOUT}'")
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK_KEY,))
        _set_limits(connection)
        yield connection


def _check_encoding(connection: Connection[Any]) -> None:
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != ENCODING:
        raise ConfigurationError(
            f"the database {connection.info.dbname} has the encoding {encoding}, which cannot hold every name: create"
            f" another with CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0, and name it in DB_NAME"
        )


def _run_migration_files(database: Database) -> None:
    # Alembic takes a third of a second to import, and nearly every start finds nothing to migrate.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["canonical_schema"] = database.settings.canonical_schema
    engine = database.engine()
    with engine.connect() as connection:
        for name, value in (("lock_timeout", _LOCK_TIMEOUT), ("statement_timeout", _STATEMENT_TIMEOUT)):
            connection.exec_driver_sql(f"SET {name} = '{value}'")
        connection.commit()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()


def _set_limits(connection: Connection[Any]) -> None:
    connection.execute(f"SET lock_timeout = '{_LOCK_TIMEOUT}'")
    connection.execute(f"SET statement_timeout = '{_STATEMENT_TIMEOUT}'")


@contextmanager
def _failures_explained() -> Iterator[None]:
    try:
        yield
    except (psycopg.Error, sqlalchemy.exc.DBAPIError) as error:
        cause = error.orig if isinstance(error, sqlalchemy.exc.DBAPIError) else error
        if isinstance(cause, psycopg.errors.LockNotAvailable | psycopg.errors.QueryCanceled):
            raise DatabaseUnavailable(f"the schema could not be upgraded because a table is in use: {cause}") from None
        if isinstance(cause, psycopg.errors.InsufficientPrivilege):
            raise ConfigurationError(f"the database's user may not upgrade the schema: {cause}") from None
        if isinstance(cause, psycopg.errors.FeatureNotSupported | psycopg.errors.DependentObjectsStillExist):
            reason = " ".join(filter(None, (cause.diag.message_primary, cause.diag.message_detail)))
            raise ConfigurationError(
                f"the schema could not be upgraded: {reason}. Drop the objects that depend on the column,"
                " and create them again afterwards"
            ) from None
        if isinstance(cause, psycopg.OperationalError):
            raise DatabaseUnavailable(f"Postgres went away during the upgrade: {cause}") from None
        raise
