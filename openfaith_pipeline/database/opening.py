"""`open_database`: the only way to open Postgres, embedded or configured."""

from collections.abc import Iterator
from contextlib import contextmanager

from openfaith_pipeline.database.backup.carried_erasures import check_no_restore
from openfaith_pipeline.database.connection import Database, configured_url, database_at
from openfaith_pipeline.database.server import DATABASE_NAME, require_home, use_server
from openfaith_pipeline.database.versions import was_upgraded
from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.settings import Settings


@contextmanager
def open_database(settings: Settings, *, upgrade: bool | None = None, makes_home: bool = False) -> Iterator[Database]:
    """Have the database ready for the block; embedded, the server runs as long as anyone has it open.

    upgrade: True brings the schema up to date, False leaves it as it is, and None brings the embedded database up to
        date but raises ConfigurationError for a configured one that is behind.
    makes_home: whether a missing embedded database is created; otherwise NoHome is raised.
    """
    if settings.is_embedded:
        if not makes_home:
            require_home(settings)
        with use_server(settings) as server:
            database = database_at(settings, server.url(), server.administrator_url(DATABASE_NAME))
            if upgrade or (upgrade is None and not was_upgraded(database)):
                _upgrade(database)
            yield database
    else:
        database = database_at(settings, configured_url(settings))
        if upgrade:
            _upgrade(database)
        elif upgrade is None:
            check_current(database)
        yield database


def _upgrade(database: Database) -> None:
    # Nearly every start finds nothing to change, and need not wait for SQLAlchemy.
    from openfaith_pipeline.database.migration import upgrade  # noqa: PLC0415

    with database.connect() as connection:
        check_no_restore(connection)
    upgrade(database)


def check_current(database: Database) -> None:
    """Raise ConfigurationError if the schema is behind this version."""
    from openfaith_pipeline.database.migration import is_current  # noqa: PLC0415 - as above

    # Another version may have upgraded it since, adding things that this version does not need.
    if not (was_upgraded(database) or is_current(database)):
        raise ConfigurationError("the database's schema is behind this version; run openfaith-pipeline db upgrade")
