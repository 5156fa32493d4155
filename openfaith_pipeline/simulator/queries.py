"""`where`, `order`, `per_page` and `offset`: the records of a table that a request selects, and their order.

A day is one in the church's time zone, a time is one in UTC, whatever offset it has: so documented, and reported.

As in production, a name that the list does not take (`Shape.can_query_by`, `can_order_by`) is silently ignored, and a
value that cannot be read as the attribute's type selects nothing. A name that it takes is ignored too if no simulated
record has a value for it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, NamedTuple

from openfaith_pipeline.catalog.stream import ColumnType
from openfaith_pipeline.simulator.personas import scatter
from openfaith_pipeline.simulator.records import Record
from openfaith_pipeline.simulator.searches import SEARCHES
from openfaith_pipeline.simulator.shapes import Shape
from openfaith_pipeline.simulator.tables import Table, fold, key_of

MAX_PER_PAGE = 100
DEFAULT_PER_PAGE = 25
WHERE = re.compile(r"where\[(\w+)\](?:\[(gte?|lte?)\])?")
_TIMES = (ColumnType.TIMESTAMP, ColumnType.DATE)
_TRUTHS = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}
Predicate = Callable[[Any], bool]
Zone = Callable[[], tzinfo]
"""The church's time zone."""


class Page(NamedTuple):
    size: int
    offset: int


class Selection(NamedTuple):
    """A slice of a sequence of ids, not copied."""

    ids: Sequence[int]
    start: int
    stop: int

    @property
    def total(self) -> int:
        return self.stop - self.start

    def on(self, page: Page) -> Sequence[int]:
        start = self.start + page.offset
        return self.ids[start : min(self.stop, start + page.size)]

    def first(self, count: int) -> "Selection":
        return Selection(self.ids, self.start, min(self.stop, self.start + count))


@dataclass
class _Window:
    """Values in [low, high), in the API's format."""

    low: str | None = None
    high: str | None = None

    def narrow(self, low: str | None, high: str | None) -> None:
        if low is not None:
            self.low = low if self.low is None else max(low, self.low)
        if high is not None:
            self.high = high if self.high is None else min(high, self.high)

    def holds(self, value: Any) -> bool:
        if not isinstance(value, str):
            return False
        return (self.low is None or value >= self.low) and (self.high is None or value < self.high)


def read_page(params: Mapping[str, str]) -> Page:
    """`per_page` is clamped to 100, and 0 means no rows at all; non-numbers are ignored."""
    size = _whole(params.get("per_page"), DEFAULT_PER_PAGE)
    return Page(min(size, MAX_PER_PAGE), _whole(params.get("offset"), 0))


def select(table: Table, params: Mapping[str, str], zone: Zone, scope: Sequence[int] | None = None) -> Selection:
    """The selected records, out of all or those in `scope` (ids ascending)."""
    conditions = _conditions(table.shape, params, zone)
    if conditions is None:
        return Selection((), 0, 0)
    windows, predicates = conditions
    orders = _orders(table.shape, params.get("order", ""))
    if scope is None and not predicates and len(windows) <= 1 and len(orders) <= 1:
        indexed = _by_index(table, windows, orders)
        if indexed:
            return indexed
    if scope is not None:
        ids = _scan(table, scope, windows, predicates, orders)
    else:
        asked = tuple(sorted((key, value) for key, value in params.items() if key == "order" or key[:5] == "where"))
        ids = table.remember(asked, lambda: _scan(table, table.ids, windows, predicates, orders))
    return Selection(ids, 0, len(ids))


def in_own_order(table: Table, params: Mapping[str, str], selection: Selection) -> Selection:
    """The selection in an order that neither ids nor times have, unless `order` gives one."""
    if _orders(table.shape, params.get("order", "")):
        return selection
    ids = selection.ids[selection.start : selection.stop]
    return Selection(sorted(ids, key=lambda id: scatter(0, table.shape.stream.name, id)), 0, len(ids))


