"""JSON:API documents, the envelope only: the records in them belong to `extract/` and the catalog."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from openfaith_pipeline.errors import UnexpectedResponse
from openfaith_pipeline.planning_center.calls import Call


@dataclass(frozen=True, slots=True)
class Document:
    """One document from Planning Center.

    data: the records of a collection, a single record, or None if there is none. A record in a collection can be
        anything: a broken one is quarantined when loaded, and does not lose its page.
    included: the records requested by `include=`; they can lag behind the relationships that name them.
    requests: HTTP requests it took, including retries.
    waited_seconds: time spent waiting for the rate limit, ours or the server's; backoff after faults is not counted.
    received_at: when the body was complete, UTC, by this machine's clock.
    served_at: when the response was made, by the server's clock (`Date`); None if unknown.
    """

    data: list[Any] | dict[str, Any] | None
    included: list[Any]
    meta: dict[str, Any]
    links: dict[str, Any]
    requests: int
    waited_seconds: float
    received_at: datetime
    served_at: datetime | None = None

    @property
    def total_count(self) -> int | None:
        """Number of records in the whole collection according to the server; None if not given."""
        count = self.meta.get("total_count")
        return count if isinstance(count, int) else None

    @property
    def organization_id(self) -> str | None:
        """Planning Center's id of the church: the document's parent (recorded in People), or the document itself."""
        for resource in (self.meta.get("parent"), self.data):
            match resource:
                case {"type": "Organization", "id": str(number)}:
                    return number
        return None

    @property
    def next_offset(self) -> int | None:
        """Offset of the next page, None on the last. With `per_page=0` it is always 0."""
        following = self.meta.get("next")
        offset = following.get("offset") if isinstance(following, dict) else None
        return offset if isinstance(offset, int) else None


def read_document(
    body: dict[str, Any],
    call: Call,
    *,
    requests: int,
    waited_seconds: float,
    received_at: datetime,
    served_at: datetime | None = None,
) -> Document:
    """Raise UnexpectedResponse for a JSON object that is no JSON:API document with data."""
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
    return Document(data, included, meta, links, requests, waited_seconds, received_at, served_at)
