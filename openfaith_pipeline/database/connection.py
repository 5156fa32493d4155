"""The handle of an open database: URLs and ways to connect. Its errors never contain the password."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote, unquote, urlsplit

import psycopg
from psycopg.abc import PQGen
from psycopg.adapt import AdaptersMap
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from openfaith_pipeline.database.outages import cause_of_outage
from openfaith_pipeline.database.session import ENCODING, forget_libpq_variables, session_options
from openfaith_pipeline.errors import ConfigurationError, DatabaseUnavailable
from openfaith_pipeline.settings import Settings
from openfaith_pipeline.text import exact_json

if TYPE_CHECKING:
    from sqlalchemy import Engine

DAGSTER_SCHEMA: Final = "dagster"

T = TypeVar("T")

_CANCEL_SECONDS: Final = 5.0

_ADAPTERS: Final = AdaptersMap(psycopg.adapters)
set_json_loads(exact_json.read, _ADAPTERS)
set_json_dumps(exact_json.write, _ADAPTERS)

_OPTIONS: Final[Mapping[str, Any]] = {
    "application_name": "openfaith-pipeline",
    "client_encoding": ENCODING,
    "connect_timeout": 10,
    "options": session_options(),
    "context": _ADAPTERS,
}
# Messages of the server about errors that waiting does not mend.
_REFUSALS: Final = (
    "authentication failed",
    "does not exist",
    "no pg_hba.conf entry",
    "no password",
    "permission denied",
    "invalid sslmode",
    "certificate",
)


@dataclass(frozen=True)
class Database:
    """A database that accepts connections. Its URLs contain the password and are left out of its repr.

    url: libpq URL of the data database.
    dagster_url: SQLAlchemy URL of Dagster's storage, schema `dagster` in the same database.
    administrator_url: libpq URL of the data database for the superuser of the embedded server, who creates roles.
    """

    settings: Settings
    url: str = field(repr=False)
    dagster_url: str = field(repr=False)
    administrator_url: str | None = field(default=None, repr=False)

    def connect(self, **options: Any) -> "Session":
        """A new connection, without autocommit by default; `options` are psycopg's.

        Raises ConfigurationError if the server refuses user, password or database, DatabaseUnavailable if it does not
        respond.
        """
        try:
            return Session.connect(self.url, **{**_OPTIONS, **options})
        except psycopg.OperationalError as error:
            cause = cause_of_outage(self.settings, error)
            raise _explained(f"{error}; {cause}" if cause else str(error), self.url) from None

    def pool(self, *, size: int, patience_seconds: float = 30.0, **options: Any) -> AsyncConnectionPool:
        """A pool of at most `size` async connections, not yet opened (use `async with`); `options` are psycopg's."""
        kwargs = {**_OPTIONS, **options}
        return AsyncConnectionPool(
            self.url, min_size=1, max_size=size, open=False, timeout=patience_seconds, kwargs=kwargs
        )

    def thread_pool(self, *, size: int, timeout: float) -> ConnectionPool:
        """A pool of connections for threads, not yet opened; it survives Postgres being down for a while.

        timeout: seconds to wait for a connection before PoolTimeout.
        """
        return ConnectionPool(
            self.url,
            min_size=1,
            max_size=size,
            open=False,
            timeout=timeout,
            reconnect_timeout=0,
            check=ConnectionPool.check_connection,
            kwargs=dict(_OPTIONS),
        )

    def engine(self) -> "Engine":
        """SQLAlchemy engine over `connect` for Alembic and reflection, without a pool."""
        from sqlalchemy import NullPool, create_engine  # noqa: PLC0415 - most processes never need it

        return create_engine("postgresql+psycopg://", creator=self.connect, poolclass=NullPool)


class Session(psycopg.Connection[Any]):
    """A connection that cancels the statement under way whatever interrupts it.

    psycopg itself does so for KeyboardInterrupt alone. In a run that is terminated Dagster raises an exception of its
    own, and the server would go on with the statement and keep its locks, though nobody is waiting for it.
    """

    def wait(self, gen: PQGen[T], *args: Any, **options: Any) -> T:
        try:
            return super().wait(gen, *args, **options)
        except BaseException as error:
            if not isinstance(error, Exception) and self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                with suppress(psycopg.Error):
                    self.cancel_safe(timeout=_CANCEL_SECONDS)
                    super().wait(gen, timeout=_CANCEL_SECONDS)
            raise


def database_at(settings: Settings, url: str, administrator_url: str | None = None) -> Database:
    """The handle for a libpq URL in the form that this package writes."""
    forget_libpq_variables(settings)
    rest = url.removeprefix("postgresql://")
    session = f"client_encoding={ENCODING}&options={quote(session_options(search_path=DAGSTER_SCHEMA), safe='')}"
    return Database(
        settings, url, f"postgresql+psycopg2://{rest}{'&' if '?' in rest else '?'}{session}", administrator_url
    )


def data_url_of(dagster_url: str) -> str:
    """The libpq URL from which a `Database.dagster_url` was made."""
    from sqlalchemy import make_url  # noqa: PLC0415 - as above

    url = make_url(dagster_url).set(drivername="postgresql").difference_update_query(["client_encoding", "options"])
    return url.render_as_string(hide_password=False)


def url_as(url: str, user: str, password: str) -> str:
    """The URL of the same database for another user."""
    _, _, place = url.partition("@")
    return f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}@{place}"


def parts_of_url(url: str) -> dict[str, str]:
    """Host, port, dbname, user and password of a libpq URL in the form that this package writes."""
    parts = conninfo_to_dict(url)
    return {name: str(parts.get(name) or "") for name in ("host", "port", "dbname", "user", "password")}


def configured_url(settings: Settings) -> str:
    """libpq URL of the database configured in `DB_*`; a host that is a path is the directory of a socket."""
    password = settings.db_password.get_secret_value() if settings.db_password else ""
    who = f"{quote(settings.db_username or '', safe='')}:{quote(password, safe='')}"
    host, name = settings.db_host or "", quote(settings.db_name or "", safe="")
    if host.startswith("/"):
        return f"postgresql://{who}@/{name}?host={quote(host, safe='')}&port={settings.db_port}"
    place = f"[{host}]" if ":" in host else host
    return f"postgresql://{who}@{place}:{settings.db_port}/{name}"


def _explained(reason: str, url: str) -> ConfigurationError | DatabaseUnavailable:
    parts = urlsplit(url)
    place = f"{parts.hostname}:{parts.port}" if parts.hostname else unquote(parts.query)
    message = f"Postgres at {place} as user {unquote(parts.username or '')}: {' '.join(reason.split())}"
    if any(refusal in reason for refusal in _REFUSALS):
        return ConfigurationError(
            f"{message}. Check DB_HOST_PRIMARY, DB_PORT, DB_NAME, DB_USERNAME and DB_PASSWORD,"
            " and the PGSSL* variables for TLS"
        )
    return DatabaseUnavailable(message)
