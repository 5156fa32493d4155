"""Reading around a failing include or record, which is found and named."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openfaith_pipeline.catalog.reading import Document
from openfaith_pipeline.errors import (
    OpenFaithError,
    RateLimitedError,
    SourceUnreachable,
    StreamForbidden,
    TransientError,
    UnexpectedResponse,
)
from openfaith_pipeline.planning_center.extract.around import (
    MOST_UNREAD,
    IncludesRefused,
    Unread,
    going_around,
)
from openfaith_pipeline_tests.unit.planning_center.extract.collection import Collection

PATH = "/people/v2/people"
NAMES = ("addresses", "emails", "field_data", "field_data.field_option", "school", "social_profiles")


def read(
    params: Mapping[str, str],
    fails: Callable[[Mapping[str, str], Document], OpenFaithError | None],
    rows: int = 250,
) -> tuple[Document, int]:
    """The document, and how many requests were made for it."""
    collection = Collection(dict.fromkeys(range(1, rows + 1), 1))

    async def fetch(path: str, params: Mapping[str, str]) -> Document:
        document = await collection.fetch(path, params)
        error = fails(params, document)
        if error:
            raise error
        return document

    careful = going_around(fetch, fetch)
    return asyncio.run(careful(PATH, {"per_page": "100", **params})), len(collection.requests)


def ids(document: Document) -> list[Any]:
    assert isinstance(document.data, list)
    return [row if isinstance(row, Unread) else int(row["id"]) for row in document.data]


def includes(params: Mapping[str, str]) -> set[str]:
    return set(params.get("include", "").split(",")) - {""}


@settings(max_examples=20, deadline=None)
@given(st.sets(st.sampled_from(NAMES), min_size=1))
def test_the_includes_at_fault_are_found_and_no_others(faulty: set[str]) -> None:
    hopeless = faulty | ({"field_data.field_option"} if "field_data" in faulty else set())
    with pytest.raises(IncludesRefused) as refused:
        read({"include": ",".join(NAMES)}, lambda it, _: TransientError("500") if includes(it) & faulty else None)
    assert {each.name for each in refused.value.refused} == hopeless


def test_includes_that_fail_only_together_are_halved() -> None:
    with pytest.raises(IncludesRefused) as refused:
        read({"include": ",".join(NAMES)}, lambda it, _: TransientError("504") if len(includes(it)) > 4 else None)
    assert {each.name for each in refused.value.refused} == set(NAMES[3:])


def test_a_refusal_may_be_an_includes_too() -> None:
    with pytest.raises(IncludesRefused, match="include=emails: 403"):
        read({"include": "emails"}, lambda it, _: StreamForbidden("403") if "include" in it else None)


@settings(max_examples=20, deadline=None)
@given(st.sets(st.integers(1, 250), max_size=MOST_UNREAD), st.sampled_from([0, 99, 200]))
def test_records_that_cannot_be_read_keep_their_place_and_the_others_are_read(faulty: set[int], offset: int) -> None:
    def fails(_: Mapping[str, str], document: Document) -> OpenFaithError | None:
        return TransientError("500") if faulty & set(ids(document)) else None

    params = {"offset": str(offset)} if offset else {}
    document, requests = read(params, fails)
    whole, _ = read(params, lambda *_: None)
    assert [row if isinstance(row, int) else None for row in ids(document)] == [
        None if row in faulty else row for row in ids(whole)
    ]
    assert (document.total_count, document.next_offset) == (whole.total_count, whole.next_offset)
    assert requests <= 1 + 20 * MOST_UNREAD
    places = {row.place for row in ids(document) if isinstance(row, Unread)}
    assert places == {f"{PATH}, record {number} of its listing" for number in faulty & set(ids(whole))}


def test_a_page_of_which_nothing_can_be_read_fails_as_it_did() -> None:
    with pytest.raises(TransientError, match="500"):
        read({}, lambda *_: TransientError("500"))


@pytest.mark.parametrize("error", [SourceUnreachable("gone"), RateLimitedError("429"), UnexpectedResponse("422")])
def test_what_is_not_the_requests_own_fault_is_not_gone_around(error: OpenFaithError) -> None:
    with pytest.raises(type(error)):
        read({}, lambda *_: error)
