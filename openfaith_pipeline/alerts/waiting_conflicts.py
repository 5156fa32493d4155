"""Conflicts: an org with too many of them waiting for a decision is an incident."""

from typing import Any, Final

from psycopg import Connection
from psycopg.rows import tuple_row

from openfaith_pipeline.alerts.incidents import raise_alert

_WAITING: Final = """
SELECT org_id, count(*) AS number FROM sync.conflicts JOIN sync.orgs USING (org_id)
 WHERE decision IS NULL AND removed_at IS NULL GROUP BY 1 HAVING count(*) > %(most)s
"""
_RESOLVE: Final = f"""
UPDATE sync.alerts SET resolved_at = now() WHERE kind = 'conflicts_waiting' AND resolved_at IS NULL
   AND NOT EXISTS (SELECT FROM ({_WAITING}) AS many WHERE many.org_id = alerts.org_id)
"""  # noqa: S608 - a part of ours
_NEW: Final = f"""
SELECT org_id, number FROM ({_WAITING}) AS many
 WHERE NOT EXISTS (SELECT FROM sync.alerts
                    WHERE kind = 'conflicts_waiting' AND resolved_at IS NULL AND org_id = many.org_id)
 ORDER BY org_id
"""  # noqa: S608


def watch_conflicts(connection: Connection[Any], most: int) -> list[str]:
    """Open `conflicts_waiting` for each org with more than `most` waiting, and close it for the others.

    Returns the orgs whose alert is new. The caller commits.
    """
    connection.execute(_RESOLVE, {"most": most})
    with connection.cursor(row_factory=tuple_row) as cursor:
        found = cursor.execute(_NEW, {"most": most}).fetchall()
    for org_id, number in found:
        raise_alert(
            connection,
            "conflicts_waiting",
            org_id,
            f"{number} fields were changed in OpenFaith and at the source, and wait for a decision",
            f"look at `openfaith-pipeline review list {org_id}` and approve or reject them, or choose another policy"
            " with `openfaith-pipeline policy set`",
        )
    return [org_id for org_id, _ in found]
