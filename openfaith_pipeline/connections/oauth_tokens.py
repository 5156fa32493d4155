"""OAuth token refresh: before tokens expire and when they are refused, once for all processes that wait for it.

A refresh token works once. So one process at a time refreshes a connection, under an advisory lock of Postgres that is
released if the process is killed, and the waiting ones use its result. The previous pair is kept until the new one has
been accepted. Only the token endpoint can end a connection; after any other error the tokens stay and the next process
tries again.
"""

import asyncio
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic, sleep
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import tuple_row

from openfaith_pipeline.catalog.connecting import Application
from openfaith_pipeline.connections.cipher import Cipher, cipher_from
from openfaith_pipeline.connections.credentials import Held, fingerprint, is_same, read_held, replace_token
from openfaith_pipeline.connections.registry import api_url_of, set_connection_state
from openfaith_pipeline.connections.right_church import Check
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.refusals import LOCK_IN_USE, UNANSWERED, unavailable
from openfaith_pipeline.errors import (
    ConfigurationError,
    DatabaseUnavailable,
    GrantDead,
    OpenFaithError,
    RetriableError,
    TransientError,
    UnexpectedResponse,
)
from openfaith_pipeline.network.credentials import Credentials, OAuthToken
from openfaith_pipeline.settings import Settings
from openfaith_pipeline.sources import CONNECTORS, SOURCES

BEFORE_EXPIRY: Final = timedelta(minutes=5)
"""A token with less time left is refreshed before it is used."""

DUE_BEFORE_EXPIRY: Final = timedelta(minutes=70)
"""Horizon of the hourly refresh: tokens that expire before the next one, with ten minutes to spare."""

_IDLE: Final = timedelta(days=20)
"""A paused org's grant is kept alive too: a refresh token is valid for about 90 days."""

_BEGIN: Final = "UPDATE sync.source_connections SET refresh_began_at = now() WHERE org_id = %s AND adapter = %s"
_CONFIRM: Final = "UPDATE sync.source_connections SET previous_secret = NULL WHERE org_id = %s AND adapter = %s"
_LOCK_CLASS: Final = 0x0FA17
_LOCK_PATIENCE: Final = "45s"  # longer than one refresh may take
_STORING_PATIENCE_SECONDS: Final = 60.0
_PAUSE_AFTER_FAILURE_SECONDS: Final = 30.0

_log = logging.getLogger(__name__)


def application_of(connection: Connection[Any], settings: Settings, org_id: str | None, adapter: str) -> Application:
    """Our application at the org's API, at the source's for a new church; raises ConfigurationError if none is set."""
    connector = CONNECTORS[adapter]
    base_url = api_url_of(connection, settings, org_id, adapter) if org_id else connector.api_url(settings)
    return connector.application(settings, base_url)


def renew_token(database: Database, org_id: str, seen: OAuthToken, adapter: str) -> Credentials:
    """The replacement for `seen`: credentials stored meanwhile by another process, or else a new pair, stored now.

    Must not be cancelled: run it in a thread. Raises GrantDead, having marked the org for reconnecting; TransientError
    if the endpoint does not respond; ConfigurationError if our application is refused or not configured.
    """
    asked_at = _now_there(database)
    with _alone(database, org_id, adapter) as connection:
        cipher = cipher_from(database.settings)
        held = read_held(connection, cipher, org_id, adapter=adapter)
        if not is_same(held.credentials, seen):
            return held.credentials
        _share_failure(held, asked_at)
        application = application_of(connection, database.settings, org_id, adapter)
        connection.execute(_BEGIN, (org_id, adapter))
        try:
            new = _exchange(application, held, seen)
        except GrantDead:
            there = read_held(connection, cipher, org_id, adapter=adapter).credentials
            if not is_same(there, seen):
                return there  # OpenFaith was faster
            _record_death(connection, org_id, adapter, held, seen)
            raise
        except (TransientError, UnexpectedResponse, ConfigurationError) as error:
            _record_failure(connection, org_id, adapter, error)
            raise
        return _store(database, cipher, org_id, adapter, seen, new)


