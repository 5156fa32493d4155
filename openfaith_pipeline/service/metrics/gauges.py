"""How the installation is now, by statements whose cost does not grow with the record of syncs."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from psycopg import Connection
from psycopg.rows import dict_row

from openfaith_pipeline.orgs.health import State, read_health
from openfaith_pipeline.orgs.standing import count_standings
from openfaith_pipeline.service.health import Readiness

# As of the standing `late`: neither of paused churches nor of those that have to be connected again.
_FRESHNESS: Final = """
SELECT coalesce(extract(epoch FROM max(now() - since)), 0)::float8 AS worst,
       count(*) FILTER (WHERE since < now() - %(limit)s) AS out_of_date
  FROM (SELECT coalesce(oldest.last_succeeded_at, org.created_at) AS since
          FROM sync.orgs AS org JOIN sync.connections AS link USING (org_id)
          LEFT JOIN sync.org_settings AS chosen USING (org_id)
          LEFT JOIN LATERAL (
               SELECT last_succeeded_at FROM sync.stream_states AS state
                WHERE state.org_id = org.org_id AND state.availability IN ('available', 'silent')
                  AND state.last_succeeded_at IS NOT NULL
                  AND (chosen.streams IS NULL OR chosen.streams && ARRAY[stream, split_part(stream, '.', 1)])
                ORDER BY last_succeeded_at LIMIT 1) AS oldest ON true
         WHERE org.removed_at IS NULL AND org.paused_at IS NULL AND link.state <> 'needs_reconnect') AS church
"""
_COUNTS: Final = """
SELECT (SELECT count(*) FROM sync.quarantine WHERE resolved_at IS NULL) AS quarantine,
       (SELECT count(*) FROM sync.held_deletions WHERE decision IS NULL) AS held,
       (SELECT coalesce(sum(cardinality(ids)), 0)::bigint FROM sync.held_deletions
         WHERE decision IS NULL) AS held_rows,
       (SELECT count(*) FROM sync.webhook_deliveries WHERE status = 'pending') AS pending,
       (SELECT coalesce(extract(epoch FROM now() - min(received_at)), 0)::float8 FROM sync.webhook_deliveries
         WHERE status = 'pending') AS pending_age,
       (SELECT count(*) FROM sync.failing_streams JOIN sync.orgs USING (org_id) WHERE removed_at IS NULL) AS failing,
       (SELECT coalesce(sum(requests), 0)::bigint FROM sync.source_rate_budgets) AS requests,
       (SELECT coalesce(sum(refused), 0)::bigint FROM sync.source_rate_budgets) AS refused
"""
_ALERTS: Final = "SELECT kind, count(*) AS number FROM sync.alerts WHERE resolved_at IS NULL GROUP BY 1"

_STATES: Final[tuple[State, ...]] = (
    "connected",
    "degraded",
    "needs_reconnect",
    "paused",
    "not_connected",
    "never_synced",
)


def read_gauges(
    connection: Connection[Any], limit: timedelta, readiness: Readiness, pool: Mapping[str, int]
) -> Iterator[Metric]:
    """limit: the age beyond which a church is out of date. pool: the statistics of psycopg's pool of this process."""
    with connection.cursor(row_factory=dict_row) as cursor:
        [freshness] = cursor.execute(_FRESHNESS, {"limit": limit}).fetchall()
        [counts] = cursor.execute(_COUNTS).fetchall()
        alerts = cursor.execute(_ALERTS).fetchall()
    states = Counter(health.state for health in read_health(connection).values())
    standings = count_standings(connection, limit)
    one = GaugeMetricFamily
    yield _labelled("openfaith_churches", "Churches by standing, each once.", "standing", standings)
    yield _labelled(
        "openfaith_connections", "Connections by state.", "state", {state: states[state] for state in _STATES}
    )
    yield one("openfaith_freshness_worst_seconds", "Age of the oldest stream of any church.", freshness["worst"])
    yield one("openfaith_churches_out_of_date", "Churches with a late stream.", freshness["out_of_date"])
    yield one("openfaith_failing_streams", "Streams that fail, by their newest sync.", counts["failing"])
    yield one("openfaith_quarantine_open", "Open entries of the quarantine.", counts["quarantine"])
    yield one("openfaith_held_deletions", "Deletions that wait for a decision.", counts["held"])
    yield one("openfaith_held_deletion_rows", "Rows of those.", counts["held_rows"])
    yield one("openfaith_webhook_backlog", "Deliveries that are not applied yet.", counts["pending"])
    yield one("openfaith_webhook_backlog_age_seconds", "Age of the oldest of them.", counts["pending_age"])
    yield one("openfaith_requests_waiting", "Requests that are due and have no run yet.", readiness.waiting or 0)
    yield one(
        "openfaith_requests_waiting_age_seconds", "Age of the oldest of them.", readiness.oldest_waiting_seconds or 0
    )
    yield one("openfaith_dagster_daemon_up", "1 while Dagster's daemon gives signs of life.", readiness.dagster == "ok")
    yield _labelled(
        "openfaith_alerts_open", "Open alerts by kind.", "kind", {row["kind"]: row["number"] for row in alerts}
    )
    yield CounterMetricFamily(
        "openfaith_planning_center_requests", "Answered requests to Planning Center.", counts["requests"]
    )
    yield CounterMetricFamily("openfaith_planning_center_rate_limited", "Requests refused with 429.", counts["refused"])
    for name, text, key in (
        ("openfaith_pool_size", "Database connections of this process's pool.", "pool_size"),
        ("openfaith_pool_available", "Those that are free.", "pool_available"),
        ("openfaith_pool_waiting", "Calls that wait for one.", "requests_waiting"),
    ):
        yield one(name, text, pool.get(key, 0))


def _labelled(name: str, text: str, label: str, values: Mapping[Any, int]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family
