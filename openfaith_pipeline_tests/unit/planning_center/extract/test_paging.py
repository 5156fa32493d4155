"""Paging under change: whatever comes, goes or moves between requests, no row that was there is lost."""

import asyncio
import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from openfaith_pipeline.catalog.reading import Document, Fetch, Tally
from openfaith_pipeline.planning_center.extract.listings import ListingState, list_pages
from openfaith_pipeline.planning_center.extract.pages import PAGE_SIZE, Listing, Piece
from openfaith_pipeline.planning_center.extract.prefetch import PAGES_ABREAST
from openfaith_pipeline.planning_center.extract.windows import WindowState, window_pages
from openfaith_pipeline_tests.unit.planning_center.extract.collection import Bugs, Change, Collection, stamp

THINGS = Listing("/people/v2/things")


def changes() -> st.SearchStrategy[list[list[Change]]]:
    place = st.integers(0, 10_000)
    kinds = (Collection.update, Collection.delete, Collection.insert)
    one = st.builds(lambda kind, at: lambda collection: kind(collection, at), st.sampled_from(kinds), place)
    return st.lists(st.lists(one, max_size=6), max_size=25)


# Few distinct seconds, so that bulk edits put more rows into one second than a page holds.
rows = st.builds(
    lambda seconds, nulls: dict(enumerate([None] * nulls + seconds, start=1)),
    st.lists(st.integers(0, 4), max_size=450),
    st.integers(0, 150),
)


# Requests that are in flight together are answered in any order.
delays = st.lists(st.integers(0, 6), max_size=30)


def read_windows(collection: Collection, state: WindowState) -> list[dict[str, Any]]:
    async def read() -> list[dict[str, Any]]:
        pages = window_pages(collection.fetch, THINGS, "updated_at", state, Tally())
        return [row async for page in pages for row in page.rows]

    return asyncio.run(read())


def read_listing(collection: Collection, state: ListingState, listing: Listing = THINGS, **more: Any) -> list[Piece]:
    async def read() -> list[Piece]:
        return [page async for page in list_pages(collection.fetch, listing, state, Tally(), **more)]

    return asyncio.run(read())


@settings(max_examples=80, deadline=None)
@given(rows, changes(), delays)
def test_windows_lose_no_row_and_show_each_as_new_as_it_was_at_the_start(
    content: dict[int, int | None], schedule: list[list[Change]], late: list[int]
) -> None:
    collection = Collection(dict(content), iter(schedule), iter(late))
    read = {int(row["id"]): row["attributes"]["updated_at"] for row in read_windows(collection, WindowState())}
    for identifier in content.keys() & collection.rows.keys():
        assert (read[identifier] or "") >= (stamp(content[identifier]) or "")


@settings(max_examples=100, deadline=None)
@given(rows, changes(), delays)
def test_windows_end_with_the_newest_state_once_the_changes_stop(
    content: dict[int, int | None], schedule: list[list[Change]], late: list[int]
) -> None:
    collection = Collection(dict(content), iter(schedule), iter(late))
    state = WindowState()
    read = {row["id"]: row["attributes"]["updated_at"] for row in read_windows(collection, state)}
    collection.changes = iter(())
    again = WindowState(since=state.since)
    read |= {row["id"]: row["attributes"]["updated_at"] for row in read_windows(collection, again)}
    dated = {identifier: second for identifier, second in collection.rows.items() if second is not None}
    assert {read[str(identifier)] for identifier in dated} == {stamp(second) for second in dated.values()}


@settings(max_examples=80, deadline=None)
@given(rows, changes(), delays)
def test_a_whole_listing_loses_no_row_that_stayed(
    content: dict[int, int | None], schedule: list[list[Change]], late: list[int]
) -> None:
    collection = Collection(dict(content), iter(schedule), iter(late))
    pages = read_listing(collection, ListingState())
    read = {int(row["id"]) for page in pages for row in page.rows}
    assert content.keys() & collection.rows.keys() <= read


@settings(max_examples=80, deadline=None)
@given(rows, changes(), delays)
@example({1: 0}, [], [])
def test_a_listing_that_calls_itself_steady_and_accounted_for_is_exact(
    content: dict[int, int | None], schedule: list[list[Change]], late: list[int]
) -> None:
    collection, state = Collection(dict(content), iter(schedule), iter(late)), ListingState()
    pages = read_listing(collection, state)
    read = [row["id"] for page in pages for row in page.rows]
    is_accounted_for = not state.doubt and pages[-1].total == len(set(read))
    assert is_accounted_for or any(schedule)
    if is_accounted_for:
        assert {int(identifier) for identifier in read} >= collection.rows.keys()


@settings(max_examples=100, deadline=None)
@given(rows, changes(), delays, st.integers(0, 4))
def test_newest_first_reads_every_row_changed_since_the_watermark(
    content: dict[int, int | None], schedule: list[list[Change]], late: list[int], watermark: int
) -> None:
    dated = {identifier: second for identifier, second in content.items() if second is not None}
    collection = Collection(dict(dated), iter(schedule), iter(late))
    listing = Listing(THINGS.path, {"order": "-updated_at"})
    stop_before = ("updated_at", stamp(watermark) or "")
    pages = read_listing(collection, ListingState(), listing, stop_before=stop_before)
    read = {int(row["id"]) for page in pages for row in page.rows}
    changed = {identifier for identifier, second in dated.items() if second >= watermark}
    assert changed & collection.rows.keys() <= read


