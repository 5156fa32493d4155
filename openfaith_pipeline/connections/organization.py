"""Whom credentials belong to: Planning Center's own account of the church."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from openfaith_pipeline.catalog.stream import Product
from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.client import connect_client
from openfaith_pipeline.connections.registry import api_url_of, credentials_of
from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import (
    ConnectionRejected,
    OpenFaithError,
    RateLimitedError,
    TransientError,
    UnavailableError,
    UnexpectedResponse,
)
from openfaith_pipeline.exact_json import storable
from openfaith_pipeline.orgs.registry import get_org, number_of
from openfaith_pipeline.planning_center import Credentials, PlanningCenterClient, RetryLimits

_SOMEONE_IS_WAITING: Final = RetryLimits(attempts=3, total=timedelta(seconds=20))


@dataclass(frozen=True)
class Organization:
    """Planning Center's id and name of a church."""

    organization_id: str
    name: str


async def read_organization(
    base_url: str, credentials: Credentials, retry: RetryLimits = _SOMEONE_IS_WAITING
) -> Organization:
    """Ask whom the credentials belong to, by one request to People's root (its `Organization` vertex).

    Raises ConnectionRejected, ProductNotGranted when the user may not use People, or TransientError within 20 seconds.
    """
    try:
        async with PlanningCenterClient(base_url, credentials, retry=retry) as client:
            document = await client.get(Product.PEOPLE.path_prefix, {}, product=Product.PEOPLE)
    except TransientError as error:
        raise TransientError(f"Planning Center does not answer at {base_url}: {error}") from None
    match document.data:
        case {"type": "Organization", "id": str(organization_id), "attributes": {"name": str(name)}}:
            return Organization(storable(organization_id), storable(name))
    raise UnexpectedResponse(f"{base_url}{Product.PEOPLE.path_prefix} does not say whose it is; is it Planning Center?")


async def learn_number(database: Database, org_id: str) -> None:
    """Ask the org's present credentials which church they are of, where its number is not known.

    Nothing is learned while they are refused or do not answer. Raises UnknownOrg.
    """
    with database.connect() as connection:
        if number_of(connection, get_org(connection, org_id).org_id):
            return
    with suppress(OpenFaithError):
        async with connect_client(database, org_id, retry=_SOMEONE_IS_WAITING) as client:
            await client.get(Product.PEOPLE.path_prefix, {}, product=Product.PEOPLE)


async def check_answering(database: Database, org_ids: Sequence[str]) -> None:
    """Raise TransientError when nothing answers where one of these orgs has its API. Each API is asked once.

    For someone who waits: a sync itself would be patient for minutes. What else is wrong, the sync will tell.
    """
    apis: dict[str, Credentials] = {}
    with database.connect() as connection:
        for org_id in org_ids:
            api_url = api_url_of(connection, org_id) or database.settings.pco_api_url
            if api_url not in apis:
                apis[api_url] = credentials_of(connection, cipher_from(database.settings), org_id)
    for api_url, credentials in apis.items():
        with suppress(ConnectionRejected, RateLimitedError, UnavailableError, UnexpectedResponse):
            await read_organization(api_url, credentials, replace(_SOMEONE_IS_WAITING, second_looks=()))