def _exchange(application: Application, held: Held, seen: OAuthToken) -> OAuthToken:
    """A new pair for the current refresh token; if that is dead and has not worked yet, for the previous one."""
    candidates = [pair.refresh_token for pair in (seen, held.previous) if pair and pair.refresh_token]
    if not candidates:
        raise GrantDead("there is no refresh token")
    with application.endpoint() as endpoint:
        for number, refresh_token in enumerate(candidates, start=1):
            try:
                new = endpoint.refresh(refresh_token)
            except GrantDead:
                if number == len(candidates):
                    raise
            else:
                # An endpoint that does not rotate omits the refresh token.
                return new if new.refresh_token else OAuthToken(new.access_token, refresh_token, new.expires_at)
    raise AssertionError("the last candidate either returns or raises")


def _share_failure(held: Held, asked_at: datetime) -> None:
    """Raise the error of a refresh that failed while we waited for it: its result counts for everyone who waited."""
    if held.refresh_failed_at is None or held.refresh_failed_at < asked_at:
        return
    if held.state == "needs_reconnect":
        raise GrantDead(held.refresh_error or "the grant is over")
    raise TransientError(held.refresh_error or "the refresh by another process failed")


def _store(
    database: Database, cipher: Cipher, org_id: str, adapter: str, seen: OAuthToken, new: OAuthToken
) -> Credentials:
    """Store the new pair, which exists nowhere else, waiting if Postgres is restarting."""
    deadline = monotonic() + _STORING_PATIENCE_SECONDS
    while True:
        try:
            with database.connect() as connection:
                return replace_token(connection, cipher, org_id, seen, new, adapter)
        except (DatabaseUnavailable, *UNANSWERED) as error:
            if monotonic() > deadline:
                raise unavailable(error, "before a new token could be stored", database.settings) from error
            sleep(0.5)


def _record_failure(connection: Connection[Any], org_id: str, adapter: str, error: OpenFaithError) -> None:
    connection.execute(
        "UPDATE sync.source_connections SET refresh_failed_at = clock_timestamp(), refresh_error = %s"
        " WHERE org_id = %s AND adapter = %s",
        (str(error), org_id, adapter),
    )


def _record_death(connection: Connection[Any], org_id: str, adapter: str, held: Held, seen: OAuthToken) -> None:
    reason = f"{SOURCES[adapter].title} says that the OAuth grant is over (used, expired or revoked)"
    if held.refresh_began_at is not None:
        reason += "; an earlier refresh was interrupted before its result could be stored"
    with connection.transaction():
        _record_failure(connection, org_id, adapter, GrantDead(reason))
        statement = "UPDATE sync.source_connections SET dead_grant = %s WHERE org_id = %s AND adapter = %s"
        connection.execute(statement, (fingerprint(seen), org_id, adapter))
        set_connection_state(connection, org_id, "needs_reconnect", reason, adapter=adapter)


@contextmanager
def _alone(database: Database, org_id: str, adapter: str) -> Iterator[Connection[Any]]:
    """An autocommit connection that holds the lock on this org's tokens; TransientError if another keeps it."""
    with database.connect(autocommit=True) as connection:
        connection.execute("SELECT set_config('lock_timeout', %s, false)", (_LOCK_PATIENCE,))
        try:
            connection.execute("SELECT pg_advisory_lock(%s, hashtext(%s))", (_LOCK_CLASS, _lock_name(org_id, adapter)))
        except LOCK_IN_USE:
            raise TransientError(f"another process has been refreshing the token of {org_id} for too long") from None
        yield connection


def _lock_name(org_id: str, adapter: str) -> str:
    """For the first source the name is the org alone, as in earlier versions, which may run beside this one."""
    return org_id if adapter == next(iter(SOURCES)) else f"{org_id} {adapter}"


def _now_there(database: Database) -> datetime:
    with database.connect() as connection:
        row = connection.execute("SELECT clock_timestamp()").fetchone()
    return row[0] if row else datetime.now(UTC)


def confirm_token(database: Database, org_id: str, token: OAuthToken, adapter: str) -> None:
    """Record that Planning Center has accepted the token: drop the previous pair, and mark the connection well.

    Except when its grant is known to be dead: such a token still works for the hours it has left.
    """
    with database.connect() as connection:
        cursor = connection.execute(
            "SELECT FROM sync.source_connections"
            " WHERE org_id = %s AND adapter = %s"
            " AND (previous_secret IS NOT NULL OR state <> 'connected' OR reason IS NOT NULL)",
            (org_id, adapter),
        )
        if cursor.rowcount == 0:
            return
        held = read_held(connection, cipher_from(database.settings), org_id, for_update=True, adapter=adapter)
        if not is_same(held.credentials, token):
            return
        connection.execute(_CONFIRM, (org_id, adapter))
        if held.dead_grant is None or held.dead_grant != fingerprint(token):
            set_connection_state(connection, org_id, "connected", adapter=adapter)


