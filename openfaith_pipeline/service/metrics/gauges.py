"""The current state of the installation, from statements whose cost does not grow with the sync log.

Metrics of one source have its adapter as the label `source`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from prometheus_client.core import GaugeMetricFamily, Metric
from psycopg import Connection
from psycopg.rows import dict_row

from openfaith_pipeline.orgs.health import State, read_health
from openfaith_pipeline.orgs.standing import count_standings
from openfaith_pipeline.service.health import Readiness
from openfaith_pipeline.sources import SOURCES, names_of_source

# As for the standing `late`, paused churches and those that have to be connected again do not count.
_FRESHNESS: Final = """
SELECT coalesce(extract(epoch FROM max(now() - since)), 0)::float8 AS worst,
       count(*) FILTER (WHERE since < now() - %(limit)s) AS out_of_date
  FROM (SELECT coalesce(oldest.last_succeeded_at, org.created_at) AS since
          FROM sync.orgs AS org JOIN sync.source_connections AS link USING (org_id)
          LEFT JOIN sync.org_settings AS chosen USING (org_id)
          LEFT JOIN LATERAL (
               SELECT last_succeeded_at FROM sync.stream_states AS state
                WHERE state.org_id = org.org_id AND state.stream COLLATE "C" = ANY(%(streams)s)
                  AND state.availability IN ('available', 'silent')
                  AND state.last_succeeded_at IS NOT NULL
                  AND (chosen.streams IS NULL OR chosen.streams && ARRAY[stream, split_part(stream, '.', 1)])
                ORDER BY last_succeeded_at LIMIT 1) AS oldest ON true
         WHERE link.adapter = %(adapter)s AND org.removed_at IS NULL AND org.paused_at IS NULL
           AND link.state <> 'needs_reconnect') AS church
"""
_COUNTS: Final = """
SELECT (SELECT count(*) FROM sync.quarantine WHERE resolved_at IS NULL) AS quarantine,
       (SELECT count(*) FROM sync.held_deletions WHERE decision IS NULL) AS held,
       (SELECT coalesce(sum(cardinality(ids)), 0)::bigint FROM sync.held_deletions
         WHERE decision IS NULL) AS held_rows,
       (SELECT count(*) FROM sync.conflicts WHERE decision IS NULL) AS conflicts,
       backlog.pending, backlog.pending_age
  -- A paused church's wait for it, and one that could not be read yet waits for its next attempt.
  FROM (SELECT count(*) AS pending, coalesce(extract(epoch FROM now() - least(min(next_attempt_at), now())), 0)::float8
               AS pending_age
          FROM sync.webhook_deliveries JOIN sync.orgs USING (org_id)
         WHERE status = 'pending' AND paused_at IS NULL AND removed_at IS NULL) AS backlog
"""
_FAILING: Final = """
SELECT count(*) AS failing FROM sync.failing_streams JOIN sync.orgs USING (org_id)
 WHERE removed_at IS NULL AND stream COLLATE "C" = ANY(%(streams)s)
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


GAUGES: Final[Mapping[str, str]] = {
    "openfaith_churches": "Churches by standing, each once.",
    "openfaith_connections": "Connections by source and state.",
    "openfaith_freshness_worst_seconds": "Age of the oldest stream of any church, by source.",
    "openfaith_churches_out_of_date": "Churches with a late stream, by source.",
    "openfaith_failing_streams": "Streams that fail, by their newest sync and source.",
    "openfaith_quarantine_open": "Open entries of the quarantine.",
    "openfaith_held_deletions": "Deletions that wait for a decision.",
    "openfaith_held_deletion_rows": "Rows of those.",
    "openfaith_conflicts_waiting": "Conflicts that wait for a decision.",
    "openfaith_webhook_backlog": "Deliveries of churches that are not paused, not applied yet.",
    "openfaith_webhook_backlog_age_seconds": "How long the one that is due longest has waited.",
    "openfaith_requests_waiting": "Requests that could have a run and have none yet.",
    "openfaith_requests_waiting_age_seconds": "Age of the oldest of them.",
    "openfaith_dagster_daemon_up": "1 while Dagster's daemon gives signs of life.",
    "openfaith_alerts_open": "Open alerts by kind.",
    "openfaith_pool_size": "Database connections of this process's pool.",
    "openfaith_pool_available": "Those that are free.",
    "openfaith_pool_waiting": "Calls that wait for one.",
}

_BY_SOURCE: Final = {
    "openfaith_freshness_worst_seconds": "worst",
    "openfaith_churches_out_of_date": "out_of_date",
    "openfaith_failing_streams": "failing",
}
_OF_POOL: Final = {
    "openfaith_pool_size": "pool_size",
    "openfaith_pool_available": "pool_available",
    "openfaith_pool_waiting": "requests_waiting",
}


def read_gauges(
    connection: Connection[Any], limit: timedelta, readiness: Readiness, pool: Mapping[str, int]
) -> Iterator[Metric]:
    """All of GAUGES.

    limit: the age beyond which a church is out of date. pool: the statistics of psycopg's pool of this process.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        [counts] = cursor.execute(_COUNTS).fetchall()
        alerts = cursor.execute(_ALERTS).fetchall()
    yield _labelled("openfaith_churches", "standing", count_standings(connection, limit))
    yield _labelled("openfaith_alerts_open", "kind", {row["kind"]: row["number"] for row in alerts})
    yield from _of_sources(connection, limit)
    for name, value in {
        "openfaith_quarantine_open": counts["quarantine"],
        "openfaith_held_deletions": counts["held"],
        "openfaith_held_deletion_rows": counts["held_rows"],
        "openfaith_conflicts_waiting": counts["conflicts"],
        "openfaith_webhook_backlog": counts["pending"],
        "openfaith_webhook_backlog_age_seconds": counts["pending_age"],
        "openfaith_requests_waiting": readiness.waiting or 0,
        "openfaith_requests_waiting_age_seconds": readiness.oldest_waiting_seconds or 0,
        "openfaith_dagster_daemon_up": readiness.dagster == "ok",
        **{name: pool.get(key, 0) for name, key in _OF_POOL.items()},
    }.items():
        yield GaugeMetricFamily(name, GAUGES[name], value)


def _of_sources(connection: Connection[Any], limit: timedelta) -> Iterator[Metric]:
    """Metrics with a value for each source."""
    figures = {adapter: _figures_of(connection, limit, adapter) for adapter in SOURCES}
    connections = GaugeMetricFamily(
        "openfaith_connections", GAUGES["openfaith_connections"], labels=["source", "state"]
    )
    for adapter in figures:
        states = Counter(health.state for health in read_health(connection, adapter=adapter).values())
        for state in _STATES:
            connections.add_metric([adapter, state], states[state])
    yield connections
    for name, key in _BY_SOURCE.items():
        yield _labelled(name, "source", {adapter: found[key] for adapter, found in figures.items()})


def _figures_of(connection: Connection[Any], limit: timedelta, adapter: str) -> dict[str, Any]:
    values = {"limit": limit, "adapter": adapter, "streams": names_of_source(adapter)}
    with connection.cursor(row_factory=dict_row) as cursor:
        [freshness] = cursor.execute(_FRESHNESS, values).fetchall()
        [counts] = cursor.execute(_FAILING, values).fetchall()
    return {**freshness, **counts}


def _labelled(name: str, label: str, values: Mapping[Any, int]) -> Metric:
    family = GaugeMetricFamily(name, GAUGES[name], labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family
