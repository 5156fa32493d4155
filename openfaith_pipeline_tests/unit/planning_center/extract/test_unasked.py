"""Attributes that need `fields[...]` are requested, without hiding those that come by default."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from openfaith_pipeline.catalog.reading import Document
from openfaith_pipeline.catalog.walk import query_of
from openfaith_pipeline.planning_center.extract.unasked import Unasked
from openfaith_pipeline.sources import STREAMS

ATTENDEES = STREAMS["registrations.attendees"]
LISTED = {"per_page": "100", **query_of(ATTENDEES)}
ROW = {"type": "Attendee", "id": "1", "attributes": {"active": True, "shoe_size": 44}, "relationships": {"cabin": {}}}


def asked(rows: list[Any], listings: int) -> list[Mapping[str, str]]:
    requests: list[Mapping[str, str]] = []

    async def fetch(_: str, params: Mapping[str, str]) -> Document:
        requests.append(params)
        return Document(rows, [], 1, 0.0, datetime.now(UTC))

    async def read() -> int:
        asking = Unasked().asking(fetch, [ATTENDEES])
        documents = [await asking(f"/registrations/v2/signups/{each}/attendees", LISTED) for each in range(listings)]
        return sum(document.requests for document in documents)

    assert asyncio.run(read()) == len(requests)
    return requests


def test_parts_that_a_record_shows_without_a_request_are_learnt_once_and_requested_with_the_rest() -> None:
    first, *others = asked([ROW], listings=2)
    assert first == {"per_page": "1"}
    assert len(others) == 2
    for params in others:
        assert params["include"] == LISTED["include"]
        assert {"complete", "active", "person", "shoe_size", "cabin"} <= {*params["fields[Attendee]"].split(",")}


def test_an_empty_listing_costs_no_more_than_before() -> None:
    assert len(asked([], listings=3)) == 3