@dataclass
class KeptToken:
    """Provider of an org's OAuth token, for one event loop; refreshes it in the middle of a sync if necessary.

    check: raises ConnectionRejected for a token that must not take the place of the present one.
    """

    database: Database
    org_id: str
    token: OAuthToken
    adapter: str
    check: Check | None = None
    _door: asyncio.Lock = field(default_factory=asyncio.Lock)
    _patient_until: float = 0.0

    async def current(self) -> Credentials:
        if not self._is_expiring(BEFORE_EXPIRY) or monotonic() < self._patient_until:
            return self.token
        async with self._door:
            if self._is_expiring(BEFORE_EXPIRY):
                await self._renew_early()
            return self.token

    async def renewed(self, refused: Credentials) -> Credentials | None:
        async with self._door:
            if self.token is refused and self.token.refresh_token is not None:
                await self._renew()
            return None if self.token is refused else self.token

    async def worked(self, credentials: Credentials) -> None:
        if isinstance(credentials, OAuthToken):
            await asyncio.to_thread(confirm_token, self.database, self.org_id, credentials, self.adapter)

    async def _renew_early(self) -> None:
        try:
            await self._renew()
        except (RetriableError, UnexpectedResponse, ConfigurationError) as error:
            if self._is_expiring(timedelta()):
                raise
            self._patient_until = monotonic() + _PAUSE_AFTER_FAILURE_SECONDS
            _log.warning("the token of %s could not be refreshed yet: %s", self.org_id, error)

    async def _renew(self) -> None:
        renewed = await asyncio.to_thread(renew_token, self.database, self.org_id, self.token, self.adapter)
        if isinstance(renewed, OAuthToken):
            if self.check:
                await self.check(renewed)
            self.token = renewed

    def _is_expiring(self, margin: timedelta) -> bool:
        expires_at = self.token.expires_at
        return expires_at is not None and expires_at - margin <= datetime.now(UTC) and bool(self.token.refresh_token)


_DUE: Final = """
SELECT org_id, adapter FROM sync.source_connections JOIN sync.orgs USING (org_id)
 WHERE adapter = ANY(%(adapters)s) AND kind = 'oauth' AND removed_at IS NULL AND state <> 'needs_reconnect'
   AND (token_expires_at IS NULL
        OR token_expires_at < now() + CASE WHEN paused_at IS NULL THEN %(soon)s ELSE -%(idle)s END)
 ORDER BY token_expires_at
"""


def due_tokens(database: Database) -> list[tuple[str, str]]:
    """Orgs and sources whose token may expire before the next hourly refresh; paused ones only if their grant would."""
    values = {"adapters": list(CONNECTORS), "soon": DUE_BEFORE_EXPIRY, "idle": _IDLE}
    with database.connect() as connection, connection.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(_DUE, values).fetchall()


def refresh_due_tokens(database: Database) -> dict[str, str | None]:
    """Refresh every token that expires before the next hourly refresh, of every source.

    Returns the errors, or None, by org.
    """
    due = due_tokens(database)
    with ThreadPoolExecutor(8) as threads:
        errors = list(threads.map(lambda each: _refresh_one(database, *each), due))
    by_org: dict[str, list[str]] = {org_id: [] for org_id, _ in due}
    for (org_id, _), error in zip(due, errors, strict=True):
        by_org[org_id] += [error] if error else []
    return {org_id: "; ".join(reasons) or None for org_id, reasons in by_org.items()}


def _refresh_one(database: Database, org_id: str, adapter: str) -> str | None:
    try:
        with database.connect() as connection:
            token = read_held(connection, cipher_from(database.settings), org_id, adapter=adapter).credentials
        if isinstance(token, OAuthToken) and _is_due(token):
            renew_token(database, org_id, token, adapter)
    except OpenFaithError as error:
        return str(error)
    return None


def _is_due(token: OAuthToken) -> bool:
    """Checked again on the stored token: OpenFaith may have refreshed it."""
    return token.expires_at is None or token.expires_at < datetime.now(UTC) + DUE_BEFORE_EXPIRY
