"""Whom credentials belong to: Planning Center's own account of the church."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from openfaith_pipeline.catalog import Product
from openfaith_pipeline.errors import UnexpectedResponse
from openfaith_pipeline.planning_center import Credentials, PlanningCenterClient, RetryLimits

_SOMEONE_IS_WAITING: Final = RetryLimits(attempts=3, total=timedelta(seconds=20))


@dataclass(frozen=True)
class Organization:
    """Planning Center's id and name of a church."""

    organization_id: str
    name: str


async def read_organization(base_url: str, credentials: Credentials) -> Organization:
    """Ask whom the credentials belong to, by one request to People's root (its `Organization` vertex).

    Raises ConnectionRejected, ProductNotGranted when the user may not use People, or TransientError within 20 seconds.
    """
    async with PlanningCenterClient(base_url, credentials, retry=_SOMEONE_IS_WAITING) as client:
        document = await client.get(Product.PEOPLE.path_prefix, {}, product=Product.PEOPLE)
    match document.data:
        case {"type": "Organization", "id": str(organization_id), "attributes": {"name": str(name)}}:
            return Organization(organization_id, name)
    raise UnexpectedResponse(f"{base_url}{Product.PEOPLE.path_prefix} does not say whose it is; is it Planning Center?")
