"""Offset listings: whole ones, and newest-first ones that stop at the watermark.

Rows shift between pages when records are added, deleted or moved, and the API has no snapshots. So each page is
requested from the last row already read: if that row, or another of the last page, is on it, everything after it is
unread and nothing was skipped; if not, the listing has shifted, and we step back until one is found.
"""

from collections.abc import AsyncGenerator
from dataclasses import asdict, dataclass, field
from typing import Any

from openfaith_pipeline.catalog.completeness import MOVED
from openfaith_pipeline.catalog.reading import Document, Fetch, Tally
from openfaith_pipeline.catalog.walk import Checkpoint, id_of
from openfaith_pipeline.errors import UnexpectedResponse
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

MAX_STEPS_BACK = 200


@dataclass
class ListingState:
    """Position in a listing.

    offset: number of rows read so far, as positions of the listing.
    recent: ids of the last page, in its order.
    total: the count in the API's first response.
    doubt: why the listing may be incomplete.
    lacks_next: whether the last page was full but had no `next`.
    steps_back: number of times the listing shifted.
    newest: the first row's cursor: the next watermark of a newest-first listing.
    is_unordered: a newest-first listing was not in order: the API silently ignores an unknown order.
    """

    offset: int = 0
    recent: list[str] = field(default_factory=list)
    total: int | None = None
    doubt: str | None = None
    lacks_next: bool = False
    steps_back: int = 0
    newest: str | None = None
    is_unordered: bool = False

    def checkpoint(self) -> Checkpoint:
        return asdict(self)

    def doubted(self, reason: str) -> None:
        self.doubt = self.doubt or reason


async def list_pages(
    fetch: Fetch, listing: Listing, state: ListingState, tally: Tally, stop_before: tuple[str, str] | None = None
) -> AsyncGenerator[Piece, None]:
    """Read a listing from `state` to its end; `state` is advanced and describes each page as it is yielded.

    stop_before: (cursor attribute, watermark) of a newest-first listing, which ends at the first older row. If it turns
    out to be unordered, it is read to its end.
    """
    is_done, abreast = False, PagesAbreast(fetch, tally)
    try:
        while not is_done:
            # For a listing that stops at the watermark, pages requested ahead may be wasted.
            count = None if stop_before and stop_before[1] else state.total
            document, fresh, offset = await _read_on(abreast, listing, state, count)
            rows = rows_of(document, listing.path)
            if fresh and state.lacks_next:
                state.doubted(LACKED_NEXT)
            _advance(state, document, rows, offset)
            kept = fresh
            if stop_before:
                state.is_unordered = state.is_unordered or not _is_ordered(document, rows, stop_before[0])
                state.newest = state.newest or _first_value(rows, stop_before[0], latest_believed(document))
                kept = fresh if state.is_unordered else _until(fresh, *stop_before)
            is_done = is_last(document, rows) or not fresh or len(kept) < len(fresh)
            total = document.total_count if is_done and not stop_before else None
            yield Piece(kept, rows, document.included, state.checkpoint(), is_done, total, state.doubt, state.newest)
    finally:
        await abreast.drop()


async def _read_on(
    abreast: PagesAbreast, listing: Listing, state: ListingState, count: int | None
) -> tuple[Document, list[Any], int]:
    """The next page, its unread rows, and its offset."""
    if not state.recent:
        document = await abreast.page(listing.path, listing.at, state.offset, count)
        return document, rows_of(document, listing.path), state.offset
    offset, step = max(0, state.offset - 1), 1
    known = set(state.recent)
    while True:
        document = await abreast.page(listing.path, listing.at, offset, count)
        rows = rows_of(document, listing.path)
        last_known = max((place for place, row in enumerate(rows) if id_of(row) in known), default=None)
        if last_known is not None:
            if last_known + offset != state.offset - 1:
                state.doubted(MOVED)
            return document, rows[last_known + 1 :], offset
        state.doubted(MOVED)
        if offset == 0:
            return document, rows, 0
        state.steps_back += 1
        if state.steps_back > MAX_STEPS_BACK:
            raise UnexpectedResponse(f"{listing.path}: the listing keeps changing while it is read")
        offset, step = max(0, offset - step * PAGE_SIZE // 2), step * 2
        count = None


def _advance(state: ListingState, document: Document, rows: list[Any], offset: int) -> None:
    reached = offset + len(rows)
    if rows:
        state.recent = [identifier for row in rows if (identifier := id_of(row))]
        state.offset = reached
    state.lacks_next = len(rows) >= PAGE_SIZE and document.next_offset is None
    if came_short(document, rows, offset):
        state.doubted(CAME_SHORT)
    total = document.total_count
    if state.total is not None and total != state.total:
        state.doubted(MOVED)
    state.total = total if state.total is None else state.total


def _first_value(rows: list[Any], cursor: str, latest: str) -> str | None:
    return next((value for row in rows if (value := cursor_of(row, cursor)) and value <= latest), None)


def _is_ordered(document: Document, rows: list[Any], cursor: str) -> bool:
    """Whether the page is newest first, as far as its rows show."""
    if document.orders is not None and cursor not in document.orders:
        return False
    values = [value for row in rows if (value := cursor_of(row, cursor))]
    return values == sorted(values, reverse=True)


def _until(rows: list[Any], cursor: str, watermark: str) -> list[Any]:
    """The rows before the first one older than the watermark (a row without a cursor value counts as new)."""
    for place, row in enumerate(rows):
        value = cursor_of(row, cursor)
        if value is not None and value < watermark:
            return rows[:place]
    return rows
