"""A listing for each parent: several in flight, handed on in the parents' order.

A parent whose listing is in doubt is read again at once, alone: the few requests that takes spare reading all the
others again.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from openfaith_pipeline.catalog.paths import fill_path
from openfaith_pipeline.errors import PathNotFound
from openfaith_pipeline.extract.pages import MOVED, Fetch, Tally
from openfaith_pipeline.extract.reading import read_listing
from openfaith_pipeline.walk import Checkpoint, Parent, Route, id_of

PARENTS_IN_FLIGHT = 8

READINGS = 3
"""How often a parent's children are read at most, for a listing that accounts for its total."""


Parents = Callable[[Route, str | None], AsyncIterator[Parent]]
"""The parents of a child route after the given one (its innermost id), in a fixed order."""


@dataclass
class ChildState:
    """done: the last parent read. shortage, doubt: of the first parent so far that had one (see RouteEnd)."""

    done: str | None = None
    shortage: str | None = None
    doubt: str | None = None

    def checkpoint(self) -> Checkpoint:
        return asdict(self)


@dataclass
class Children:
    """What one parent's listing held, as it was read last. See Piece and RouteEnd."""

    parent: Parent
    rows: list[Any] = field(default_factory=list)
    shown: list[Any] = field(default_factory=list)
    included: list[Any] = field(default_factory=list)
    total: int | None = None
    shortage: str | None = None
    doubt: str | None = None

    @property
    def is_sure(self) -> bool:
        return self.shortage is None and self.doubt is None

    def account(self, path: str, *, is_whole: bool) -> None:
        """Compare what the listing held with what it counts. Each has its own total: several may list one record."""
        known = {identifier for row in self.rows if (identifier := id_of(row))}
        # A row without an id is one that is there.
        listed = len(known) + sum(id_of(row) is None for row in self.rows)
        if self.total is None:
            if is_whole:
                self.doubt = self.doubt or f"the source did not say how many records are under {path}"
            return
        counts = f"the source counts {self.total} records under {path} and listed {listed}"
        if listed < self.total:
            self.shortage = counts
        elif listed > self.total:
            self.doubt = self.doubt or counts


async def read_children(
    route: Route, fetch: Fetch, tally: Tally, *, parents: Parents, watermark: datetime | None, state: ChildState
) -> AsyncGenerator[list[Children], None]:
    """Every parent's children, some parents at a time; `state` is moved along and describes each batch as it comes."""
    in_flight: deque[asyncio.Task[Children]] = deque()
    try:
        async for parent in parents(route, state.done):
            since = None if parent.is_new or route.is_whole else watermark
            in_flight.append(asyncio.create_task(_read_until_sure(route, fetch, tally, parent, since)))
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
    state.shortage = state.shortage or children.shortage
    state.doubt = state.doubt or children.doubt
    return children


async def _read_until_sure(
    route: Route, fetch: Fetch, tally: Tally, parent: Parent, watermark: datetime | None
) -> Children:
    """Read again while something moves; a doubt that comes back the same is not about moving, and stays."""
    children = await _read(route, fetch, tally, parent, watermark)
    for _ in range(READINGS - 1):
        if children.is_sure:
            break
        before, children = children, await _read(route, fetch, tally, parent, watermark)
        if children == before and children.doubt != MOVED:
            break
    return children


async def _read(route: Route, fetch: Fetch, tally: Tally, parent: Parent, watermark: datetime | None) -> Children:
    path = fill_path(route.path, parent.ids)
    children = Children(parent)
    try:
        async with aclosing(read_listing(route, path, fetch, tally, watermark=watermark, state={})) as pieces:
            async for piece in pieces:
                children.rows += piece.rows
                children.shown += piece.shown
                children.included += piece.included
                children.total, children.doubt = piece.total, piece.doubt
    except PathNotFound:
        return await _absent(route, path, fetch, tally, parent)
    children.account(path, is_whole=route.is_whole)
    return children


async def _absent(route: Route, path: str, fetch: Fetch, tally: Tally, parent: Parent) -> Children:
    """No children, where that is sure: a single record is just not there, or the parent itself is gone."""
    if route.lead.is_singleton:
        return Children(parent, total=0)
    try:
        tally.add(await fetch(path.rpartition("/")[0], {}))
    except PathNotFound:
        return Children(parent, total=0)
    return Children(parent, total=0, doubt=f"{path} was not found, though what it is under is there")
