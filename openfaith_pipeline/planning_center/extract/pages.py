"""Requests for pages of a listing, and the properties of their rows."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from openfaith_pipeline.catalog.reading import Document
from openfaith_pipeline.catalog.walk import Checkpoint
from openfaith_pipeline.errors import UnexpectedResponse

PAGE_SIZE = 100
"""Rows per page: the API's maximum (a larger `per_page` is silently clamped to it)."""

_CLOCKS_DIFFER_BY = timedelta(minutes=1)
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@dataclass(frozen=True)
class Listing:
    """A path with the query shared by all its pages."""

    path: str
    params: Mapping[str, str] = field(default_factory=dict)

    def at(self, offset: int, **more: str) -> dict[str, str]:
        """Query parameters of the page at `offset` rows."""
        paging = {"per_page": str(PAGE_SIZE)} | ({"offset": str(offset)} if offset else {})
        return {**self.params, **paging, **more}


@dataclass(frozen=True)
class Piece:
    """Rows of one page.

    rows: those not read before and not older than the watermark. shown: all rows of the document, which `included` is
    for.
    state: from which the listing's next page is requested.
    is_last: no page follows.
    total: on the last page, the count from the API (None when only changes were requested).
    doubt: why the listing may be incomplete.
    reached: on the last page, the cursor up to which every change was read, where the listing gives it.
    """

    rows: list[Any]
    shown: list[Any]
    included: list[Any]
    state: Checkpoint
    is_last: bool
    total: int | None = None
    doubt: str | None = None
    reached: str | None = None


def rows_of(document: Document, path: str) -> list[Any]:
    """The resource objects of a collection document."""
    if not isinstance(document.data, list):
        raise UnexpectedResponse(f"{path}: expected a list of records, got a single one")
    return document.data


def cursor_of(row: Any, name: str) -> str | None:
    """A row's cursor in whole seconds, UTC (`2026-01-31T23:59:59Z`); None if missing or not a time.

    One that only looks like a time must not be sent: such a value selects nothing, which would look like the end.
    Rows of one second are ties: a window that begins at the second contains all of them, whatever their fractions.
    """
    attributes = row.get("attributes") if isinstance(row, dict) else None
    value = attributes.get(name) if isinstance(attributes, dict) else None
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return value if _TIMESTAMP.fullmatch(value) else as_written(moment.replace(tzinfo=moment.tzinfo or UTC))
    except (ValueError, OverflowError):
        return None


def as_written(moment: datetime) -> str:
    """Format a time like the API; such texts sort by time."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def latest_believed(document: Document) -> str:
    """The latest cursor that a sync may record as reached, so that a record dated in the future moves nothing.

    By the source's clock, which made its cursors; by ours if a response lacks the time.
    """
    return as_written((document.served_at or document.received_at) + _CLOCKS_DIFFER_BY)


LACKED_NEXT = "a full page had no next page, although there was one"
CAME_SHORT = "a page held fewer records than its position in the listing implies"


def came_short(document: Document, rows: list[Any], offset: int) -> bool:
    """Whether the page at `offset` has a next page that does not begin after its last row.

    A smaller page size than requested does not end the listing: the next page begins where this one ends.
    """
    return document.next_offset is not None and document.next_offset != offset + len(rows)


def is_last(document: Document, rows: list[Any]) -> bool:
    """Whether nothing follows: a short page without `next`.

    A full page is never taken for the last one: Planning Center has omitted `next` from full pages (developers#1386),
    and one more request settles it.
    """
    return len(rows) < PAGE_SIZE and document.next_offset is None
