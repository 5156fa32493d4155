"""Cursors in whatever form of ISO 8601 they come, and none that claims to be of the future."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from openfaith_pipeline.catalog.reading import Document, Tally
from openfaith_pipeline.planning_center.extract.listings import ListingState, list_pages
from openfaith_pipeline.planning_center.extract.pages import Listing, cursor_of
from openfaith_pipeline.planning_center.extract.windows import WindowState, window_pages

NOW = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
OURS_IS_WRONG = datetime(2031, 1, 1, tzinfo=UTC)


def row(identifier: str, updated_at: Any) -> dict[str, Any]:
    return {"type": "Thing", "id": identifier, "attributes": {"updated_at": updated_at}}


@pytest.mark.parametrize(
    ("written", "cursor"),
    [
        ("2026-01-31T23:59:59Z", "2026-01-31T23:59:59Z"),
        ("2026-01-31T23:59:59.999Z", "2026-01-31T23:59:59Z"),
        ("2026-01-31T23:59:59.123456+00:00", "2026-01-31T23:59:59Z"),
        ("2026-02-01T01:59:59+02:00", "2026-01-31T23:59:59Z"),
        ("2026-01-31T23:59:59", "2026-01-31T23:59:59Z"),
        ("0999-01-31T00:00:00.5Z", "0999-01-31T00:00:00Z"),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("2026-02-30T00:00:00Z", None),
        ("0000-00-00T00:00:00Z", None),
        ("yesterday", None),
        (5, None),
        (None, None),
    ],
)
def test_a_cursor_is_read_in_whole_seconds_of_utc(written: Any, cursor: str | None) -> None:
    assert cursor_of(row("1", written), "updated_at") == cursor


def answering(rows: list[dict[str, Any]], served_at: datetime | None, received_at: datetime) -> Any:
    async def fetch(_: str, params: Mapping[str, str]) -> Document:
        since, offset = params.get("where[updated_at][gte]", ""), int(params.get("offset", 0))
        found = [each for each in rows if (cursor_of(each, "updated_at") or "") >= since][offset:]
        return Document(found, [], 1, 0.0, received_at, served_at, total_count=len(found))

    return fetch


ROWS = [
    row("1", "2026-06-01T11:00:00.5Z"),
    row("2", "2026-06-01T11:00:00.9Z"),
    row("3", "2026-06-01T11:30:00+00:00"),
    row("4", "2099-01-01T00:00:00Z"),
]


@pytest.mark.parametrize(("served_at", "received_at"), [(NOW, OURS_IS_WRONG), (None, NOW)])
async def test_a_record_of_the_future_is_loaded_and_moves_no_window(
    served_at: datetime | None, received_at: datetime
) -> None:
    state = WindowState()
    fetch = answering(ROWS, served_at, received_at)
    found = [
        each
        async for page in window_pages(fetch, Listing("/things"), "updated_at", state, Tally())
        for each in page.rows
    ]
    assert [each["id"] for each in found] == ["1", "2", "3", "4"]
    assert state.since == "2026-06-01T11:30:00Z"


@pytest.mark.parametrize(("served_at", "received_at"), [(NOW, OURS_IS_WRONG), (None, NOW)])
async def test_nor_does_it_move_a_listing_of_the_newest_first(
    served_at: datetime | None, received_at: datetime
) -> None:
    state = ListingState()
    fetch = answering(ROWS[::-1], served_at, received_at)
    stop_before = ("updated_at", "2026-06-01T11:00:00Z")
    pages = list_pages(fetch, Listing("/things"), state, Tally(), stop_before)
    found = [each async for page in pages for each in page.rows]
    assert [each["id"] for each in found] == ["4", "3", "2", "1"]
    assert state.newest == "2026-06-01T11:30:00Z"
