"""Progress of a sync: its share and time left, estimated from earlier reads of the same streams in the same mode."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import class_row, dict_row

from openfaith_pipeline.orgs.newest_syncs import NEWEST_ATTEMPTS
from openfaith_pipeline.sources import STREAMS

_MOST_OF_ONE: Final = 0.95
"""A stream that takes more requests than before never counts as finished."""

_SYNC: Final = """
SELECT sync_id, run_id, mode, trigger, status, started_at, finished_at, error, requested FROM sync.syncs
 WHERE sync_id = %s
"""
# The newest attempt at each org and stream; a waiting stream has none. `expected` is from its last reading.
_STREAMS: Final = f"""
WITH scope AS (
    SELECT org_id, stream FROM sync.stream_syncs WHERE sync_id = %(sync_id)s
    UNION
    SELECT org_id, stream FROM unnest(%(orgs)s::text[]) AS org_id CROSS JOIN unnest(%(streams)s::text[]) AS stream
      LEFT JOIN sync.stream_states USING (org_id, stream)
     WHERE %(is_open)s AND coalesce(availability, 'available') IN ('available', 'silent'))
SELECT scope.org_id, scope.stream, coalesce(done.status, 'waiting') AS status, coalesce(done.mode, %(mode)s) AS mode,
       coalesce(done.pages, 0) AS pages, coalesce(done.fetched, 0) AS fetched, coalesce(done.inserted, 0) AS inserted,
       coalesce(done.updated, 0) AS updated, coalesce(done.unchanged, 0) AS unchanged,
       coalesce(done.deleted, 0) AS deleted, coalesce(done.quarantined, 0) AS quarantined,
       coalesce(done.requests, 0) AS requests, coalesce(done.waited_seconds, 0) AS waited_seconds,
       done.started_at, done.finished_at, done.error, before.requests AS expected_requests
  FROM scope
  LEFT JOIN ({NEWEST_ATTEMPTS}) AS done USING (org_id, stream)
  LEFT JOIN LATERAL (
       SELECT requests FROM sync.stream_syncs AS each
        WHERE each.org_id = scope.org_id AND each.stream = scope.stream AND each.mode = coalesce(done.mode, %(mode)s)
          AND each.status IN ('succeeded', 'incomplete', 'withheld') AND each.sync_id <> %(sync_id)s
        ORDER BY id DESC LIMIT 1) AS before ON true
 WHERE %(visible)s::text[] IS NULL OR scope.org_id = ANY(%(visible)s)
 ORDER BY scope.org_id, scope.stream
"""  # noqa: S608 - a part of ours


@dataclass(frozen=True)
class StreamStep:
    """One stream of the sync.

    status: `waiting` before its turn, then that of StreamStatus. expected_requests: those of the last time.
    """

    org_id: str
    stream: str
    status: str
    mode: str
    pages: int
    fetched: int
    inserted: int
    updated: int
    unchanged: int
    deleted: int
    quarantined: int
    requests: int
    waited_seconds: float
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None
    expected_requests: int | None

    @property
    def is_open(self) -> bool:
        return self.status in {"waiting", "running"}

    @property
    def weight(self) -> float:
        """Number of requests that the stream takes, but at least one, even if it is read with another stream."""
        return float(max(1, self.expected_requests or 1, 0 if self.is_open else self.requests))

    @property
    def done(self) -> float:
        """The part of its weight that is done."""
        if not self.is_open:
            return self.weight
        if self.expected_requests is None:
            return 0.0
        return min(float(self.requests), _MOST_OF_ONE * self.weight)


@dataclass(frozen=True)
class SyncProgress:
    """A sync as recorded, with its streams. org_ids: of those that the reader may see."""

    sync_id: str
    run_id: str | None
    mode: str
    trigger: str
    status: str
    started_at: datetime
    finished_at: datetime | None
    error: str | None
    streams: tuple[StreamStep, ...]

    @property
    def is_running(self) -> bool:
        return self.status == "running"

    @property
    def share(self) -> float | None:
        """The share done, from 0 to 1; None while the amount of work is unknown."""
        if not self.is_running:
            return 1.0
        total = sum(step.weight for step in self.streams)
        return sum(step.done for step in self.streams) / total if total else None

    @property
    def rows(self) -> int:
        return sum(step.fetched for step in self.streams)

    @property
    def requests(self) -> int:
        return sum(step.requests for step in self.streams)

    @property
    def seconds(self) -> float:
        return max(0.0, ((self.finished_at or datetime.now(UTC)) - self.started_at).total_seconds())

    @property
    def rows_per_second(self) -> float | None:
        return self.rows / self.seconds if self.seconds >= 1 else None

    @property
    def requests_per_second(self) -> float | None:
        return self.requests / self.seconds if self.seconds >= 1 else None

    @property
    def seconds_left(self) -> float | None:
        """The estimated time left; None while too little is done to say."""
        if not self.is_running or not self.share or self.share < 0.02 or self.seconds < 1:
            return None
        return self.seconds * (1 - self.share) / self.share


def read_sync_progress(
    connection: Connection[Any], sync_id: str, visible: Collection[str] | None = None
) -> SyncProgress | None:
    """The sync; None if it does not exist, or none of the visible orgs is in it. visible: orgs, None for all."""
    with connection.cursor(row_factory=dict_row) as cursor:
        sync = cursor.execute(_SYNC, (sync_id,)).fetchone()
    if sync is None:
        return None
    requested = sync.pop("requested")
    orgs = _orgs_of(requested)
    values = {
        "sync_id": sync_id,
        "mode": sync["mode"],
        "is_open": sync["status"] == "running",
        "orgs": orgs,
        "streams": requested.get("streams") or list(STREAMS),
        "visible": None if visible is None else sorted(visible),
    }
    with connection.cursor(row_factory=class_row(StreamStep)) as cursor:
        streams = tuple(cursor.execute(_STREAMS, values).fetchall())
    if visible is not None and not streams and not set(orgs) & set(visible):
        return None
    return SyncProgress(**sync, streams=streams)


def _orgs_of(requested: Any) -> Sequence[str]:
    """The orgs that a sync was requested for: the record of a sweep's turn names one, the command line's several."""
    several = requested.get("orgs") or []
    one = requested.get("org")
    return [*several, one] if isinstance(one, str) else list(several)
