"""From an org to a client that reads its Planning Center, and back: what the client met is recorded of the org."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import ConnectionRejected, OrgPaused
from openfaith_pipeline.orgs.cipher import cipher_from
from openfaith_pipeline.orgs.registry import (
    ConnectionState,
    api_url_of,
    credentials_of,
    get_org,
    set_connection_state,
)
from openfaith_pipeline.orgs.shared_budget import shared_budget
from openfaith_pipeline.orgs.tokens import KeptToken
from openfaith_pipeline.planning_center.client import PlanningCenterClient
from openfaith_pipeline.planning_center.credentials import Credentials, OAuthToken
from openfaith_pipeline.planning_center.rate_ledger import Priority

ClientFactory = Callable[[Database, str], AbstractAsyncContextManager[PlanningCenterClient]]
"""(database, org_id) -> the org's client, as `connect_client` makes it."""


@asynccontextmanager
async def connect_client(
    database: Database, org_id: str, *, priority: Priority = Priority.INCREMENTAL
) -> AsyncIterator[PlanningCenterClient]:
    """A client with the org's credentials, renewed as it goes; when they are dead, the org is marked for reconnecting.

    Its requests go out under the connection's one rate budget, which all processes share; priority says who goes first.

    Raises UnknownOrg, OrgPaused, or ConfigurationError when there are no credentials that can be read.
    """
    api_url, credentials = await asyncio.to_thread(_read_connection, database, org_id)
    is_renewable = isinstance(credentials, OAuthToken) and credentials.refresh_token is not None
    source = KeptToken(database, org_id, credentials) if isinstance(credentials, OAuthToken) else credentials
    async with (
        shared_budget(database, org_id, priority) as budget,
        PlanningCenterClient(
            api_url, source, budget=budget, most_connections=database.settings.pco_connections
        ) as client,
    ):
        try:
            yield client
        except ConnectionRejected as refusal:
            # Of a grant that can be refreshed only the token endpoint says that it is over, and that is recorded then.
            if not is_renewable:
                await asyncio.to_thread(_record, database, org_id, "needs_reconnect", str(refusal))
            raise
        if client.requests and source is credentials:  # a kept token is confirmed when it is first accepted
            await asyncio.to_thread(_record, database, org_id, "connected", None)


def _read_connection(database: Database, org_id: str) -> tuple[str, Credentials]:
    with database.connect() as connection:
        org = get_org(connection, org_id)
        if org.paused_at is not None:
            raise OrgPaused(f"{org_id} is paused; resume it with: openfaith-pipeline org resume {org_id}")
        credentials = credentials_of(connection, cipher_from(database.settings), org_id)
        return api_url_of(connection, org_id) or database.settings.pco_api_url, credentials


def _record(database: Database, org_id: str, state: ConnectionState, reason: str | None) -> None:
    with database.connect() as connection:
        set_connection_state(connection, org_id, state, reason)
