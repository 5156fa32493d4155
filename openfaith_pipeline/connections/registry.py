"""Orgs and their connections. The caller commits."""

from typing import Any, Literal

from psycopg import Connection
from psycopg.rows import tuple_row

from openfaith_pipeline.alerts.dead_connections import watch_deaths
from openfaith_pipeline.connections.cipher import Cipher
from openfaith_pipeline.connections.credentials import kind_of, put_credentials, read_held
from openfaith_pipeline.network.credentials import Credentials, OAuthToken
from openfaith_pipeline.orgs.org_ids import check_org_id
from openfaith_pipeline.orgs.registry import get_org
from openfaith_pipeline.settings import Settings
from openfaith_pipeline.sources import CONNECTORS, SOURCES
from openfaith_pipeline.text.printable import printable

ConnectionState = Literal["connected", "degraded", "needs_reconnect"]


def add_org(  # noqa: PLR0913 - all that a connection is made of
    connection: Connection[Any],
    cipher: Cipher,
    org_id: str,
    name: str,
    credentials: Credentials,
    *,
    api_url: str | None = None,
    organization_id: str | None = None,
    adapter: str,
) -> None:
    """Add an org, or give a known one a new name and new credentials; a removed org comes back with its data.

    api_url: where its source answers, None for where that usually does.
    adapter: the source that it leads to.
    organization_id: the source's own id of the church, None if it is not known.
    """
    check_org_id(org_id)
    connection.execute(
        "INSERT INTO sync.orgs (org_id, name) VALUES (%s, %s)"
        " ON CONFLICT (org_id) DO UPDATE SET name = excluded.name, removed_at = NULL",
        (org_id, printable(name)),
    )
    if organization_id is not None:
        connection.execute(
            "INSERT INTO sync.source_accounts (org_id, adapter, number) VALUES (%s, %s, %s)"
            " ON CONFLICT (org_id, adapter) DO UPDATE SET number = excluded.number",
            (org_id, adapter, organization_id),
        )
    expires_at = credentials.expires_at if isinstance(credentials, OAuthToken) else None
    connection.execute(
        "INSERT INTO sync.source_connections (org_id, adapter, kind, api_url, token_expires_at)"
        " VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT (org_id, adapter) DO UPDATE SET api_url = excluded.api_url,"
        " token_expires_at = excluded.token_expires_at,"
        " previous_secret = NULL, refresh_began_at = NULL, refresh_failed_at = NULL, refresh_error = NULL,"
        " updated_at = now()",
        (org_id, adapter, kind_of(credentials), api_url, expires_at),
    )
    put_credentials(connection, cipher, org_id, credentials, adapter)
    set_connection_state(connection, org_id, "connected", adapter=adapter)


def credentials_of(connection: Connection[Any], cipher: Cipher, org_id: str, adapter: str) -> Credentials:
    """The org's credentials. Raises UnknownOrg, or ConfigurationError if there are none or no key decrypts them."""
    get_org(connection, org_id)
    return read_held(connection, cipher, org_id, adapter=adapter).credentials


def api_url_of(connection: Connection[Any], settings: Settings, org_id: str, adapter: str) -> str:
    """Where the org's source answers: the connection's own address, else the source's."""
    return own_api_url(connection, org_id, adapter) or CONNECTORS[adapter].api_url(settings)


def own_api_url(connection: Connection[Any], org_id: str, adapter: str) -> str | None:
    """The address that the org's connection has of its own."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(
            "SELECT api_url FROM sync.source_connections WHERE org_id = %s AND adapter = %s", (org_id, adapter)
        ).fetchone()
    return row[0] if row else None


def set_connection_state(
    connection: Connection[Any],
    org_id: str,
    state: ConnectionState,
    reason: str | None = None,
    *,
    adapter: str,
) -> None:
    """Record the state shown by the last attempt; `reason` is for people and must contain no secret.

    A connection that dies raises an alert, and several within an hour one more; a connection that works again
    resolves them.
    """
    has_changed = connection.execute(
        "UPDATE sync.source_connections SET state = %(state)s, reason = %(reason)s, updated_at = now(),"
        " revived_at = CASE WHEN state = 'needs_reconnect' AND %(state)s <> state THEN now() ELSE revived_at END,"
        " dead_since = CASE WHEN %(state)s = 'needs_reconnect' THEN coalesce(dead_since, now()) END"
        " WHERE org_id = %(org)s AND adapter = %(adapter)s"
        " AND (state, reason) IS DISTINCT FROM (%(state)s, %(reason)s)",
        {"state": state, "reason": reason, "org": org_id, "adapter": adapter},
    ).rowcount
    if has_changed:
        watch_deaths(connection, org_id, reason if state == "needs_reconnect" else None, SOURCES[adapter])
