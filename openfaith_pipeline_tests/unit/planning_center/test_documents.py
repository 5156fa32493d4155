"""Parsing of the JSON:API envelope, and its refusal when malformed."""

from datetime import UTC, datetime
from typing import Any

import pytest

from openfaith_pipeline.catalog.reading import Document
from openfaith_pipeline.errors import UnexpectedResponse
from openfaith_pipeline.planning_center.calls import Call
from openfaith_pipeline.planning_center.documents import read_document
from openfaith_pipeline.planning_center.products import Product

CALL = Call("/people/v2/people", {}, Product.PEOPLE)
AT = datetime(2026, 1, 2, tzinfo=UTC)


def document(body: dict[str, Any]) -> Document:
    return read_document(body, CALL, requests=2, waited_seconds=1.5, received_at=AT)


def test_envelope_is_taken_apart() -> None:
    person, email = {"type": "Person", "id": "1"}, {"type": "Email", "id": "1"}
    links = {"self": "https://pco.invalid/people"}
    meta = {"total_count": 313, "next": {"offset": 100}}
    read = document({"data": [person], "included": [email], "meta": meta, "links": links})
    assert (read.data, read.included) == ([person], [email])
    assert (read.total_count, read.next_offset) == (313, 100)
    assert (read.requests, read.waited_seconds, read.received_at) == (2, 1.5, AT)


def test_single_record_and_no_record_are_data_too() -> None:
    assert document({"data": {"type": "Person", "id": "1"}}).data == {"type": "Person", "id": "1"}
    assert document({"data": None}).data is None


def test_last_page_has_no_next_offset() -> None:
    read = document({"data": []})
    assert (read.included, read.total_count, read.next_offset, read.orders) == ([], None, None, None)


def test_a_next_offset_of_zero_is_kept() -> None:
    assert document({"data": [], "meta": {"next": {"offset": 0}}}).next_offset == 0


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"errors": []},
        {"data": "people"},
        {"data": [], "included": {}},
        {"data": [], "meta": []},
        {"data": [], "links": None},
    ],
)
def test_object_that_is_no_document_breaks_the_contract(body: dict[str, Any]) -> None:
    with pytest.raises(UnexpectedResponse, match="GET /people/v2/people: "):
        document(body)


def test_a_broken_record_does_not_cost_its_page() -> None:
    read = document({"data": [None, {"id": "1"}], "included": [5]})
    assert read.data == [None, {"id": "1"}] and read.included == [5]
