"""Counters of requests to each source, advanced by the counts in its rate budgets since the last update.

The sum over all churches is no counter: it falls when a church is erased, which Prometheus takes for a restart.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter
from psycopg import Connection
from psycopg.rows import tuple_row

from openfaith_pipeline.catalog.source import Source
from openfaith_pipeline.sources import SOURCES

_COUNTED: Final = "SELECT org_id, adapter, requests, refused FROM sync.source_rate_budgets WHERE adapter = ANY(%s)"


def _counters_of(source: Source) -> dict[str, str]:
    """Descriptions of a source's counters, by name: `openfaith_<title>_requests`."""
    prefix = f"openfaith_{source.title.lower().replace(' ', '_')}"
    return {
        f"{prefix}_requests": f"Answered requests to {source.title}.",
        f"{prefix}_rate_limited": "Requests refused with 429.",
    }


REQUEST_COUNTERS: Final[Mapping[str, str]] = {
    name: words for source in SOURCES.values() for name, words in _counters_of(source).items()
}


@dataclass
class RequestCounters:
    """Advances the counters of one registry. It is not thread-safe."""

    registry: CollectorRegistry
    _seen: dict[tuple[str, str], tuple[int, int]] | None = None
    _counters: dict[str, list[Counter]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for adapter, source in SOURCES.items():
            described = _counters_of(source).items()
            self._counters[adapter] = [Counter(name, words, registry=self.registry) for name, words in described]

    def look(self, connection: Connection[Any]) -> None:
        """Count new requests. The first look counts nothing: it is where counting begins."""
        with connection.cursor(row_factory=tuple_row) as cursor:
            rows = cursor.execute(_COUNTED, (list(self._counters),)).fetchall()
        found = {(org_id, adapter): (requests, refused) for org_id, adapter, requests, refused in rows}
        before = found if self._seen is None else self._seen
        for key, counts in found.items():
            then = before.get(key, (0, 0))
            for counter, now, earlier in zip(self._counters[key[1]], counts, then, strict=True):
                counter.inc(max(0, now - earlier))
        self._seen = found
