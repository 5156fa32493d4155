"""Read one listing by its strategy: pages of rows not read before, each with the state after it."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from openfaith_pipeline.catalog.stream import Strategy
from openfaith_pipeline.catalog.walk import Checkpoint, Route
from openfaith_pipeline.errors import UnexpectedResponse
from openfaith_pipeline.planning_center.extract.listings import ListingState, list_pages
from openfaith_pipeline.planning_center.extract.pages import Fetch, Listing, Tally, as_written, rows_of
from openfaith_pipeline.planning_center.extract.windows import WindowPage, WindowState, window_pages

FOLLOWED: Final = frozenset({Strategy.INCREMENTAL, Strategy.APPEND})
"""Listings that are read in the order of their cursor."""


@dataclass(frozen=True)
class Piece:
    """Rows of one page.

    rows: those not read before and not older than the watermark. shown: all rows of the document, which `included` is
    for.
    state: from which the listing's next page is requested.
    is_last: no page follows.
    total: on the last page, the count from the API (None when only changes were requested).
    doubt: why the listing may be incomplete.
    reached: on the last page, the cursor up to which every change was read, where the listing gives it.
    """

    rows: list[Any]
    shown: list[Any]
    included: list[Any]
    state: Checkpoint
    is_last: bool
    total: int | None = None
    doubt: str | None = None
    reached: str | None = None


async def read_listing(
    route: Route, path: str, fetch: Fetch, tally: Tally, *, start: datetime | None, state: Checkpoint
) -> AsyncGenerator[Piece, None]:
    """Read one listing of the route.

    path: the route's, with its placeholders filled in.
    start: the cursor value to begin at, None for the beginning of time.
    """
    since = None if start is None else as_written(start)
    listing = Listing(path, route.query)
    match route.listing:
        case Strategy.INCREMENTAL | Strategy.APPEND:
            pieces = _by_windows(route, listing, fetch, tally, WindowState(**state) if state else WindowState(since))
        case Strategy.ORDERED:
            ordered = Listing(path, {**route.query, "order": f"-{_cursor(route)}"})
            pieces = _by_offset(ordered, fetch, tally, state, stop_before=(_cursor(route), since or ""))
        case Strategy.FILTERED:
            window = {f"where[{_cursor(route)}][gte]": since} if since else {}
            pieces = _by_offset(Listing(path, {**route.query, **window}), fetch, tally, state)
        case Strategy.SINGLETON:
            pieces = _single(listing, fetch, tally)
        case _:
            pieces = _by_offset(listing, fetch, tally, state)
    async with aclosing(pieces):
        async for piece in pieces:
            yield piece


async def _by_windows(
    route: Route, listing: Listing, fetch: Fetch, tally: Tally, state: WindowState
) -> AsyncGenerator[Piece, None]:
    async with aclosing(window_pages(fetch, listing, _cursor(route), state, tally)) as pages:
        async for page in pages:
            total = await _window_total(route, listing, fetch, tally, page) if page.is_last else None
            document = page.document
            shown, included = rows_of(document, listing.path), document.included
            yield Piece(
                page.rows, shown, included, state.checkpoint(), page.is_last, total, state.doubt, reached=state.since
            )


async def _window_total(route: Route, listing: Listing, fetch: Fetch, tally: Tally, page: WindowPage) -> int | None:
    """The total of the whole listing, which a filtered window does not include but a whole walk needs."""
    if not route.is_whole:
        return None
    if not page.is_filtered:
        return page.document.total_count
    return tally.add(await fetch(listing.path, {**dict(route.filters), "per_page": "1"})).total_count


async def _by_offset(
    listing: Listing, fetch: Fetch, tally: Tally, checkpoint: Checkpoint, stop_before: tuple[str, str] | None = None
) -> AsyncGenerator[Piece, None]:
    state = ListingState(**checkpoint) if checkpoint else ListingState()
    async with aclosing(list_pages(fetch, listing, state, tally, stop_before)) as pages:
        async for rows, document, is_last in pages:
            total = document.total_count if is_last and not stop_before else None
            shown, included = rows_of(document, listing.path), document.included
            yield Piece(rows, shown, included, state.checkpoint(), is_last, total, state.doubt, reached=state.newest)


async def _single(listing: Listing, fetch: Fetch, tally: Tally) -> AsyncGenerator[Piece, None]:
    document = tally.add(await fetch(listing.path, listing.params))
    if isinstance(document.data, list):
        raise UnexpectedResponse(f"{listing.path}: expected a single record, got a list")
    rows = [] if document.data is None else [document.data]
    yield Piece(rows, rows, document.included, {}, is_last=True, total=len(rows))


def _cursor(route: Route) -> str:
    if route.lead.cursor is None:
        raise UnexpectedResponse(f"{route.lead.name}: no cursor to follow")
    return route.lead.cursor
