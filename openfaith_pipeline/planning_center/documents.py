"""JSON:API documents, the envelope only: the records in them belong to `extract/` and the catalog."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from openfaith_pipeline.catalog.reading import Document
from openfaith_pipeline.errors import UnexpectedResponse
from openfaith_pipeline.planning_center.calls import Call


def read_document(
    body: dict[str, Any],
    call: Call,
    *,
    requests: int,
    waited_seconds: float,
    received_at: datetime,
    served_at: datetime | None = None,
) -> Document:
    """The document in a JSON object; raises UnexpectedResponse if it is not a JSON:API document with data."""
    if "data" not in body:
        raise UnexpectedResponse(f"{call}: the response has no data")
    data = body["data"]
    if not (data is None or isinstance(data, dict | list)):
        raise UnexpectedResponse(f"{call}: data is neither records nor a record")
    included, meta, links = body.get("included", []), body.get("meta", {}), body.get("links", {})
    if not isinstance(included, list):
        raise UnexpectedResponse(f"{call}: included is not a list of records")
    if not (isinstance(meta, dict) and isinstance(links, dict)):
        raise UnexpectedResponse(f"{call}: meta or links is not an object")
    return Document(
        data,
        included,
        requests,
        waited_seconds,
        received_at,
        served_at,
        total_count=_number(meta.get("total_count")),
        next_offset=_next_offset(meta),
        account_number=_account_number(meta, data),
        orders=_orders(meta),
    )


def _next_offset(meta: Mapping[str, Any]) -> int | None:
    """Offset of the next page; None on the last page, always 0 with `per_page=0`."""
    following = meta.get("next")
    return _number(following.get("offset")) if isinstance(following, dict) else None


def _account_number(meta: Mapping[str, Any], data: Any) -> str | None:
    """Planning Center's id of the church: the document's parent (recorded in People), or the document itself."""
    for resource in (meta.get("parent"), data):
        match resource:
            case {"type": "Organization", "id": str(number)}:
                return number
    return None


def _orders(meta: Mapping[str, Any]) -> tuple[str, ...] | None:
    known = meta.get("can_order_by")
    return tuple(map(str, known)) if isinstance(known, list) else None


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) else None
