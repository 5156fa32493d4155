"""How long syncs took, of those that ended since the service began."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from opentelemetry.metrics import get_meter
from prometheus_client import CollectorRegistry, Histogram
from psycopg import Connection
from psycopg.rows import tuple_row

NAME: Final = "openfaith_sync_duration_seconds"

_TEXT: Final = "Time from the beginning of a sync to its end, all its attempts together."
_BUCKETS: Final = (1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 12 * 3600)
_COMMITTED_LATE: Final = timedelta(minutes=1)

_ENDED: Final = """
SELECT sync_id, mode, status, extract(epoch FROM finished_at - started_at)::float8, finished_at FROM sync.syncs
 WHERE finished_at > %s
"""


@dataclass
class Durations:
    """Observes durations for one registry. It is not thread-safe."""

    registry: CollectorRegistry
    _looked_at: datetime | None = None
    _seen: dict[str, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._histogram = Histogram(NAME, _TEXT, ["mode", "status"], buckets=_BUCKETS, registry=self.registry)
        self._sent = get_meter(__name__).create_histogram(
            NAME, "s", _TEXT, explicit_bucket_boundaries_advisory=_BUCKETS
        )

    def look(self, connection: Connection[Any]) -> None:
        """Observe the syncs that ended since the last look; the first look only begins."""
        with connection.cursor(row_factory=tuple_row) as cursor:
            [(now,)] = cursor.execute("SELECT now()").fetchall()
            since = (self._looked_at or now) - _COMMITTED_LATE
            rows = cursor.execute(_ENDED, (since,)).fetchall()
        for sync_id, mode, status, seconds, finished_at in rows:
            if self._looked_at and self._seen.get(sync_id) != finished_at:
                self._histogram.labels(mode, status).observe(max(0.0, seconds))
                self._sent.record(max(0.0, seconds), {"mode": mode, "status": status})
        self._seen = {sync_id: finished_at for sync_id, _, _, _, finished_at in rows}
        self._looked_at = now
