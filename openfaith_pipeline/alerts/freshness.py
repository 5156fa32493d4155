"""Freshness: an org with a stream that has not been synced successfully for too long is an incident."""

from datetime import timedelta
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import tuple_row

from openfaith_pipeline.alerts.incidents import raise_alert

# A paused org is left out on purpose, and a dead connection has its own alert.
_STALE: Final = """
WITH progress AS (
    SELECT org.org_id, state.stream,
           coalesce(state.last_succeeded_at,
                    (SELECT min(started_at) FROM sync.stream_syncs AS begun
                      WHERE begun.org_id = state.org_id AND begun.stream = state.stream),
                    org.created_at) AS since
      FROM sync.orgs AS org
      JOIN sync.connections AS connection USING (org_id)
      LEFT JOIN sync.stream_states AS state USING (org_id)
     WHERE org.removed_at IS NULL AND org.paused_at IS NULL AND connection.state <> 'needs_reconnect'
       AND coalesce(state.availability, 'available') IN ('available', 'silent')
), stale AS (
    SELECT org_id, count(stream) AS streams, min(stream) AS example, max(now() - since) AS age
      FROM progress WHERE since < now() - %(limit)s GROUP BY org_id
)
"""

_RESOLVE: Final = """
UPDATE sync.alerts SET resolved_at = now()
 WHERE kind = 'freshness_missed' AND resolved_at IS NULL AND NOT EXISTS (SELECT FROM stale WHERE org_id = alerts.org_id)
"""

_NEW: Final = """
SELECT org_id, streams, example, age FROM stale
 WHERE NOT EXISTS (SELECT FROM sync.alerts
                    WHERE kind = 'freshness_missed' AND resolved_at IS NULL AND org_id = stale.org_id)
 ORDER BY org_id
"""


def watch_freshness(connection: Connection[Any], limit: timedelta) -> list[str]:
    """Open `freshness_missed` for each org with a stream older than `limit`, and close it for the others.

    Returns the orgs whose alert is new. The caller commits.
    """
    connection.execute(f"{_STALE}{_RESOLVE}", {"limit": limit})
    with connection.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(f"{_STALE}{_NEW}", {"limit": limit}).fetchall()
    for org_id, streams, example, age in rows:
        what = f"{streams} streams, {example} among them, have not" if streams else "nothing has"
        raise_alert(
            connection,
            "freshness_missed",
            org_id,
            f"{what} been synced for {_hours(limit)} or more (the oldest: {_hours(age)})",
            f"look at `openfaith-pipeline status {org_id}` and at the failed runs in Dagster; sync it by hand with"
            f" `openfaith-pipeline sync {org_id}`, or pause it with `openfaith-pipeline org pause {org_id}`",
        )
    return [row[0] for row in rows]


def _hours(age: timedelta) -> str:
    return f"{age.total_seconds() / 3600:.0f} hours" if age >= timedelta(hours=2) else f"{age.total_seconds():.0f} s"
