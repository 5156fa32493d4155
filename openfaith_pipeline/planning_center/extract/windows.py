"""Keyset windows: records changed since a watermark, oldest change first.

A window is requested with `where[cursor][gte]=T`, T being the cursor of the last row read, so offsets stay small and
changes elsewhere cannot shift unread rows out of sight. Timestamps have a resolution of one second, and bulk edits put
many rows into one; ties come in ascending id, so the rows of second T that were already read are skipped by offset,
less one: the first row of the page must be the last one read. If it is not, the second is read again from its start.

While pages of a window are in flight, reading continues by offset, each page beginning with the last row of the one
before. If one does not, the window has shifted (a row was changed and moved to the end): a new window begins there.

A row out of order is the only sign that the API ignored an unknown `where` or `order`. Then the order says nothing of
the rows that are not read yet, so the window is read to its end by offset.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from openfaith_pipeline.catalog.reading import Document, Fetch, Tally
from openfaith_pipeline.catalog.walk import Checkpoint, id_of
from openfaith_pipeline.errors import UnexpectedResponse
from openfaith_pipeline.planning_center.extract.listings import ListingState, list_pages
from openfaith_pipeline.planning_center.extract.pages import (
    CAME_SHORT,
    LACKED_NEXT,
    PAGE_SIZE,
    Listing,
    Piece,
    came_short,
    cursor_of,
    is_last,
    latest_believed,
    rows_of,
)
from openfaith_pipeline.planning_center.extract.prefetch import PagesAbreast

MAX_RESTARTS = 50

MOST_ROWS = 5_000
"""Limit of offsets in one window: deeper ones cost the server more and have a lower rate limit."""


@dataclass
class WindowState:
    """Position in a keyset walk.

    since: cursor of the last row read; None at the start and among rows without one, which come first.
    seen: number of rows read with exactly that cursor.
    last_id: id of the last row read, None if the window must be read from its start.
    restarts: number of times the second was read again.
    doubt: why the windows may be incomplete.
    lacks_next: whether the last page was full but had no `next`.
    unordered: since a row came out of order, the position in the window as a listing.
    """

    since: str | None = None
    seen: int = 0
    last_id: str | None = None
    restarts: int = 0
    doubt: str | None = None
    lacks_next: bool = False
    unordered: Checkpoint | None = None

    @property
    def offset(self) -> int:
        """Offset of the last row read in a window starting at `since`."""
        return self.seen - 1 if self.last_id is not None else 0

    def checkpoint(self) -> Checkpoint:
        return asdict(self)


async def window_pages(
    fetch: Fetch,
    listing: Listing,
    cursor: str,
    state: WindowState,
    tally: Tally,
    counted_by: Mapping[str, str] | None = None,
) -> AsyncGenerator[Piece, None]:
    """Read from `state` to the present; `state` is advanced and describes each page as it is yielded.

    counted_by: the query with which the whole listing is counted, None if only changes are read. The total of a
    window that begins at a cursor is not the listing's.
    """
    is_done, count, abreast = False, None, PagesAbreast(fetch, tally)
    since, offset = state.since, state.offset
    try:
        while not is_done and state.unordered is None:
            document = await abreast.page(listing.path, partial(_query, listing, cursor, since), offset, count)
            rows = rows_of(document, listing.path)
            if state.last_id is not None and (not rows or id_of(rows[0]) != state.last_id):
                if (since, offset) == (state.since, state.offset):
                    _restart_second(state, listing.path)
                since, offset, count = state.since, state.offset, None
                await abreast.drop()
                continue
            fresh = rows[1:] if state.last_id is not None else rows
            if not _is_ordered(fresh, cursor, state.since):
                state.unordered = {}
                break
            _look_for_gaps(state, document, rows, fresh, offset)
            _advance(state, fresh, cursor, latest_believed(document))
            is_done = is_last(document, rows) or not fresh
            total = None
            if is_done and counted_by is not None:
                total = document.total_count if since is None else await _count(fetch, listing.path, counted_by, tally)
            yield Piece(fresh, rows, document.included, state.checkpoint(), is_done, total, state.doubt, state.since)
            left = None if document.total_count is None else document.total_count - offset - len(rows)
            offset += len(rows) - 1
            if offset not in abreast:
                await abreast.drop()
                since, offset = state.since, state.offset
            count = None if left is None else min(offset + 1 + left, MOST_ROWS)
    finally:
        await abreast.drop()
    if state.unordered is not None:
        async with aclosing(_to_the_end(fetch, listing, cursor, state, tally, counted_by)) as pieces:
            async for piece in pieces:
                yield piece


async def _to_the_end(
    fetch: Fetch,
    listing: Listing,
    cursor: str,
    state: WindowState,
    tally: Tally,
    counted_by: Mapping[str, str] | None,
) -> AsyncGenerator[Piece, None]:
    """Read the window by offset, in whatever order it comes; it has reached all changes up to its start."""
    window = Listing(listing.path, {**listing.params, **_asked(cursor, state.since)})
    async with aclosing(list_pages(fetch, window, ListingState(**(state.unordered or {})), tally)) as pieces:
        async for piece in pieces:
            state.unordered = piece.state
            total = None
            if piece.is_last and counted_by is not None:
                is_whole = state.since is None
                total = piece.total if is_whole else await _count(fetch, listing.path, counted_by, tally)
            doubt = state.doubt or piece.doubt
            yield replace(piece, state=state.checkpoint(), total=total, doubt=doubt, reached=None)


async def _count(fetch: Fetch, path: str, query: Mapping[str, str], tally: Tally) -> int | None:
    return tally.add(await fetch(path, {**query, "per_page": "1"})).total_count


def _look_for_gaps(state: WindowState, document: Document, rows: list[Any], fresh: list[Any], offset: int) -> None:
    if fresh and state.lacks_next:
        state.doubt = state.doubt or LACKED_NEXT
    if came_short(document, rows, offset):
        state.doubt = state.doubt or CAME_SHORT
    state.lacks_next = len(rows) >= PAGE_SIZE and document.next_offset is None


def _query(listing: Listing, cursor: str, since: str | None, offset: int) -> dict[str, str]:
    return listing.at(offset, **_asked(cursor, since))


def _asked(cursor: str, since: str | None) -> dict[str, str]:
    return {"order": cursor} | ({f"where[{cursor}][gte]": since} if since else {})


def _restart_second(state: WindowState, path: str) -> None:
    state.restarts += 1
    if state.restarts > MAX_RESTARTS:
        raise UnexpectedResponse(f"{path}: the rows of one second keep changing while they are read")
    state.seen, state.last_id = 0, None


def _is_ordered(rows: list[Any], cursor: str, since: str | None) -> bool:
    previous = since or ""
    for row in rows:
        value = cursor_of(row, cursor) or ""
        if value and value < previous:
            return False
        previous = value or previous
    return True


def _advance(state: WindowState, fresh: list[Any], cursor: str, latest: str) -> None:
    """Advance past the fresh rows.

    Rows dated in the future come last and count as rows of the latest believable time.
    """
    for row in fresh:
        value = cursor_of(row, cursor)
        if value is not None and value != state.since and value <= latest:
            state.since, state.seen, state.restarts = value, 0, 0
        state.seen += 1
        state.last_id = id_of(row) or state.last_id
