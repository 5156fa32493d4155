"""Read a walk page by page from its checkpoint: the entry point of extraction."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from openfaith_pipeline.catalog.paths import record_path
from openfaith_pipeline.catalog.reading import OWN_FAULTS, Fetch, Tally, WalkSource, is_own_fault
from openfaith_pipeline.catalog.walk import Checkpoint, End, LeftOut, Page, Record, Route, RouteEnd, Walk, query_of
from openfaith_pipeline.errors import StreamForbidden
from openfaith_pipeline.planning_center.extract.around import Unread, going_around
from openfaith_pipeline.planning_center.extract.children import Children, ChildState, read_children
from openfaith_pipeline.planning_center.extract.included import Answer, lacking, left_out, sort_records
from openfaith_pipeline.planning_center.extract.pages import Piece, cursor_of
from openfaith_pipeline.planning_center.extract.presence import ANY, find_record
from openfaith_pipeline.planning_center.extract.strategies import FOLLOWED, read_listing


@dataclass
class _Progress:
    """The route being read, its position, and the ends of the routes before it.

    left_out: parts of the route's top-level listing that could not be read so far. lacking: see RouteEnd, so far.
    """

    state: Checkpoint = field(default_factory=dict)
    ends: list[RouteEnd] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    lacking: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, checkpoint: Checkpoint) -> "_Progress":
        ends = [RouteEnd.read(end) for end in checkpoint["ends"]]
        left_out = [LeftOut(**each) for each in checkpoint["left_out"]]
        return cls(checkpoint["state"], ends, left_out, set(checkpoint.get("lacking", ())))

    @property
    def route(self) -> int:
        return len(self.ends)

    def checkpoint(self) -> Checkpoint:
        ends, left_out = map(asdict, self.ends), map(asdict, self.left_out)
        so_far = {"left_out": list(left_out), "lacking": sorted(self.lacking)}
        return {"route": self.route, "state": self.state, "ends": list(ends), **so_far}

    def finish(self, end: RouteEnd) -> None:
        self.ends.append(replace(end, lacking=tuple(sorted(self.lacking))))
        self.state, self.left_out, self.lacking = {}, [], set()

    def end(self) -> End:
        return End(tuple(self.ends))


async def read_pages(walk: Walk, source: WalkSource, checkpoint: Checkpoint | None) -> AsyncGenerator[Page, None]:
    """Every page of the walk after the checkpoint. Each Page's checkpoint continues after it."""
    progress = _Progress.read(checkpoint) if checkpoint else _Progress()
    for route in walk.routes[progress.route :]:
        read = _read_parents if route.placeholders else _read_top
        async with aclosing(read(walk, route, source, progress)) as pages:
            async for page in pages:
                yield page
    if not walk.routes:
        yield Page({}, progress.checkpoint(), end=progress.end())


async def _read_top(walk: Walk, route: Route, source: WalkSource, progress: _Progress) -> AsyncGenerator[Page, None]:
    tally = Tally()
    start = None if route.is_whole else source.starts.get(route.lead.name)
    pieces = read_listing(route, route.path, going_around(source.fetches), tally, start=start, state=progress.state)
    async with aclosing(pieces):
        async for piece in pieces:
            late = await _read_left_out(route, piece, source.fetches.patient, tally, progress)
            yield _page_of(walk, route, piece, late, progress, tally)


async def _read_left_out(route: Route, piece: Piece, fetch: Fetch, tally: Tally, progress: _Progress) -> list[Any]:
    """Request included records that the document names and lacks, each by itself.

    One that fails is recorded in `progress`, for the next sync to try again. One that may not be read is not shown, as
    one that is not there yet.
    """
    found: list[Any] = []
    for carried, identifier in left_out(route, piece.rows, piece.included):
        path = record_path(carried.stream.path, identifier)
        try:
            document = await find_record(fetch, tally, path, query_of(carried.stream), identifier=ANY)
        except OWN_FAULTS as error:
            if not is_own_fault(error):
                raise
            tally.requests += 1
            if not isinstance(error, StreamForbidden):
                progress.left_out.append(LeftOut(path, str(error), before=progress.state.get("since")))
            continue
        if document:
            found.append(document.data)
    return found


def _page_of(walk: Walk, route: Route, piece: Piece, late: list[Any], progress: _Progress, tally: Tally) -> Page:
    rows = _leave_out(route, piece, progress)
    progress.state = piece.state
    answer = Answer(rows, piece.shown, [*piece.included, *late])
    progress.lacking |= lacking(route.carried, answer)
    if piece.is_last:
        total = piece.total if route.is_whole else None
        progress.finish(RouteEnd(total, None, piece.doubt, piece.reached, tuple(progress.left_out)))
    records = sort_records(route, walk.streams, answer, {})
    return Page(records, progress.checkpoint(), **tally.take(), end=_end(walk, progress))


def _leave_out(route: Route, piece: Piece, progress: _Progress) -> list[Any]:
    """The readable rows of the piece; the others are recorded in `progress`."""
    cursor = route.lead.cursor if route.listing in FOLLOWED else None
    before = progress.state.get("since") if cursor else None
    known = {each.place for each in progress.left_out}
    rows: list[Any] = []
    for row in piece.rows:
        if not isinstance(row, Unread):
            before = (cursor_of(row, cursor) or before) if cursor else None
            rows.append(row)
        elif row.place not in known:
            progress.left_out.append(LeftOut(row.place, row.reason, before=before))
    return rows


async def _read_parents(
    walk: Walk, route: Route, source: WalkSource, progress: _Progress
) -> AsyncGenerator[Page, None]:
    tally, state = Tally(), ChildState(**progress.state)
    start = source.starts.get(route.lead.name)
    listings = read_children(
        route, going_around(source.fetches), tally, parents=source.parents, start=start, state=state
    )
    async with aclosing(listings):
        async for batch in listings:
            progress.state = state.checkpoint()
            for each in batch:
                progress.lacking |= lacking(route.carried, Answer(each.rows, each.shown, each.included))
            yield Page(_sorted(walk, route, batch), progress.checkpoint(), **tally.take())
    left_out = tuple(LeftOut(**each) for each in state.left_out)
    progress.finish(RouteEnd(shortage=state.shortage, doubt=state.doubt, left_out=left_out))
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
