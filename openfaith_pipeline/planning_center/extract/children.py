"""Listings under parents: several in flight, delivered in the parents' order.

A parent whose listing is in doubt is read again at once, alone: a few requests that save reading all the others again.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from openfaith_pipeline.catalog.completeness import MOVED, READINGS
from openfaith_pipeline.catalog.paths import fill_path
from openfaith_pipeline.catalog.reading import Fetch, Parents, Tally
from openfaith_pipeline.catalog.walk import Checkpoint, LeftOut, Parent, Route, id_of
from openfaith_pipeline.errors import (
    OpenFaithError,
    PathNotFound,
    QueryRefused,
    SourceUnreachable,
    StreamForbidden,
    TransientError,
    UnavailableError,
    UnexpectedResponse,
)
from openfaith_pipeline.planning_center.extract.around import Unread
from openfaith_pipeline.planning_center.extract.presence import ANY, find_record
from openfaith_pipeline.planning_center.extract.strategies import read_listing
from openfaith_pipeline.planning_center.streams import STREAMS

PARENTS_IN_FLIGHT = 8


MOST_FAILING = 8
"""Consecutive parents whose children fail, after which the parents are not the cause."""

MOST_REFUSED = 25
"""Parents whose children are refused before any others are read, after which the whole type counts as refused."""

MOST_ABSENT = 3
"""Existing parents without a path to children before any others are read, after which the path counts as absent."""

MOST_LEFT_OUT = 200
"""Parents that are recorded for another attempt."""


@dataclass
class ChildState:
    """done: the last parent read. shortage, doubt: of the first parent so far that had one (see RouteEnd).

    read: number of parents whose children could be read. misses: consecutive ones since then whose children could not.
    absent: how many of all misses were for an absent path.
    left_out: LeftOut of the parents whose children could not be read, as JSON.
    """

    done: str | None = None
    shortage: str | None = None
    doubt: str | None = None
    read: int = 0
    misses: int = 0
    absent: int = 0
    left_out: list[dict[str, Any]] = field(default_factory=list)

    def checkpoint(self) -> Checkpoint:
        return asdict(self)

    @property
    def is_absent(self) -> bool:
        """Whether no path was found below any parent so far."""
        return not self.read and 0 < self.absent == self.misses

    def leave_out(self, left_out: LeftOut) -> None:
        if len(self.left_out) < MOST_LEFT_OUT:
            self.left_out.append(asdict(left_out))
        else:
            self.doubt = self.doubt or f"more than {MOST_LEFT_OUT} of its listings could not be read"


@dataclass
class Children:
    """Contents of one parent's listing, as last read. See Piece and RouteEnd.

    left_out: parts that could not be read. error: why nothing could be read.
    """

    parent: Parent
    rows: list[Any] = field(default_factory=list)
    shown: list[Any] = field(default_factory=list)
    included: list[Any] = field(default_factory=list)
    total: int | None = None
    shortage: str | None = None
    doubt: str | None = None
    left_out: LeftOut | None = None
    error: OpenFaithError | None = None

    @property
    def is_sure(self) -> bool:
        return self.shortage is None and self.doubt is None

    def account(self, path: str, *, is_whole: bool) -> None:
        """Compare the rows of the listing with its own total; several listings may have the same record."""
        known = {identifier for row in self.rows if (identifier := id_of(row))}
        # A row without an id still counts.
        listed = len(known) + sum(id_of(row) is None for row in self.rows)
        if self.total is None:
            if is_whole:
                self.doubt = self.doubt or f"the source gave no total for the records under {path}"
            return
        counts = f"the source counts {self.total} records under {path} and listed {listed}"
        if listed < self.total:
            self.shortage = counts
        elif listed > self.total:
            self.doubt = self.doubt or counts


async def read_children(
    route: Route, fetch: Fetch, tally: Tally, *, parents: Parents, start: datetime | None, state: ChildState
) -> AsyncGenerator[list[Children], None]:
    """The children of every parent, some parents at a time.

    `state` is advanced and describes each batch as it is yielded.
    """
    in_flight: deque[asyncio.Task[Children]] = deque()
    try:
        async for parent in parents(route, state.done):
            since = None if parent.is_new or route.is_whole else start
            in_flight.append(asyncio.create_task(_read_until_sure(route, fetch, tally, parent, since)))
            if len(in_flight) >= PARENTS_IN_FLIGHT:
                yield await _arrived(route, in_flight, state)
        while in_flight:
            yield await _arrived(route, in_flight, state)
        if state.misses and not state.read and _visits_all(route):
            raise _error_of(LeftOut(**state.left_out[-1]), is_absent=route.is_unconfirmed and state.is_absent)
    finally:
        for task in in_flight:
            task.cancel()
        await asyncio.gather(*in_flight, return_exceptions=True)


async def _arrived(route: Route, in_flight: deque[asyncio.Task[Children]], state: ChildState) -> list[Children]:
    """The first result in line, once it is there, and the finished ones right behind it."""
    batch = [_counted(route, await in_flight.popleft(), state)]
    while in_flight and in_flight[0].done():
        batch.append(_counted(route, await in_flight.popleft(), state))
    return batch


def _counted(route: Route, children: Children, state: ChildState) -> Children:
    state.done = children.parent.ids[route.placeholders[-1]]
    state.shortage = state.shortage or children.shortage
    state.doubt = state.doubt or children.doubt
    if children.left_out:
        state.leave_out(children.left_out)
    if children.error is None:
        state.read, state.misses = state.read + 1, 0
        return children
    state.misses += 1
    state.absent += isinstance(children.error, PathNotFound)
    if route.is_unconfirmed and state.is_absent and state.absent >= MOST_ABSENT:
        raise children.error
    is_refused = isinstance(children.error, UnavailableError)
    if state.misses >= (MOST_REFUSED if is_refused else MOST_FAILING) and not (is_refused and state.read):
        raise children.error
    return children


def _visits_all(route: Route) -> bool:
    return not route.is_rotating and (route.is_whole or not route.lead.touches_parent)


def _error_of(left_out: LeftOut, *, is_absent: bool) -> OpenFaithError:
    if is_absent:
        return PathNotFound(left_out.reason)
    return (StreamForbidden if left_out.is_withheld else TransientError)(left_out.reason)


async def _read_until_sure(
    route: Route, fetch: Fetch, tally: Tally, parent: Parent, start: datetime | None
) -> Children:
    """Read again while the listing changes; a doubt that comes back unchanged has another cause, and stays."""
    children = await _read_or_leave_out(route, fetch, tally, parent, start)
    for _ in range(READINGS - 1):
        if children.is_sure:
            break
        before, children = children, await _read_or_leave_out(route, fetch, tally, parent, start)
        if children == before and children.doubt != MOVED:
            break
    return children


async def _read_or_leave_out(
    route: Route, fetch: Fetch, tally: Tally, parent: Parent, start: datetime | None
) -> Children:
    """Read one parent's children, or leave them out if they cannot be read, so that the others still are."""
    try:
        return await _read(route, fetch, tally, parent, start)
    except (TransientError, UnexpectedResponse, StreamForbidden, PathNotFound) as error:
        # A refused filter is refused under every parent, and the walk is then read without it.
        is_of_filter = isinstance(error, QueryRefused) or (isinstance(error, StreamForbidden) and route.filters)
        if isinstance(error, SourceUnreachable) or is_of_filter:
            raise
        left_out = LeftOut(
            fill_path(route.path, parent.ids),
            str(error),
            isinstance(error, UnavailableError),
            parent.ids[route.placeholders[-1]],
        )
        return Children(parent, left_out=left_out, error=error)


