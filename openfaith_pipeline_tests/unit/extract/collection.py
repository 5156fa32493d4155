"""A collection that pages, filters and orders as Planning Center does, and changes between requests."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from openfaith_pipeline.planning_center.documents import Document

Change = Callable[["Collection"], None]


@dataclass
class Collection:
    """rows: id -> updated_at second. The clock stands one second past the newest row and moves with each change."""

    rows: dict[int, int | None]
    changes: Iterator[list[Change]] = field(default_factory=lambda: iter(()))
    requests: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    hides_next: bool = False

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
        for change in next(self.changes, []):
            change(self)
        self.requests.append((path, params))
        chosen = self._chosen(params)
        offset, size = int(params.get("offset", 0)), int(params["per_page"])
        page = chosen[offset : offset + size]
        following = offset + size < len(chosen) and not self.hides_next
        meta: dict[str, Any] = {"total_count": len(chosen)} | ({"next": {"offset": offset + size}} if following else {})
        data = [
            {"type": "Thing", "id": str(identifier), "attributes": {"updated_at": stamp(second)}}
            for identifier, second in page
        ]
        return Document(data, [], meta, {}, 1, 0.0, datetime.now(UTC))

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


def stamp(second: int | None) -> str | None:
    """A second as the API writes it."""
    if second is None:
        return None
    return datetime.fromtimestamp(1_700_000_000 + second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
