"""A walk, read page by page from its checkpoint: the one entry into extraction."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from openfaith_pipeline.catalog.paths import record_path
from openfaith_pipeline.errors import PathNotFound
from openfaith_pipeline.extract.children import Children, ChildState, Parents, read_children
from openfaith_pipeline.extract.pages import Fetch, Tally
from openfaith_pipeline.extract.reading import Piece, read_listing
from openfaith_pipeline.extract.sorting import Answer, left_out, sort_records
from openfaith_pipeline.walk import Checkpoint, End, Page, Record, Route, RouteEnd, Walk, query_of


@dataclass(frozen=True)
class Source:
    """Where a walk reads from, and where it starts.

    watermarks: by lead, the cursor value reached by the last successful sync.
    """

    fetch: Fetch
    parents: Parents
    watermarks: Mapping[str, datetime | None] = field(default_factory=dict)


@dataclass
class _Progress:
    """Which route is being read, where it stands, and how the routes before it ended."""

    state: Checkpoint = field(default_factory=dict)
    ends: list[RouteEnd] = field(default_factory=list)

    @classmethod
    def read(cls, checkpoint: Checkpoint) -> "_Progress":
        return cls(checkpoint["state"], [RouteEnd(**end) for end in checkpoint["ends"]])

    @property
    def route(self) -> int:
        return len(self.ends)

    def checkpoint(self) -> Checkpoint:
        return {"route": self.route, "state": self.state, "ends": [asdict(end) for end in self.ends]}

    def finish(self, end: RouteEnd) -> None:
        self.ends.append(end)
        self.state = {}

    def end(self) -> End:
        return End(tuple(self.ends))


async def read_pages(walk: Walk, source: Source, checkpoint: Checkpoint | None) -> AsyncGenerator[Page, None]:
    """Every page of the walk from the checkpoint on. Each Page's checkpoint continues after it."""
    progress = _Progress.read(checkpoint) if checkpoint else _Progress()
    for route in walk.routes[progress.route :]:
        read = _read_parents if route.placeholders else _read_top
        async with aclosing(read(walk, route, source, progress)) as pages:
            async for page in pages:
                yield page
    if not walk.routes:
        yield Page({}, progress.checkpoint(), end=progress.end())


async def _read_top(walk: Walk, route: Route, source: Source, progress: _Progress) -> AsyncGenerator[Page, None]:
    tally = Tally()
    watermark = None if route.is_whole else source.watermarks.get(route.lead.name)
    pieces = read_listing(route, route.path, source.fetch, tally, watermark=watermark, state=progress.state)
    async with aclosing(pieces):
        async for piece in pieces:
            late = await _read_left_out(route, piece, source.fetch, tally)
            yield _page_of(walk, route, piece, late, progress, tally)


async def _read_left_out(route: Route, piece: Piece, fetch: Fetch, tally: Tally) -> list[Any]:
    """Included records that the answer names and lacks, each asked for by itself."""
    found: list[Any] = []
    for carried, identifier in left_out(route, piece.rows, piece.included):
        with suppress(PathNotFound):
            path = record_path(carried.stream.path, identifier)
            found.append(tally.add(await fetch(path, query_of(carried.stream))).data)
    return found


def _page_of(walk: Walk, route: Route, piece: Piece, late: list[Any], progress: _Progress, tally: Tally) -> Page:
    progress.state = piece.state
    if piece.is_last:
        total = piece.total if route.is_whole else None
        progress.finish(RouteEnd(total, doubt=piece.doubt, reached=piece.reached))
    answer = Answer(piece.rows, piece.shown, [*piece.included, *late])
    records = sort_records(route, walk.streams, answer, {})
    return Page(records, progress.checkpoint(), **tally.take(), end=_end(walk, progress))


async def _read_parents(walk: Walk, route: Route, source: Source, progress: _Progress) -> AsyncGenerator[Page, None]:
    tally, state = Tally(), ChildState(**progress.state)
    watermark = source.watermarks.get(route.lead.name)
    listings = read_children(route, source.fetch, tally, parents=source.parents, watermark=watermark, state=state)
    async with aclosing(listings):
        async for batch in listings:
            progress.state = state.checkpoint()
            yield Page(_sorted(walk, route, batch), progress.checkpoint(), **tally.take())
    progress.finish(RouteEnd(shortage=state.shortage, doubt=state.doubt))
    yield Page({}, progress.checkpoint(), end=_end(walk, progress))


def _sorted(walk: Walk, route: Route, batch: list[Children]) -> Mapping[str, list[Record]]:
    records: dict[str, list[Record]] = {}
    for children in batch:
        answer = Answer(children.rows, children.shown, children.included)
        found = sort_records(route, walk.streams, answer, children.parent.ids)
        for name, rows in found.items():
            records.setdefault(name, []).extend(rows)
    return records


def _end(walk: Walk, progress: _Progress) -> End | None:
    return progress.end() if progress.route == len(walk.routes) else None