async def _read(route: Route, fetch: Fetch, tally: Tally, parent: Parent, start: datetime | None) -> Children:
    path = fill_path(route.path, parent.ids)
    children = Children(parent)
    try:
        async with aclosing(read_listing(route, path, fetch, tally, start=start, state={})) as pieces:
            async for piece in pieces:
                children.rows += piece.rows
                children.shown += piece.shown
                children.included += piece.included
                children.total, children.doubt = piece.total, piece.doubt
    except PathNotFound as error:
        return await _absent(route, path, fetch, tally, parent, error)
    children.account(path, is_whole=route.is_whole)
    unread = [row for row in children.rows if isinstance(row, Unread)]
    if unread:
        children.rows = [row for row in children.rows if not isinstance(row, Unread)]
        children.left_out = LeftOut(*unread[0], parent=parent.ids[route.placeholders[-1]])
    return children


async def _absent(route: Route, path: str, fetch: Fetch, tally: Tally, parent: Parent, error: PathNotFound) -> Children:
    """An empty listing, if the absence is certain: a singleton that does not exist, or a parent that is gone.

    Raises the error if the parent exists or may exist: below a path that may be absent nothing is certain.
    """
    if route.lead.is_singleton:
        return Children(parent, total=0)
    above = STREAMS.get(route.lead.parent_of(route.path) or "")
    if above and above.is_unconfirmed:
        raise error
    if await find_record(fetch, tally, path.rpartition("/")[0], {}, identifier=ANY) is None:
        return Children(parent, total=0)
    raise error
