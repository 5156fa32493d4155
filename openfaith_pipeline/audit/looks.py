"""Looks that a verification may make, one request each: pages of listings, and the listings under single parents."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Final

from psycopg_pool import AsyncConnectionPool

from openfaith_pipeline.catalog.stream import Strategy, Stream
from openfaith_pipeline.catalog.walk import Parent, Route, Walk
from openfaith_pipeline.load.parents import parents_of
from openfaith_pipeline.sources import STREAMS, reader_of

_KEPT_FOR_SECOND_LOOKS: Final = 0.2
"""Share of the budget for requests that confirm what a first look found."""


@dataclass(frozen=True)
class Look:
    """One request that a sync of the walk would make: a page of a listing at top level, or the listing of a parent."""

    walk: Walk
    route: Route
    offset: int = 0
    parent: Parent | None = None


async def possible_looks(
    pool: AsyncConnectionPool[Any], org_id: str, walks: Sequence[Walk], rows: Mapping[str, int]
) -> list[list[Look]]:
    """The requests that read each route whole. rows: number of live rows by stream."""
    return [
        await _of_route(pool, org_id, walk, route, rows.get(route.lead.name, 0))
        for walk in walks
        for route in walk.routes
    ]


async def _of_route(pool: AsyncConnectionPool[Any], org_id: str, walk: Walk, route: Route, rows: int) -> list[Look]:
    if route.placeholders:
        return [Look(walk, route, parent=each) async for each in parents_of(pool, org_id, route, STREAMS, None)]
    is_one = route.listing is Strategy.SINGLETON or route.is_of_hidden
    size = reader_of(walk.streams[0]).PAGE_SIZE
    pages = 1 if is_one else max(1, ceil(rows / size))
    return [Look(walk, route, page * size) for page in range(pages)]


def most_requests(looks: Sequence[Sequence[Look]]) -> int:
    """Half the minimum number of requests of a sync that reads everything."""
    return max(1, sum(map(len, looks)) // 2)


def choose(looks: Sequence[Sequence[Look]], budget: int, chance: random.Random) -> list[Look]:
    """A sample: a look at each route first, those at top level before others, then any that are left.

    A part of the budget is left for second looks.
    """
    routes = [[*each] for each in looks if each]
    for each in routes:
        chance.shuffle(each)
    chance.shuffle(routes)
    routes.sort(key=lambda each: each[0].parent is not None)
    first = [each.pop() for each in routes]
    rest = [look for each in routes for look in each]
    chance.shuffle(rest)
    return [*first, *rest][: max(1, budget - ceil(budget * _KEPT_FOR_SECOND_LOOKS))]


def lists_alone(walk: Walk, stream: Stream) -> bool:
    """Whether all records of the stream are listed at top level, so that the listings' totals add up to all of them."""
    routes = [route for route in walk.routes if stream in route.streams]
    return bool(routes) and all(route.lead is stream and not route.placeholders for route in routes)
