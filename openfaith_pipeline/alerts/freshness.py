"""Freshness: an org with a stream that has not been synced successfully for too long is an incident."""

from datetime import timedelta
from typing import Any, Final

from psycopg import Connection

from openfaith_pipeline.alerts.incidents import raise_alert
from openfaith_pipeline.orgs.delays import Delay, read_delays

_RESOLVE: Final = """
UPDATE sync.alerts SET resolved_at = now()
 WHERE kind = 'freshness_missed' AND incident = %s AND resolved_at IS NULL AND org_id <> ALL(%s)
"""
_OPEN: Final = """
SELECT org_id FROM sync.alerts WHERE kind = 'freshness_missed' AND incident = %s AND resolved_at IS NULL
"""


def watch_freshness(connection: Connection[Any], limit: timedelta, adapter: str) -> list[str]:
    """Open `freshness_missed` for each org with a stream of the source older than `limit`; close it for the others.

    Returns the orgs whose alert is new. The caller commits.
    """
    delays = read_delays(connection, limit, adapter)
    connection.execute(_RESOLVE, (adapter, list(delays)))
    known = {row[0] for row in connection.execute(_OPEN, (adapter,))}
    new = [delay for delay in delays.values() if delay.org_id not in known]
    for delay in new:
        _raise(connection, delay, limit, adapter)
    return [delay.org_id for delay in new]


def _raise(connection: Connection[Any], delay: Delay, limit: timedelta, adapter: str) -> None:
    raise_alert(
        connection,
        "freshness_missed",
        delay.org_id,
        delay.longer_than(limit),
        f"look at `openfaith-pipeline status {delay.org_id}` and at the failed runs in Dagster; sync it by hand with"
        f" `openfaith-pipeline sync {delay.org_id}`, or pause it with `openfaith-pipeline org pause {delay.org_id}`",
        incident=adapter,
    )
