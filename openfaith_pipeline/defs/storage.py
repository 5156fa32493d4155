"""Dagster's own storage: always Postgres, in a schema of our database."""

import atexit
import select
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any, Final

import dagster as dg
from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage, PostgresRunStorage
from sqlalchemy import Engine, NullPool, create_engine, event, text
from sqlalchemy.exc import DisconnectionError

from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.database.connection import data_url_of, database_at
from openfaith_pipeline.database.session import forget_libpq_variables
from openfaith_pipeline.defs.dagster_private import ConfigurableClassData, check, retry_pg_connection_fn
from openfaith_pipeline.settings import Settings, load_settings

_LONG_IDLE_SECONDS: Final = 60.0
"""A firewall may have forgotten a connection that was idle for so long, and say so to neither end."""


class OpenFaithStorage(DagsterPostgresStorage):
    """Dagster's Postgres storage, which finds its server by our settings, so that a bare `dagster dev` works too.

    The URL is the configured one, else `OPENFAITH_DAGSTER_PG_URL`, else that of the database in our settings.
    """

    @classmethod
    def config_type(cls) -> Any:
        return {"postgres_url": dg.Field(dg.StringSource, is_required=False)}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "OpenFaithStorage":
        settings = load_settings()
        forget_libpq_variables(settings)
        url = config_value.get("postgres_url") or _given(settings) or _url_while_this_process_lives(settings)
        with _alone(url):
            storage = cls(postgres_url=url, inst_data=inst_data)
        storage.keep_connections()
        return storage

    def keep_connections(self) -> None:
        """Pool connections. Dagster opens one for each statement, which is three quarters of a run's cost."""
        engine = create_engine(self.postgres_url, isolation_level="AUTOCOMMIT", pool_size=1, max_overflow=20)
        _replace_dead_connections(engine)
        for storage in (self._run_storage, self._event_log_storage, self._schedule_storage):
            storage._engine = engine
        # The code server makes an instance for each look of each sensor; its connections would stay until garbage
        # collection, and use up those of the server.
        self._run_storage.dispose = engine.dispose  # type: ignore[method-assign]
        _remember_tables(self._event_log_storage)


def _replace_dead_connections(engine: Engine) -> None:
    """Have the pool replace a connection that its server has closed, or that was idle for long.

    SQLAlchemy's `pool_pre_ping` would ask the server before each statement of Dagster: half of all that is sent.
    """

    @event.listens_for(engine, "checkin")
    def _rest(_connection: Any, record: Any) -> None:
        record.info["idle_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _check(connection: Any, record: Any, _: Any) -> None:
        idle_since = record.info.get("idle_since")
        if idle_since is None:  # it is new
            return
        if time.monotonic() - idle_since > _LONG_IDLE_SECONDS or _has_something_to_say(connection.fileno()):
            raise DisconnectionError("the server may have closed it")


def _has_something_to_say(descriptor: int) -> bool:
    """Whether data arrived without a query: usually the end of the connection."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _remember_tables(storage: PostgresEventLogStorage) -> None:
    """Check for each table only until it exists. Dagster checks at each event, partly with another connection."""
    is_there, found = storage.has_table, set[str]()

    def has_table(table_name: str) -> bool:
        if table_name not in found and is_there(table_name):
            found.add(table_name)
        return table_name in found

    storage.has_table = has_table  # type: ignore[method-assign]


@contextmanager
def _alone(url: str) -> Iterator[None]:
    """Serialize processes: each creates the tables that it does not find, and a second one would fail."""
    connection = retry_pg_connection_fn(create_engine(url, poolclass=NullPool).connect)
    with connection, connection.begin():
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('openfaith_pipeline.storage', 0))"))
        yield


def database_of(instance: dg.DagsterInstance) -> Database:
    """Our database, derived from Dagster's storage without opening it.

    Opening may start programs, which the daemon and the code server cannot do safely once gRPC has threads in them.
    """
    storage = check.inst(instance.run_storage, PostgresRunStorage)
    return database_at(load_settings(), data_url_of(storage.postgres_url))


def is_ours(instance: dg.DagsterInstance) -> bool:
    """Whether Dagster's storage is in our database, and the instance thus one that we run."""
    if not instance.is_persistent:
        return False
    storage = instance.get_ref().storage_data
    return storage is not None and storage.class_name == OpenFaithStorage.__name__


def _given(settings: Settings) -> str | None:
    return settings.dagster_pg_url.get_secret_value() if settings.dagster_pg_url else None


@cache
def _url_while_this_process_lives(settings: Settings) -> str:
    # Dagster creates storages freely: only the end of the process ends the server.
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(open_database(settings)).dagster_url
