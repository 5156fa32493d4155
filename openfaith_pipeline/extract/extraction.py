"""A walk, read page by page from its checkpoint: the one entry into extraction."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from openfaith_pipeline.catalog import Strategy, Stream
from openfaith_pipeline.errors import PathNotFound, UnexpectedResponse
from openfaith_pipeline.extract.listings import ListingState, list_pages
from openfaith_pipeline.extract.pages import Fetch, Listing, Tally, id_of
from openfaith_pipeline.extract.windows import WindowPage, WindowState, window_pages
from openfaith_pipeline.walk import Checkpoint, End, Page, Record, Walk

LOOKBACK = timedelta(minutes=2)
"""How far behind the watermark an incremental walk begins: Planning Center's replicas lag, so a change can become
visible after a later one was read."""

PARENTS_IN_FLIGHT = 8

Parents = Callable[[str | None], AsyncIterator[Mapping[str, str]]]
"""The parents of a child walk in a fixed order after the given one, each as {relationship: id} for the path."""


@dataclass(frozen=True)
class Source:
    """Where a walk reads from, and where it starts.

    watermark: the cursor value reached by the last successful sync, None for a first one.
    parents: the parents of a child walk.
    """

    fetch: Fetch
    watermark: datetime | None = None
    parents: Parents | None = None


async def read_pages(walk: Walk, source: Source, checkpoint: Checkpoint | None) -> AsyncGenerator[Page, None]:
    """Every page of the walk from the checkpoint on. Each Page's checkpoint continues after it."""
    readers = {
        Strategy.INCREMENTAL: _read_windows,
        Strategy.APPEND: _read_windows,
        Strategy.ORDERED: _read_newest_first,
        Strategy.FULL: _read_whole,
        Strategy.SINGLETON: _read_single,
        Strategy.CHILD: _read_children,
    }
    async with aclosing(readers[walk.strategy](walk, source, checkpoint or {})) as pages:
        async for page in pages:
            yield page


async def _read_windows(walk: Walk, source: Source, checkpoint: Checkpoint) -> AsyncGenerator[Page, None]:
    tally = Tally()
    listing = Listing(walk.lead.path, walk.query)
    since = None if walk.is_whole else _start(source.watermark)
    state = WindowState(**checkpoint) if checkpoint else WindowState(since=since)
    async with aclosing(window_pages(source.fetch, listing, _cursor(walk), state, tally)) as pages:
        async for page in pages:
            end = await _window_end(walk, source.fetch, tally, page) if page.is_last else None
            records = _sort(walk, page.rows, page.document.included, {})
            yield Page(records, state.checkpoint(), **tally.take(), end=end)


async def _window_end(walk: Walk, fetch: Fetch, tally: Tally, page: WindowPage) -> End:
    """A whole walk needs the listing's own total, which a filtered window does not tell."""
    if not walk.is_whole:
        return End()
    if not page.is_filtered:
        return End(page.document.total_count)
    return End(tally.add(await fetch(walk.lead.path, {"per_page": "1"})).total_count)


async def _read_newest_first(walk: Walk, source: Source, checkpoint: Checkpoint) -> AsyncGenerator[Page, None]:
    listing = Listing(walk.lead.path, {**walk.query, "order": f"-{_cursor(walk)}"})
    stop_before = (_cursor(walk), _start(source.watermark) or "")
    async for page in _read_listing(walk, source, listing, checkpoint, stop_before):
        yield page


async def _read_whole(walk: Walk, source: Source, checkpoint: Checkpoint) -> AsyncGenerator[Page, None]:
    async for page in _read_listing(walk, source, Listing(walk.lead.path, walk.query), checkpoint):
        yield page


async def _read_listing(
    walk: Walk, source: Source, listing: Listing, checkpoint: Checkpoint, stop_before: tuple[str, str] | None = None
) -> AsyncGenerator[Page, None]:
    tally, state = Tally(), ListingState(**checkpoint) if checkpoint else ListingState()
    async with aclosing(list_pages(source.fetch, listing, state, tally, stop_before)) as pages:
        async for rows, document, end in pages:
            yield Page(_sort(walk, rows, document.included, {}), state.checkpoint(), **tally.take(), end=end)


async def _read_single(walk: Walk, source: Source, _checkpoint: Checkpoint) -> AsyncGenerator[Page, None]:
    tally = Tally()
    document = tally.add(await source.fetch(walk.lead.path, walk.query))
    if not isinstance(document.data, dict):
        raise UnexpectedResponse(f"{walk.lead.path}: expected a single record")
    yield Page(_sort(walk, [document.data], document.included, {}), {}, **tally.take(), end=End(total=1))


@dataclass
class _Child:
    """One parent's listing, read whole."""

    parents: Mapping[str, str]
    rows: list[Any] = field(default_factory=list)
    included: list[Any] = field(default_factory=list)
    end: End | None = None