@pytest.mark.parametrize(("newest", "bugs"), [((5, 249), Bugs()), ((120, 249), Bugs(can_order_by=("name",)))])
def test_a_listing_that_passes_over_the_order_is_read_to_its_end(newest: tuple[int, ...], bugs: Bugs) -> None:
    collection = Collection({row: 9 if row in newest else 1 for row in range(1, 250)}, bugs=bugs)
    pages = read_listing(collection, ListingState(), Listing(THINGS.path), stop_before=("updated_at", stamp(9) or ""))
    assert set(map(str, newest)) <= {row["id"] for page in pages for row in page.rows}


class _OneOutOfOrder(Collection):
    """Its newest row comes among the first."""

    def _chosen(self, params: Mapping[str, str]) -> list[tuple[int, int | None]]:
        *others, newest = super()._chosen(params)
        return [*others[:3], newest, *others[3:]]


@pytest.mark.parametrize("since", [None, stamp(100)])
@pytest.mark.parametrize("killed_after", [0, 1, 2, 99])
def test_a_window_with_one_row_out_of_order_is_read_to_its_end(since: str | None, killed_after: int) -> None:
    collection = _OneOutOfOrder({row: row for row in range(1, 350)})

    async def read(state: WindowState, pages: int) -> tuple[list[int], list[Piece], WindowState]:
        read: list[Piece] = []
        async for page in window_pages(collection.fetch, THINGS, "updated_at", state, Tally(), {}):
            if len(read) == pages:
                break
            read.append(page)
        state = WindowState(**read[-1].state) if read else WindowState(since=since)
        return [int(row["id"]) for page in read for row in page.rows], read, state

    first, pages, state = asyncio.run(read(WindowState(since=since), killed_after))
    if killed_after < 99:
        rest, pages, _ = asyncio.run(read(state, 99))
        first += rest
    assert sorted(first) == list(range(100 if since else 1, 350))
    assert (pages[-1].is_last, pages[-1].total, pages[-1].doubt) == (True, 349, None)


def test_a_quiet_listing_needs_no_more_requests_than_pages() -> None:
    collection = Collection(dict.fromkeys(range(1, 1000), 5))
    pages = read_listing(collection, ListingState())
    assert len(collection.requests) == 11  # 100 rows, then 99 new ones a page
    assert pages[-1].is_last and not any(page.is_last for page in pages[:-1])


def test_pages_of_a_long_listing_are_requested_concurrently_and_none_for_nothing() -> None:
    count = 2_500
    for read in (lambda it: read_listing(it, ListingState()), lambda it: read_windows(it, WindowState())):
        collection = Collection(dict(enumerate(range(count), start=1)), delays=iter([5] * 500))
        in_flight = most = 0
        fetch = collection.fetch

        async def watched(path: str, params: Mapping[str, str], fetch: Fetch = fetch) -> Document:
            nonlocal in_flight, most
            in_flight += 1
            most = max(most, in_flight)
            try:
                return await fetch(path, params)
            finally:
                in_flight -= 1

        collection.fetch = watched  # type: ignore[method-assign]
        read(collection)
        assert most == PAGES_ABREAST
        assert len(collection.requests) == math.ceil((count - 1) / (PAGE_SIZE - 1))
        assert max(int(params.get("offset", 0)) for _, params in collection.requests) <= count


def test_a_no_change_window_is_one_request() -> None:
    collection = Collection({1: 5, 2: 9})
    read_windows(collection, WindowState(since=stamp(9)))
    assert len(collection.requests) == 1


def test_full_pages_without_next_are_not_taken_for_the_end() -> None:
    collection = Collection(dict.fromkeys(range(1, 351), 5), bugs=Bugs(hides_next=True))
    pages = read_listing(collection, ListingState())
    assert len({row["id"] for page in pages for row in page.rows}) == 350


def test_a_second_that_holds_more_rows_than_a_page_is_read_whole() -> None:
    collection = Collection(dict.fromkeys(range(1, 3 * PAGE_SIZE), 7))
    assert len({row["id"] for row in read_windows(collection, WindowState(since=stamp(7)))}) == 3 * PAGE_SIZE - 1


@settings(max_examples=60, deadline=None)
@given(rows, st.integers(0, 8))
def test_a_walk_continued_from_any_checkpoint_reads_the_rest_and_nothing_twice(
    content: dict[int, int | None], killed_after: int
) -> None:
    collection = Collection(dict(content))

    async def read(state: WindowState, pages: int) -> tuple[list[str], WindowState]:
        read, checkpoint = [], state.checkpoint()
        async for page in window_pages(collection.fetch, THINGS, "updated_at", state, Tally()):
            if not pages:
                break
            pages -= 1
            read += [row["id"] for row in page.rows]
            checkpoint = state.checkpoint()
        return read, WindowState(**checkpoint)

    first, state = asyncio.run(read(WindowState(), killed_after))
    second, _ = asyncio.run(read(state, 10_000))
    assert sorted(map(int, first + second)) == sorted(content)
