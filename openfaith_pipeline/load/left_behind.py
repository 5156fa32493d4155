"""Leases, syncs and readings that a process left behind when it ended: the next sync takes them over."""

from datetime import timedelta
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import tuple_row

from openfaith_pipeline.load.leases import is_dead

RUN_SILENT_FOR: Final = timedelta(minutes=10)
"""Silence of a run's process after which its sync is left behind: Dagster's own watch acts sooner, where it runs."""

_LEASES: Final = """
SELECT stream, holder, lease_expires_at < now() AS is_over FROM sync.stream_states
 WHERE org_id = %s AND holder IS NOT NULL ORDER BY stream
"""
_SYNCS: Final = """
SELECT sync_id FROM sync.syncs AS left_over
 WHERE status = 'running' AND (%(org_id)s::text IS NULL OR requested -> 'orgs' ? %(org_id)s
       OR requested ->> 'org' = %(org_id)s OR EXISTS (SELECT FROM sync.stream_syncs AS work
           WHERE work.sync_id = left_over.sync_id AND work.org_id = %(org_id)s))
   AND (lease_expires_at < now() OR run_id IS NOT NULL AND coalesce(
           (SELECT beat_at FROM sync.run_leases WHERE run_leases.run_id = left_over.run_id), started_at)
           < now() - %(silent_for)s)
 ORDER BY started_at
"""
_WALKS: Final = """
SELECT DISTINCT stream FROM sync.stream_syncs WHERE org_id = %s AND status IN ('running', 'failed')
   AND checkpoint IS NOT NULL AND started_at < now() - %s ORDER BY stream
"""


def leases_left(connection: Connection[Any], org_id: str) -> list[str]:
    """Streams of the org with a lease of a process that is gone."""
    rows = _rows(connection, _LEASES, (org_id,))
    return [stream for stream, holder, is_over in rows if is_over or is_dead(holder)]


def syncs_left(connection: Connection[Any], org_id: str | None) -> list[str]:
    """Syncs, of the org or all, that are recorded as running and that nobody works on, oldest first."""
    values = {"org_id": org_id, "silent_for": RUN_SILENT_FOR}
    return [sync_id for (sync_id,) in _rows(connection, _SYNCS, values)]


def walks_left(connection: Connection[Any], org_id: str, older_than: timedelta) -> list[str]:
    """Streams of the org with an unfinished reading of that age."""
    return [stream for (stream,) in _rows(connection, _WALKS, (org_id, older_than))]


def _rows(connection: Connection[Any], statement: str, values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(statement, values).fetchall()
