"""Sync status of each org, read from the bookkeeping, for the command line and the service."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row, tuple_row

from openfaith_pipeline.database import Database
from openfaith_pipeline.orgs.health import Health, read_health
from openfaith_pipeline.orgs.newest_syncs import newest_sync
from openfaith_pipeline.orgs.registry import Org, get_org, list_orgs

_STREAMS_SQL = f"""
SELECT state.org_id, state.stream, state.availability, state.availability_reason, state.watermark,
       state.last_succeeded_at, state.last_full_at, state.row_count, coalesce(state.parentless, 0) AS parentless,
       last.sync_id, last.status, last.mode, last.started_at, last.finished_at, last.error,
       (SELECT count(*) FROM sync.quarantine AS held
         WHERE held.org_id = state.org_id AND held.stream = state.stream AND held.resolved_at IS NULL) AS quarantined,
       (SELECT coalesce(sum(cardinality(ids)), 0)::bigint FROM sync.held_deletions AS waiting
         WHERE waiting.org_id = state.org_id AND waiting.stream = state.stream AND waiting.decision IS NULL) AS held,
       ARRAY(SELECT kind || ' ' || attribute FROM sync.drift AS drift
              WHERE drift.org_id = state.org_id AND drift.stream = state.stream ORDER BY 1) AS drift
  FROM sync.stream_states AS state
  LEFT JOIN LATERAL ({newest_sync("state.org_id", "state.stream")}) AS last ON true
 WHERE state.org_id = ANY(%s)
 ORDER BY state.org_id, state.stream
"""  # noqa: S608 - a part of ours
_CONFLICTS_SQL = """
SELECT org_id, count(*) FROM sync.conflicts WHERE org_id = ANY(%s) AND decision IS NULL GROUP BY 1
"""


@dataclass(frozen=True)
class StreamStatus:
    """One stream of one org: its published rows and its newest sync.

    status: of the newest sync ('running', 'succeeded', 'failed', 'incomplete', 'withheld', 'abandoned', 'unavailable'),
        None if there was none.
    row_count: published rows that are not deleted, None before the first success.
    parentless: rows of a child stream without the parent they were found under; should be 0.
    held: rows whose deletion waits for a person's decision.
    drift: differences of the attributes received from the catalog: `new shoe_size`, `gone nickname`, `retyped grade`.
    """

    org_id: str
    stream: str
    availability: str
    availability_reason: str | None
    watermark: datetime | None
    last_succeeded_at: datetime | None
    last_full_at: datetime | None
    row_count: int | None
    parentless: int
    sync_id: str | None
    status: str | None
    mode: str | None
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None
    quarantined: int
    held: int
    drift: list[str]


@dataclass(frozen=True)
class OrgStatus:
    """health: of the connection to the source that was named. conflicts: those that wait for a person's decision."""

    org: Org
    health: Health
    streams: tuple[StreamStatus, ...]
    conflicts: int = 0

    @property
    def running(self) -> tuple[str, ...]:
        return tuple(stream.stream for stream in self.streams if stream.status == "running")

    @property
    def failing(self) -> tuple[str, ...]:
        return tuple(stream.stream for stream in self.streams if stream.status in {"failed", "incomplete"})


def read_status(database: Database, org_id: str | None = None, *, adapter: str) -> list[OrgStatus]:
    """The status of one org (raises UnknownOrg), or of all, with their connection to this source."""
    with database.connect() as connection:
        orgs = [get_org(connection, org_id)] if org_id else list_orgs(connection)
        return statuses_of(connection, orgs, adapter)


def statuses_of(connection: psycopg.Connection[Any], orgs: Sequence[Org], adapter: str) -> list[OrgStatus]:
    """The status of each of these orgs that is still there, with its connection to this source."""
    org_ids = [org.org_id for org in orgs]
    streams, health = _stream_statuses(connection, org_ids), read_health(connection, org_ids, adapter=adapter)
    waiting = _count_conflicts(connection, org_ids)
    return [
        OrgStatus(
            org,
            health[org.org_id],
            tuple(status for status in streams if status.org_id == org.org_id),
            waiting.get(org.org_id, 0),
        )
        for org in orgs
        if org.org_id in health  # and was not removed between the two queries
    ]


def _count_conflicts(connection: psycopg.Connection[Any], org_ids: Collection[str]) -> dict[str, int]:
    with connection.cursor(row_factory=tuple_row) as cursor:
        return dict(cursor.execute(_CONFLICTS_SQL, [list(org_ids)]).fetchall())


def _stream_statuses(connection: psycopg.Connection[Any], org_ids: Collection[str]) -> list[StreamStatus]:
    with connection.cursor(row_factory=class_row(StreamStatus)) as cursor:
        return cursor.execute(_STREAMS_SQL, [list(org_ids)]).fetchall()
