"""JSON:API documents: the envelope only. What the records in it mean is for `extract/` and the catalog."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from openfaith_pipeline.errors import UnexpectedResponse
from openfaith_pipeline.planning_center.calls import Call


@dataclass(frozen=True, slots=True)
class Document:
    """One answer of Planning Center.

    data: the records of a collection, the record of a single path, or None where there is none. A record in a
        collection can be anything: a broken one is for the loader to quarantine, not a reason to lose its page.
    included: the records asked for by `include=`; they can lag behind the relationships that name them.
    requests: HTTP requests it took, retries counted.
    waited_seconds: time spent waiting for the rate limit, ours or the server's; backing off from faults not counted.
    received_at: when the body was there, UTC, by this machine's clock.
    served_at: when the answer was made, by the server's own clock (`Date`); None where it does not say.
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
        """Records in the whole collection as the server counts them now; None where it does not say."""
        count = self.meta.get("total_count")
        return count if isinstance(count, int) else None

    @property
    def organization_id(self) -> str | None:
        """Planning Center's number of the church: the answer's parent (recorded of People), or the answer itself."""
        for resource in (self.meta.get("parent"), self.data):
            match resource:
                case {"type": "Organization", "id": str(number)}:
                    return number
        return None

    @property
    def next_offset(self) -> int | None:
        """Offset of the next page, None on the last. With `per_page=0` it is 0 for ever."""
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
        raise UnexpectedResponse(f"{call}: the answer has no data")
    data = body["data"]
    if not (data is None or isinstance(data, dict | list)):
        raise UnexpectedResponse(f"{call}: data is neither records nor a record")
    included, meta, links = body.get("included", []), body.get("meta", {}), body.get("links", {})
    if not isinstance(included, list):
        raise UnexpectedResponse(f"{call}: included is not a list of records")
    if not (isinstance(meta, dict) and isinstance(links, dict)):
        raise UnexpectedResponse(f"{call}: meta or links is not an object")
    return Document(data, included, meta, links, requests, waited_seconds, received_at, served_at)
