"""Clients for orgs; the outcome of their requests is recorded on the connection."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from openfaith_pipeline.catalog.reading import Client
from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.credentials import is_held_there
from openfaith_pipeline.connections.oauth_tokens import KeptToken
from openfaith_pipeline.connections.registry import ConnectionState, api_url_of, credentials_of, set_connection_state
from openfaith_pipeline.connections.right_church import check_church, check_token
from openfaith_pipeline.connections.shared_budget import shared_budget
from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import ConnectionRejected, OrgPaused
from openfaith_pipeline.network.credentials import Credentials, OAuthToken
from openfaith_pipeline.network.rate_ledger import Priority
from openfaith_pipeline.network.retrying import USUAL_PATIENCE, RetryLimits
from openfaith_pipeline.orgs.registry import get_org, number_of, record_number
from openfaith_pipeline.sources import CONNECTORS

ClientFactory = Callable[[Database, str, str], AbstractAsyncContextManager[Client]]
"""(database, org_id, adapter) -> the org's client, as from `connect_client`."""


@asynccontextmanager
async def connect_client(
    database: Database,
    org_id: str,
    adapter: str,
    *,
    priority: Priority = Priority.INCREMENTAL,
    retry: RetryLimits = USUAL_PATIENCE,
    even_paused: bool = False,
) -> AsyncIterator[Client]:
    """A client with the org's credentials, refreshed as needed; if they are dead, the org is marked for reconnecting.

    If the church's id is not known yet, the first response of People is used to record it. Requests go through the
    connection's rate budget, which all processes share, with this priority.

    even_paused: allowed for work other than syncs.

    Raises UnknownOrg, OrgPaused, or ConfigurationError without readable credentials.
    """
    kept = await asyncio.to_thread(_read_connection, database, org_id, adapter, even_paused)
    api_url, credentials, number, is_theirs = kept
    is_renewable = isinstance(credentials, OAuthToken) and credentials.refresh_token is not None
    connector = CONNECTORS[adapter]

    async def check(token: OAuthToken) -> None:
        known = number or client.organization_id
        if is_theirs and known:
            await _recorded(database, org_id, adapter, check_token(api_url, org_id, adapter, token, known))

    source = (
        KeptToken(database, org_id, credentials, adapter, check) if isinstance(credentials, OAuthToken) else credentials
    )
    async with (
        shared_budget(database, org_id, priority, adapter) as budget,
        connector.open_client(
            api_url, source, budget=budget, retry=retry, most_connections=connector.most_connections(database.settings)
        ) as client,
    ):
        try:
            if is_theirs and number and isinstance(credentials, OAuthToken):
                checking = check_church(client, org_id, adapter, credentials, number)
                await _recorded(database, org_id, adapter, checking)
            yield client
        except ConnectionRejected as refusal:
            # For a refreshable grant only the token endpoint can say that it is over, and that is recorded there.
            if not is_renewable:
                await asyncio.to_thread(_record, database, org_id, adapter, "needs_reconnect", str(refusal))
            raise
        finally:
            if client.organization_id and not number:
                await asyncio.to_thread(_record_number, database, org_id, client.organization_id, adapter)
        if source is credentials:  # a stored token is confirmed when it is first accepted
            await asyncio.to_thread(_record_end, database, org_id, adapter, client)


def _record_end(database: Database, org_id: str, adapter: str, client: Client) -> None:
    """Record the state after work that went on without some responses, as the applier of webhooks does."""
    if client.refusal:
        _record(database, org_id, adapter, "needs_reconnect", client.refusal)
    elif client.is_accepted:
        _record(database, org_id, adapter, "connected", None)


async def _recorded(database: Database, org_id: str, adapter: str, checking: Awaitable[None]) -> None:
    """Record it if the check of a token finds that it is another church's."""
    try:
        await checking
    except ConnectionRejected as refusal:
        await asyncio.to_thread(_record, database, org_id, adapter, "needs_reconnect", str(refusal))
        raise


def _read_connection(
    database: Database, org_id: str, adapter: str, even_paused: bool
) -> tuple[str, Credentials, str | None, bool]:
    with database.connect() as connection:
        org = get_org(connection, org_id)
        if org.paused_at is not None and not even_paused:
            raise OrgPaused(f"{org_id} is paused; resume it with: openfaith-pipeline org resume {org_id}")
        credentials = credentials_of(connection, cipher_from(database.settings), org_id, adapter)
        api_url = api_url_of(connection, database.settings, org_id, adapter)
        number = number_of(connection, org_id, adapter)
        return api_url, credentials, number, is_held_there(connection, org_id, adapter)


def _record_number(database: Database, org_id: str, number: str, adapter: str) -> None:
    with database.connect() as connection:
        record_number(connection, org_id, number, adapter)


def _record(database: Database, org_id: str, adapter: str, state: ConnectionState, reason: str | None) -> None:
    with database.connect() as connection:
        set_connection_state(connection, org_id, state, reason, adapter=adapter)
