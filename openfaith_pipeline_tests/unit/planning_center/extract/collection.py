"""Collections that page, filter and order as Planning Center does, change between requests, and have its bugs."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from openfaith_pipeline.catalog.reading import Document
from openfaith_pipeline.errors import PathNotFound
from openfaith_pipeline.planning_center.calls import Call
from openfaith_pipeline.planning_center.documents import read_document
from openfaith_pipeline.planning_center.products import Product

Change = Callable[["Collection"], None]


@dataclass(frozen=True)
class Bugs:
    """hides_next: no page names the next one. page_limit: the most rows of a page, even if more are requested.

    total: reported instead of the count. visible: rows after so many are not listed. blind: positions within each
    hundred rows that count in offsets but are not shown. can_order_by: the orders that answers announce.
    """

    hides_next: bool = False
    page_limit: int = 100
    total: int | None = None
    visible: int | None = None
    blind: frozenset[int] = frozenset()
    can_order_by: tuple[str, ...] | None = None


@dataclass
class Collection:
    """rows: id -> updated_at second. The clock stands one second past the newest row and moves with each change.

    changes: made before each answer. delays: number of turns that each request waits, so that parallel requests are
    answered out of order.
    """

    rows: dict[int, int | None]
    changes: Iterator[list[Change]] = field(default_factory=lambda: iter(()))
    delays: Iterator[int] = field(default_factory=lambda: iter(()))
    requests: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    bugs: Bugs = Bugs()
    type: str = "Thing"

    def __post_init__(self) -> None:
        self.clock = max([second for second in self.rows.values() if second is not None], default=0) + 1

    def update(self, place: int) -> None:
        if self.rows:
            self.rows[sorted(self.rows)[place % len(self.rows)]] = self._now()

    def delete(self, place: int) -> None:
        if self.rows:
            del self.rows[sorted(self.rows)[place % len(self.rows)]]

    def insert(self, _place: int) -> None:
        self.rows[max(self.rows, default=0) + 1] = self._now()

    def _now(self) -> int:
        self.clock += 1
        return self.clock

    async def fetch(self, path: str, params: Mapping[str, str]) -> Document:
        for _ in range(next(self.delays, 0)):
            await asyncio.sleep(0)
        for change in next(self.changes, []):
            change(self)
        self.requests.append((path, params))
        return self.page(params)

    def record(self, identifier: int) -> Document:
        """The answer to a request for one record."""
        if identifier not in self.rows:
            raise PathNotFound(f"{identifier} is not there")
        return _document(self._shown(identifier, self.rows[identifier]), {})

    def page(self, params: Mapping[str, str]) -> Document:
        """The answer to a request for a page."""
        chosen = self._chosen(params)
        offset, size = int(params.get("offset", 0)), min(int(params["per_page"]), self.bugs.page_limit)
        listed = chosen[: self.bugs.visible]
        shown = [
            self._shown(*row)
            for place, row in enumerate(listed[offset : offset + size], start=offset)
            if place % 100 not in self.bugs.blind
        ]
        following = offset + size < len(listed) and not self.bugs.hides_next
        total = len(chosen) if self.bugs.total is None else self.bugs.total
        orders = self.bugs.can_order_by
        meta: dict[str, Any] = {"total_count": total} | ({} if orders is None else {"can_order_by": [*orders]})
        return _document(shown, meta | ({"next": {"offset": offset + size}} if following else {}))

    def _shown(self, identifier: int, second: int | None) -> dict[str, Any]:
        return {"type": self.type, "id": str(identifier), "attributes": {"updated_at": stamp(second)}}

    def _chosen(self, params: Mapping[str, str]) -> list[tuple[int, int | None]]:
        since = params.get("where[updated_at][gte]")
        rows = [
            (identifier, second)
            for identifier, second in sorted(self.rows.items())
            if since is None or (second is not None and (stamp(second) or "") >= since)
        ]
        order = params.get("order", "")
        if order == "updated_at":
            rows.sort(key=lambda row: (row[1] is not None, row[1] or 0))
        if order == "-updated_at":
            rows.sort(key=lambda row: -(row[1] or 0))
        return rows


@dataclass
class World:
    """Collections by path; a record of `/p/v2/things` is at `/p/v2/things/1`. `tick` goes before each request."""

    collections: dict[str, Collection]
    tick: Callable[[], None] = lambda: None
    requests: int = 0

    async def fetch(self, path: str, params: Mapping[str, str]) -> Document:
        self.tick()
        self.requests += 1
        if path in self.collections and self._has_owner(path):
            return self.collections[path].page(params)
        listing, _, identifier = path.rpartition("/")
        if listing in self.collections and identifier.isdigit() and self._has_owner(listing):
            return self.collections[listing].record(int(identifier))
        raise PathNotFound(f"{path} is not there")

    def _has_owner(self, path: str) -> bool:
        above, _, identifier = path.rpartition("/")[0].rpartition("/")
        return above not in self.collections or int(identifier) in self.collections[above].rows


def stamp(second: int | None) -> str | None:
    """A second as the API writes it."""
    if second is None:
        return None
    return datetime.fromtimestamp(1_700_000_000 + second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _document(data: Any, meta: dict[str, Any]) -> Document:
    body = {"data": data, "meta": meta}
    return read_document(
        body, Call("/p/v2/things", {}, Product.PEOPLE), requests=1, waited_seconds=0.0, received_at=datetime.now(UTC)
    )
