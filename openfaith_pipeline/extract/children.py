"""A listing for each parent: several in flight, handed on in the parents' order."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from openfaith_pipeline.errors import PathNotFound
from openfaith_pipeline.extract.pages import Fetch, Tally
from openfaith_pipeline.extract.reading import read_listing
from openfaith_pipeline.walk import Checkpoint, Parent, Route

PARENTS_IN_FLIGHT = 8


Parents = Callable[[Route, str | None], AsyncIterator[Parent]]
"""The parents of a child route after the given one (its innermost id), in a fixed order."""


@dataclass
class ChildState:
    """done: the last parent read. total, is_steady: of all parents so far."""

    done: str | None = None
    total: int = 0
    is_steady: bool = True

    def checkpoint(self) -> Checkpoint:
        return asdict(self)


@dataclass
class Children:
    """What one parent's listing held."""

    parent: Parent
    rows: list[Any] = field(default_factory=list)
    included: list[Any] = field(default_factory=list)
    total: int | None = None
    is_steady: bool = True


async def read_children(
    route: Route, fetch: Fetch, tally: Tally, *, parents: Parents, watermark: datetime | None, state: ChildState
) -> AsyncGenerator[list[Children], None]:
    """Every parent's children, some parents at a time; `state` is moved along and describes each batch as it comes."""
    in_flight: deque[asyncio.Task[Children]] = deque()
    try:
        async for parent in parents(route, state.done):
            since = None if parent.is_new or route.is_whole else watermark
            in_flight.append(asyncio.create_task(_read(route, fetch, tally, parent, since)))
            if len(in_flight) >= PARENTS_IN_FLIGHT:
                yield await _arrived(route, in_flight, state)
        while in_flight:
            yield await _arrived(route, in_flight, state)
    finally:
        for task in in_flight:
            task.cancel()
        await asyncio.gather(*in_flight, return_exceptions=True)


async def _arrived(route: Route, in_flight: deque[asyncio.Task[Children]], state: ChildState) -> list[Children]:
    """The first in line, waited for, and those right behind it that are there already."""
    batch = [_counted(route, await in_flight.popleft(), state)]
    while in_flight and in_flight[0].done():
        batch.append(_counted(route, await in_flight.popleft(), state))
    return batch


def _counted(route: Route, children: Children, state: ChildState) -> Children:
    state.done = children.parent.ids[route.placeholders[-1]]
    state.total += children.total or 0
    state.is_steady = state.is_steady and children.is_steady
    return children


async def _read(route: Route, fetch: Fetch, tally: Tally, parent: Parent, watermark: datetime | None) -> Children:
    path = route.path.format_map({f"{name}_id": identifier for name, identifier in parent.ids.items()})
    children = Children(parent)
    try:
        async with aclosing(read_listing(route, path, fetch, tally, watermark=watermark, state={})) as pieces:
            async for piece in pieces:
                children.rows += piece.rows
                children.included += piece.included
                children.total, children.is_steady = piece.total, piece.is_steady
    except PathNotFound:
        # Of a single record it says that the parent has none; of a list, that the parent itself went away.
        children.is_steady = route.lead.is_singleton
        children.total = 0
    return children
