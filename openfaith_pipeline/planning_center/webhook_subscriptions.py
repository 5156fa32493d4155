"""Webhook subscriptions at Planning Center: which events it offers, and those that a church has."""

from collections.abc import Mapping
from typing import Any, Final

from openfaith_pipeline.catalog.events import MOST_ID_CHARACTERS, SubscriptionThere
from openfaith_pipeline.catalog.reading import Client, Document, Tally
from openfaith_pipeline.catalog.walk import id_of
from openfaith_pipeline.errors import PathNotFound, UnexpectedResponse
from openfaith_pipeline.planning_center.extract.listings import ListingState, list_pages
from openfaith_pipeline.planning_center.extract.pages import Listing
from openfaith_pipeline.planning_center.products import Product

_EVENTS_PATH: Final = f"{Product.WEBHOOKS.path_prefix}/available_events"
_PATH: Final = f"{Product.WEBHOOKS.path_prefix}/webhook_subscriptions"


class WebhookSubscriptions:
    """The subscriptions of the church that the client's credentials belong to; see `catalog.events.Subscriptions`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def offered(self) -> list[str]:
        return [_name_in(row) for row in await self._list(_EVENTS_PATH)]

    async def there(self) -> list[SubscriptionThere]:
        return [_read(id, row) for row in await self._list(_PATH) if (id := _usable_id(row))]

    async def add(self, event: str, url: str) -> tuple[str, str]:
        attributes = {"name": event, "url": url, "active": True}
        body = {"data": {"type": "WebhookSubscription", "attributes": attributes}}
        document = await self._client.write("POST", _PATH, product=Product.WEBHOOKS, body=body)
        id = _usable_id(document.data)
        if id is None:
            raise UnexpectedResponse(f"POST {_PATH}: the subscription has no usable id")
        return id, _secret_in(document)

    async def enable(self, id: str) -> None:
        body = {"data": {"type": "WebhookSubscription", "id": id, "attributes": {"active": True}}}
        await self._client.write("PATCH", f"{_PATH}/{id}", product=Product.WEBHOOKS, body=body)

    async def new_secret(self, id: str) -> str:
        path = f"{_PATH}/{id}/rotate_secret"
        return _secret_in(await self._client.write("POST", path, product=Product.WEBHOOKS))

    async def delete(self, id: str) -> None:
        try:
            await self._client.write("DELETE", f"{_PATH}/{id}", product=Product.WEBHOOKS)
        except PathNotFound:
            return

    async def _list(self, path: str) -> list[dict[str, Any]]:
        async def fetch(path: str, params: Mapping[str, str]) -> Document:
            return await self._client.get(path, params, product=Product.WEBHOOKS)

        pages = list_pages(fetch, Listing(path), ListingState(), Tally())
        return [row async for page in pages for row in page.rows if isinstance(row, dict)]


def _read(id: str, row: Mapping[str, Any]) -> SubscriptionThere:
    attributes = _attributes(row)
    secret = attributes.get("authenticity_secret")
    return SubscriptionThere(
        id=id,
        event=_name_in(row),
        url=str(attributes.get("url")),
        is_active=attributes.get("active") is not False,
        secret=str(secret) if secret else None,
    )


def _name_in(row: Mapping[str, Any]) -> str:
    return str(_attributes(row).get("name"))


def _usable_id(row: Any) -> str | None:
    identifier = id_of(row)
    return identifier if identifier and len(identifier) <= MOST_ID_CHARACTERS else None


def _attributes(row: Mapping[str, Any]) -> Mapping[str, Any]:
    attributes = row.get("attributes")
    return attributes if isinstance(attributes, dict) else {}


def _secret_in(document: Document) -> str:
    """The secret in the response for a new or rotated subscription. Raises UnexpectedResponse if there is none."""
    secret = _attributes(document.data).get("authenticity_secret") if isinstance(document.data, dict) else None
    if not isinstance(secret, str) or not secret:
        raise UnexpectedResponse("Planning Center made a webhook subscription but returned no secret")
    return secret
