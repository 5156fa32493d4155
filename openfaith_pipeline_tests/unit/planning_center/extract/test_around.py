"""Reading around a failing include or record, which is found and named."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openfaith_pipeline.catalog.reading import Document, Fetch, Fetches
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

    careful = going_around(Fetches(fetch, fetch, fetch))
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


def test_a_page_without_a_readable_record_fails_as_it_did() -> None:
    with pytest.raises(TransientError, match="500"):
        read({}, lambda *_: TransientError("500"))


@pytest.mark.parametrize("error", [SourceUnreachable("gone"), RateLimitedError("429"), UnexpectedResponse("422")])
def test_an_error_that_is_not_the_requests_own_is_not_gone_around(error: OpenFaithError) -> None:
    with pytest.raises(type(error)):
        read({}, lambda *_: error)


def degrees_of(answers: Callable[[str, bool], OpenFaithError | None], asked: list[str]) -> Fetches:
    """Fetches that note by which degree of patience they are asked. answers: by degree and whether it has includes."""

    def fetch_of(degree: str) -> Fetch:
        async def fetch(path: str, params: Mapping[str, str]) -> Document:
            asked.append(degree + (" with includes" if "include" in params else ""))
            error = answers(degree, "include" in params)
            if error:
                raise error
            return await Collection({1: 1}).fetch(path, params)

        return fetch

    return Fetches(fetch_of("patient"), fetch_of("brief"), fetch_of("probe"))


def test_an_include_that_always_fails_does_not_cost_the_usual_patience() -> None:
    asked: list[str] = []
    fetches = degrees_of(lambda _, has_includes: TransientError("500") if has_includes else None, asked)
    with pytest.raises(IncludesRefused):
        asyncio.run(going_around(fetches)(PATH, {"include": "emails", "per_page": "1"}))
    assert asked == ["brief with includes", "probe", "probe with includes"]


def test_a_fault_that_passes_in_the_meantime_is_not_the_includes() -> None:
    asked: list[str] = []
    fetches = degrees_of(lambda degree, _: TransientError("500") if degree == "brief" else None, asked)
    document = asyncio.run(going_around(fetches)(PATH, {"include": "emails", "per_page": "100"}))
    assert ids(document) == [1]


@pytest.mark.parametrize("include", [{}, {"include": "emails"}])
def test_while_nothing_is_answered_a_request_has_the_usual_patience(include: dict[str, str]) -> None:
    asked: list[str] = []
    fetches = degrees_of(lambda degree, _: None if degree == "patient" else TransientError("500"), asked)
    document = asyncio.run(going_around(fetches)(PATH, {"per_page": "100", **include}))
    assert ids(document) == [1]
    assert [each.split()[0] for each in asked].count("patient") == 1


def test_a_refusal_of_every_form_is_not_requested_again() -> None:
    asked: list[str] = []
    with pytest.raises(StreamForbidden):
        asyncio.run(going_around(degrees_of(lambda *_: StreamForbidden("403"), asked))(PATH, {"include": "emails"}))
    assert asked == ["brief with includes", "probe"]
