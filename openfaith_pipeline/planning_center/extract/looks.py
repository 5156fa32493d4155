"""Looks at single pages, as a verification makes them, with the requests that a sync would make."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from openfaith_pipeline.catalog.paths import fill_path
from openfaith_pipeline.catalog.reading import Fetch, Fetches, Shown, Tally
from openfaith_pipeline.catalog.stream import Strategy
from openfaith_pipeline.catalog.walk import Parent, Route, Walk, id_of
from openfaith_pipeline.errors import PathNotFound
from openfaith_pipeline.planning_center.extract.around import Unread, going_around
from openfaith_pipeline.planning_center.extract.included import Answer, sort_records
from openfaith_pipeline.planning_center.extract.listings import ListingState, list_pages
from openfaith_pipeline.planning_center.extract.pages import Listing, is_last, rows_of
from openfaith_pipeline.planning_center.extract.strategies import read_listing


async def look(fetches: Fetches, walk: Walk, route: Route, *, offset: int = 0, parent: Parent | None = None) -> Shown:
    """The page at the offset, or the listing of the parent, without the parts that fail. Raises as `going_around`."""
    careful = going_around(fetches)
    return await (_look_under(careful, walk, route, parent) if parent else _look_at_page(careful, walk, route, offset))


async def list_ids(fetch: Fetch, tally: Tally, path: str, params: Mapping[str, str], *, pages: int) -> set[str]:
    """The ids of the records on the first pages of a listing."""
    found: set[str] = set()
    async with aclosing(list_pages(fetch, Listing(path, params), ListingState(), tally)) as pieces:
        async for piece in pieces:
            found |= {identifier for row in piece.rows if (identifier := id_of(row))}
            pages -= 1
            if pages <= 0:
                break
    return found


async def list_times(fetch: Fetch, route: Route) -> AsyncGenerator[Any, None]:
    """The records of a listing with their times only."""
    query = {**dict(route.filters), f"fields[{route.lead.type}]": "created_at,updated_at"}
    pages = list_pages(fetch, Listing(route.path, query), ListingState(), Tally())
    async with aclosing(pages):
        async for piece in pages:
            for row in piece.rows:
                yield row


async def _look_at_page(fetch: Fetch, walk: Walk, route: Route, offset: int) -> Shown:
    if route.listing is Strategy.SINGLETON:
        document = await fetch(route.path, route.query)
        rows = [document.data] if isinstance(document.data, dict) else []
        return _shown(walk, route, None, rows, document.included, len(rows), is_whole=True)
    document = await fetch(route.path, Listing(route.path, route.query).at(offset))
    rows = rows_of(document, route.path)
    is_whole = offset == 0 and is_last(document, rows)
    return _shown(walk, route, None, rows, document.included, document.total_count, is_whole=is_whole)


async def _look_under(fetch: Fetch, walk: Walk, route: Route, parent: Parent) -> Shown:
    path = fill_path(route.path, parent.ids)
    rows: list[Any] = []
    included: list[Any] = []
    try:
        async with aclosing(read_listing(route, path, fetch, Tally(), start=None, state={})) as pieces:
            async for piece in pieces:
                rows += piece.rows
                included += piece.included
    except PathNotFound:
        # A single record that does not exist, or a parent that is gone; rows under it are requested one by one.
        rows, included = [], []
    return _shown(walk, route, parent, rows, included, None, is_whole=True)


def _shown(
    walk: Walk,
    route: Route,
    parent: Parent | None,
    rows: list[Any],
    included: list[Any],
    total: int | None,
    *,
    is_whole: bool,
) -> Shown:
    readable = [row for row in rows if not isinstance(row, Unread)]
    answer = Answer(readable, readable, included)
    records = sort_records(route, walk.streams, answer, parent.ids if parent else {})
    return Shown(readable, included, records, total, is_whole and len(readable) == len(rows))
