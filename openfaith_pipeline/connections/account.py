"""The account that an org's credentials belong to, and whether its source answers at all."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from openfaith_pipeline.catalog.connecting import SOMEONE_IS_WAITING
from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.client import connect_client
from openfaith_pipeline.connections.registry import api_url_of, credentials_of
from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import (
    ConnectionRejected,
    OpenFaithError,
    RateLimitedError,
    UnavailableError,
    UnexpectedResponse,
)
from openfaith_pipeline.network.credentials import Credentials
from openfaith_pipeline.orgs.registry import get_org, number_of
from openfaith_pipeline.sources import CONNECTORS


async def learn_number(database: Database, org_id: str, adapter: str) -> None:
    """Record the church of the org's current credentials, if its organization id is not known.

    Records nothing if they are refused or there is no response. Raises UnknownOrg.
    """
    with database.connect() as connection:
        if number_of(connection, get_org(connection, org_id).org_id, adapter):
            return
    with suppress(OpenFaithError):
        async with connect_client(database, org_id, adapter, retry=SOMEONE_IS_WAITING) as client:
            await CONNECTORS[adapter].read_root(client)


async def check_answering(database: Database, org_ids: Sequence[str], adapter: str) -> None:
    """Raise TransientError if an API of these orgs does not respond. Each API is requested once.

    For interactive use: a sync itself would retry for minutes. Other problems are left for the sync to report.
    """
    apis: dict[str, Credentials] = {}
    with database.connect() as connection:
        for org_id in org_ids:
            api_url = api_url_of(connection, database.settings, org_id, adapter)
            if api_url not in apis:
                apis[api_url] = credentials_of(connection, cipher_from(database.settings), org_id, adapter)
    for api_url, credentials in apis.items():
        with suppress(ConnectionRejected, RateLimitedError, UnavailableError, UnexpectedResponse):
            await CONNECTORS[adapter].read_account(api_url, credentials, replace(SOMEONE_IS_WAITING, second_looks=()))
