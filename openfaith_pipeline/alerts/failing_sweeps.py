"""Orgs whose syncs fail in the sweep. The sweep's run does not show them: it succeeds for the others."""

from typing import Any, Final

from psycopg import Connection
from psycopg.rows import tuple_row

from openfaith_pipeline.alerts.incidents import raise_alert, resolve_alert

IN_A_ROW: Final = 2
"""Failed turns before an alert opens: the first failure is retried automatically within minutes."""

_INCIDENT: Final = "{adapter} {kind} sweep"

# A dead connection has its own alert, and a paused org has no turns.
_FAILING: Final = """
SELECT turn.org_id, turn.kind, turn.failures, turn.error, alert.id IS NOT NULL AS is_known
  FROM sync.source_schedules AS turn
  JOIN sync.orgs AS org USING (org_id)
  JOIN sync.source_connections AS connection USING (org_id, adapter)
  LEFT JOIN sync.alerts AS alert ON alert.kind = 'run_failed' AND alert.org_id = turn.org_id
       AND alert.incident = turn.adapter || ' ' || turn.kind || ' sweep' AND alert.resolved_at IS NULL
 WHERE turn.adapter = %(adapter)s AND org.removed_at IS NULL AND org.paused_at IS NULL
   AND connection.state <> 'needs_reconnect'
   AND coalesce(turn.lease_expires_at < now(), true)  -- a turn under way says nothing yet
   -- and failures from before it was connected again count no more
   AND (alert.id IS NOT NULL OR coalesce(turn.attempted_at >= connection.revived_at, true))
   AND (turn.failures >= %(in_a_row)s) <> (alert.id IS NOT NULL) AND (turn.failures = 0 OR alert.id IS NULL)
"""


def watch_turns(connection: Connection[Any], adapter: str) -> None:
    """Keep `run_failed` open for orgs with repeated failures at a source, until a turn succeeds. The caller commits."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(_FAILING, {"in_a_row": IN_A_ROW, "adapter": adapter}).fetchall()
    for org_id, kind, failures, error, is_known in rows:
        incident = _INCIDENT.format(adapter=adapter, kind=kind)
        if is_known:
            resolve_alert(connection, "run_failed", org_id, incident=incident)
            continue
        raise_alert(
            connection,
            "run_failed",
            org_id,
            f"its {kind} sync has failed {failures} times in a row: {error}",
            f"see `openfaith-pipeline status {org_id}`; it is retried at growing intervals, or at once with"
            f" `openfaith-pipeline sync {org_id}`",
            incident=incident,
        )