def _by_index(table: Table, windows: Mapping[str, _Window], orders: list[tuple[str, bool]]) -> Selection | None:
    """The selection from a single index, without reading any record; None if that is not possible."""
    if not windows and not orders:
        return Selection(table.ids, 0, len(table.ids))
    attribute = orders[0][0] if orders else next(iter(windows))
    if not orders or (windows and attribute not in windows):
        return None
    index = table.index(attribute)
    start, stop = 0, len(index.ids)
    if windows:
        start, stop = index.window(windows[attribute].low, windows[attribute].high)
    if orders[0][1]:
        return Selection(index.descending_ids, len(index.ids) - stop, len(index.ids) - start)
    return Selection(index.ids, start, stop)


def _scan(
    table: Table,
    scope: Sequence[int],
    windows: Mapping[str, _Window],
    predicates: Sequence[tuple[str, Predicate]],
    orders: list[tuple[str, bool]],
) -> list[int]:
    tests = [*predicates, *((attribute, window.holds) for attribute, window in windows.items())]
    records = {id: table.record(id) for id in scope}
    ids = [id for id, record in records.items() if all(test(record.value(name)) for name, test in tests)]
    for attribute, is_descending in reversed(orders):
        ids.sort(key=_key(table, records, attribute), reverse=is_descending)
    return ids


def _key(table: Table, records: Mapping[int, Record], attribute: str) -> Callable[[int], Any]:
    kind = table.shape.kind_of(attribute) or ColumnType.TEXT
    return lambda id: key_of(kind, records[id].value(attribute))


def _orders(shape: Shape, order: str) -> list[tuple[str, bool]]:
    named = ((part.strip().lstrip("-"), part.strip().startswith("-")) for part in order.split(","))
    return [(name, way) for name, way in named if name in shape.can_order_by and shape.kind_of(name)]


def _conditions(
    shape: Shape, params: Mapping[str, str], zone: Zone
) -> tuple[dict[str, _Window], list[tuple[str, Predicate]]] | None:
    """Time windows and predicates on other attributes; None if a value cannot be read, so that nothing matches."""
    windows: dict[str, _Window] = {}
    predicates: list[tuple[str, Predicate]] = []
    for key, value in params.items():
        match = WHERE.fullmatch(key)
        attribute, operator = match.groups() if match else ("", None)
        kind = shape.kind_of(attribute)
        if attribute not in shape.can_query_by or attribute in SEARCHES or not kind:
            continue
        if kind in _TIMES:
            span = _span(kind, value, zone)
            if span is None:
                return None
            windows.setdefault(attribute, _Window()).narrow(*_side(span, operator))
        elif not operator:
            predicate = _predicate(kind, value)
            if predicate is None:
                return None
            predicates.append((attribute, predicate))
    return windows, predicates


def _predicate(kind: ColumnType, wanted: str) -> Predicate | None:
    if kind is ColumnType.TEXT:
        parts = [re.escape(fold(part)) for part in wanted.split("%")]
        pattern = re.compile(".*".join(parts), re.DOTALL)
        return lambda value: isinstance(value, str) and pattern.fullmatch(fold(value)) is not None
    try:
        number = _TRUTHS[wanted.lower()] if kind is ColumnType.BOOLEAN else float(wanted)
    except (KeyError, ValueError):
        return None
    return lambda value: isinstance(value, int | float) and value == number


def _span(kind: ColumnType, text: str, zone: Zone) -> tuple[str, str] | None:
    """The half-open range that a value means: a day or a second. UTC offsets are ignored."""
    try:
        moment = datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return None
    if kind is ColumnType.DATE:
        return moment.date().isoformat(), (moment.date() + timedelta(days=1)).isoformat()
    if len(text) == 10:
        midnights = (each.replace(tzinfo=zone()) for each in (moment, moment + timedelta(days=1)))
        start, end = (each.astimezone(UTC).isoformat()[:19] for each in midnights)
    else:
        start, end = (each.isoformat()[:19] for each in (moment, moment + timedelta(seconds=1)))
    return (f"{end}Z" if moment.microsecond else f"{start}Z"), f"{end}Z"


def _side(span: tuple[str, str], operator: str | None) -> tuple[str | None, str | None]:
    start, end = span
    sides = {"gt": (end, None), "gte": (start, None), "lt": (None, start), "lte": (None, end)}
    return sides.get(operator or "", (start, end))


def _whole(text: str | None, default: int) -> int:
    try:
        return max(int(text), 0) if text is not None else default
    except ValueError:
        return default