async def _read_children(walk: Walk, source: Source, checkpoint: Checkpoint) -> AsyncGenerator[Page, None]:
    """One listing for each parent, several in flight, handed on in the parents' order."""
    if source.parents is None:
        raise UnexpectedResponse(f"{walk.lead.name}: a child walk needs its parents")
    tally, progress = Tally(), _Progress(**checkpoint)
    in_flight: deque[asyncio.Task[_Child]] = deque()
    try:
        async for parents in source.parents(progress.done):
            in_flight.append(asyncio.create_task(_read_child(walk, source.fetch, parents, tally)))
            if len(in_flight) >= PARENTS_IN_FLIGHT:
                yield _child_page(walk, await in_flight.popleft(), tally, progress)
        while in_flight:
            yield _child_page(walk, await in_flight.popleft(), tally, progress)
    finally:
        for task in in_flight:
            task.cancel()
        await asyncio.gather(*in_flight, return_exceptions=True)
    yield Page({}, asdict(progress), end=End(progress.total, progress.is_steady))


@dataclass
class _Progress:
    """How far a child walk has come: the last parent read, and the totals of all parents so far."""

    done: str | None = None
    total: int = 0
    is_steady: bool = True

    def add(self, parent_id: str, end: End | None) -> None:
        self.done = parent_id
        self.total += (end.total or 0) if end else 0
        self.is_steady = self.is_steady and end is not None and end.total is not None and end.is_steady


def _child_page(walk: Walk, child: _Child, tally: Tally, progress: _Progress) -> Page:
    progress.add(child.parents[walk.lead.placeholders[-1]], child.end)
    return Page(_sort(walk, child.rows, child.included, child.parents), asdict(progress), **tally.take())


async def _read_child(walk: Walk, fetch: Fetch, parents: Mapping[str, str], tally: Tally) -> _Child:
    path = walk.lead.path.format_map({f"{name}_id": identifier for name, identifier in parents.items()})
    child = _Child(parents)
    try:
        async with aclosing(list_pages(fetch, Listing(path, walk.query), ListingState(), tally)) as pages:
            async for rows, document, end in pages:
                child.rows += rows
                child.included += document.included
                child.end = end
    except PathNotFound:
        # The parent went away since it was listed: no rows, and no proof of anything.
        child.end = None
    return child


def _cursor(walk: Walk) -> str:
    if walk.lead.cursor is None:
        raise UnexpectedResponse(f"{walk.lead.name}: no cursor to follow")
    return walk.lead.cursor


def _start(watermark: datetime | None) -> str | None:
    """Where an incremental walk begins, as the API writes timestamps."""
    if watermark is None:
        return None
    return (watermark - LOOKBACK).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _sort(walk: Walk, rows: list[Any], included: list[Any], parents: Mapping[str, str]) -> dict[str, list[Record]]:
    """The page's records by the stream they belong to."""
    sorted_records: dict[str, list[Record]] = {}
    if walk.lead in walk.streams:
        sorted_records[walk.lead.name] = [Record(row, parents) for row in rows]
    by_type = {stream.type: stream for stream in walk.streams if stream.include}
    owners = _owners(walk, rows, included) if by_type else {}
    for row in included:
        stream = by_type.get(row.get("type", "")) if isinstance(row, dict) else None
        if stream:
            owner = owners.get((stream.type, id_of(row) or ""), {})
            sorted_records.setdefault(stream.name, []).append(Record(row, {**parents, **owner}))
    return sorted_records


def _owners(walk: Walk, rows: list[Any], included: list[Any]) -> dict[tuple[str, str], Mapping[str, str]]:
    """(type, id) of an included child -> its parent, from the parents' side; children do not always name theirs."""
    wanted: dict[str, Stream] = {str(stream.include): stream for stream in walk.streams if stream.include}
    owners: dict[tuple[str, str], Mapping[str, str]] = {}
    for row in [*rows, *included]:
        relationships = row.get("relationships") if isinstance(row, dict) else None
        for include, stream in wanted.items():
            linkage = (relationships or {}).get(include)
            for child in _linked(linkage):
                owners[(stream.type, child)] = {stream.placeholders[-1]: id_of(row) or ""}
    return owners


def _linked(linkage: Any) -> list[str]:
    data = linkage.get("data") if isinstance(linkage, dict) else None
    return [identifier for item in (data if isinstance(data, list) else [data]) if (identifier := id_of(item))]


def reached_watermark(walk: Walk, checkpoint: Checkpoint) -> str | None:
    """The cursor value that a finished walk has read everything up to, None where that is not known."""
    if walk.strategy is Strategy.ORDERED:
        return checkpoint.get("newest")
    return checkpoint.get("since")
