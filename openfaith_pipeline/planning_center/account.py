"""The owner of credentials: Planning Center's `Organization`, which is a church, and one of its people."""

from openfaith_pipeline.catalog.connecting import SOMEONE_IS_WAITING
from openfaith_pipeline.catalog.reading import Client, Document
from openfaith_pipeline.catalog.source import Account
from openfaith_pipeline.errors import TransientError, UnexpectedResponse
from openfaith_pipeline.network.credentials import Credentials
from openfaith_pipeline.network.retrying import RetryLimits
from openfaith_pipeline.planning_center.client import PlanningCenterClient
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.planning_center.source import PLANNING_CENTER
from openfaith_pipeline.planning_center.streams import people
from openfaith_pipeline.text.exact_json import storable


async def read_account(base_url: str, credentials: Credentials, retry: RetryLimits = SOMEONE_IS_WAITING) -> Account:
    """The church that the credentials belong to, by one request to People's root (its `Organization` vertex).

    Raises ConnectionRejected, ProductNotGranted when the user may not use People, or TransientError within 20 seconds.
    """
    try:
        async with PlanningCenterClient(base_url, credentials, retry=retry) as client:
            document = await read_root(client)
    except TransientError as error:
        raise TransientError(f"{PLANNING_CENTER.title} does not answer at {base_url}: {error}") from None
    match document.data:
        case {"type": "Organization", "id": str(number), "attributes": {"name": str(name)}}:
            return Account(storable(number), storable(name))
    root = f"{base_url}{Product.PEOPLE.path_prefix}"
    raise UnexpectedResponse(f"{root} does not name its organization; is it {PLANNING_CENTER.title}?")


async def read_root(client: Client) -> Document:
    """People's root: the cheapest request whose answer names the church."""
    return await client.get(Product.PEOPLE.path_prefix, {}, product=Product.PEOPLE)


async def read_user(client: Client) -> tuple[str, str] | None:
    """The person who owns the credentials: a record of People in the church that they are for."""
    document = await client.get(f"{Product.PEOPLE.path_prefix}/me", {}, product=Product.PEOPLE)
    match document.data:
        case {"type": "Person", "id": str(number)} if number:
            return people.PEOPLE.name, storable(number)
    return None
