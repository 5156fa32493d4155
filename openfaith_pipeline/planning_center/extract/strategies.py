"""Read one listing by its strategy: pages of rows not read before, each with the state after it."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Final

from openfaith_pipeline.catalog.reading import Fetch, Tally
from openfaith_pipeline.catalog.stream import Strategy
from openfaith_pipeline.catalog.walk import Checkpoint, Route
from openfaith_pipeline.errors import UnexpectedResponse
from openfaith_pipeline.planning_center.extract.listings import ListingState, list_pages
from openfaith_pipeline.planning_center.extract.pages import Listing, Piece, as_written
from openfaith_pipeline.planning_center.extract.windows import WindowState, window_pages

FOLLOWED: Final = frozenset({Strategy.INCREMENTAL, Strategy.APPEND})
"""Listings that are read in the order of their cursor."""


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
            window = WindowState(**state) if state else WindowState(since)
            counted_by = dict(route.filters) if route.is_whole else None
            pieces = window_pages(fetch, listing, _cursor(route), window, tally, counted_by)
        case Strategy.ORDERED:
            ordered = Listing(path, {**route.query, "order": f"-{_cursor(route)}"})
            pieces = list_pages(fetch, ordered, ListingState(**state), tally, (_cursor(route), since or ""))
        case Strategy.FILTERED:
            changed = {f"where[{_cursor(route)}][gte]": since} if since else {}
            pieces = list_pages(fetch, Listing(path, {**route.query, **changed}), ListingState(**state), tally)
        case Strategy.SINGLETON:
            pieces = _single(listing, fetch, tally)
        case _:
            pieces = list_pages(fetch, listing, ListingState(**state), tally)
    async with aclosing(pieces):
        async for piece in pieces:
            yield piece


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
