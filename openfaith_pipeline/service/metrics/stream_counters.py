"""Counters of rows, requests and waits, advanced by the entries added to the sync log since the last update.

Each update reads the newest entries and those that may still change, by primary key, however long the log is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter
from psycopg import Connection
from psycopg.rows import dict_row

CHANGES: Final = ("fetched", "inserted", "updated", "deleted", "merged", "quarantined")

STREAM_COUNTERS: Final[Mapping[str, str]] = {
    "openfaith_stream_rows": "Rows read and published, by stream and kind of change.",
    "openfaith_stream_requests": "Requests to Planning Center.",
    "openfaith_stream_budget_wait_seconds": (
        "Seconds that requests waited for the rate budget, each counted by itself."
    ),
}

_OPEN: Final = frozenset({"running", "failed", "planned"})
_COMMITTED_LATE: Final = 2_000
"""So many ids before the newest are looked at again: their transactions may have been committed after it."""

_ENTRIES: Final = """
SELECT id, stream, status, fetched, inserted, updated, deleted, merged, quarantined, requests, waited_seconds
  FROM sync.stream_syncs WHERE id > %(after)s OR id = ANY(%(open)s)
"""
_NEWEST: Final = "SELECT coalesce(max(id), 0) AS newest FROM sync.stream_syncs"
_OPEN_NOW: Final = "SELECT id FROM sync.stream_syncs WHERE status IN ('running', 'failed')"


@dataclass
class _Seen:
    is_open: bool
    counts: Sequence[float]


@dataclass
class StreamCounters:
    """Advances the counters of one registry. It is not thread-safe."""

    registry: CollectorRegistry
    _newest: int | None = None
    _seen: dict[int, _Seen] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._rows = self._counter("openfaith_stream_rows", "stream", "change")
        self._requests = self._counter("openfaith_stream_requests", "stream")
        self._waited = self._counter("openfaith_stream_budget_wait_seconds", "stream")

    def _counter(self, name: str, *labels: str) -> Counter:
        return Counter(name, STREAM_COUNTERS[name], labels, registry=self.registry)

    def look(self, connection: Connection[Any]) -> None:
        """Count new entries. The first look counts nothing: it is where counting begins."""
        is_first = self._newest is None
        with connection.cursor(row_factory=dict_row) as cursor:
            if self._newest is None:
                [row] = cursor.execute(_NEWEST).fetchall()
                self._newest = row["newest"]
                self._seen = {row["id"]: _Seen(True, ()) for row in cursor.execute(_OPEN_NOW).fetchall()}
            after = self._newest - _COMMITTED_LATE
            open_ids = [entry for entry, seen in self._seen.items() if seen.is_open]
            rows = cursor.execute(_ENTRIES, {"after": after, "open": open_ids}).fetchall()
        for row in rows:
            self._count(row, is_first=is_first)
        self._newest = max((row["id"] for row in rows), default=self._newest)
        self._forget()

    def _count(self, row: Mapping[str, Any], *, is_first: bool) -> None:
        counts = [row[name] for name in (*CHANGES, "requests", "waited_seconds")]
        seen = self._seen.get(row["id"])
        before = counts if is_first else seen.counts if seen else [0] * len(counts)
        # A walk that starts over counts its rows from zero again.
        *changes, requests, waited = (max(0, now - then) for now, then in zip(counts, before, strict=True))
        for name, number in zip(CHANGES, changes, strict=True):
            if number:
                self._rows.labels(row["stream"], name).inc(number)
        if requests:
            self._requests.labels(row["stream"]).inc(requests)
        if waited:
            self._waited.labels(row["stream"]).inc(waited)
        self._seen[row["id"]] = _Seen(row["status"] in _OPEN, counts)

    def _forget(self) -> None:
        after = (self._newest or 0) - _COMMITTED_LATE
        self._seen = {entry: seen for entry, seen in self._seen.items() if entry > after or seen.is_open}
