"""Orgs that the sweep cannot sync: a sweep that fails for one org goes on with the others, so its run tells nothing."""

from typing import Any, Final

from psycopg import Connection
from psycopg.rows import tuple_row

from openfaith_pipeline.alerts.incidents import raise_alert, resolve_alert

IN_A_ROW: Final = 2
"""Turns that have to fail before it is an incident: the first failure is tried again by itself within minutes."""

_INCIDENT: Final = "{kind} sweep"

# A connection that is dead has an alert of its own, and a paused org has no turns.
_FAILING: Final = """
SELECT turn.org_id, turn.kind, turn.failures, turn.error, alert.id IS NOT NULL AS is_known
  FROM sync.org_schedules AS turn
  JOIN sync.orgs AS org USING (org_id)
  JOIN sync.connections AS connection USING (org_id)
  LEFT JOIN sync.alerts AS alert ON alert.kind = 'run_failed' AND alert.org_id = turn.org_id
       AND alert.incident = turn.kind || ' sweep' AND alert.resolved_at IS NULL
 WHERE org.removed_at IS NULL AND org.paused_at IS NULL AND connection.state <> 'needs_reconnect'
   AND (turn.failures >= %(in_a_row)s) <> (alert.id IS NOT NULL) AND (turn.failures = 0 OR alert.id IS NULL)
"""


def watch_turns(connection: Connection[Any]) -> None:
    """Raise `run_failed` for orgs whose turns fail again and again, until one succeeds. The caller commits."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(_FAILING, {"in_a_row": IN_A_ROW}).fetchall()
    for org_id, kind, failures, error, is_known in rows:
        incident = _INCIDENT.format(kind=kind)
        if is_known:
            resolve_alert(connection, "run_failed", org_id, incident=incident)
            continue
        raise_alert(
            connection,
            "run_failed",
            org_id,
            f"its {kind} sync has failed {failures} times in a row: {error}",
            f"see `openfaith-pipeline status {org_id}`; it is tried again by itself, ever less often, or at once with"
            f" `openfaith-pipeline sync {org_id}`",
            incident=incident,
        )
