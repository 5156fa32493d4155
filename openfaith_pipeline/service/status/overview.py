"""The list of churches: one statement for the status of all of them, one for the figures of those on the page."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import dict_row

from openfaith_pipeline.orgs.health import read_health
from openfaith_pipeline.orgs.standing import OrgStanding, StandingQuery, read_standings
from openfaith_pipeline.service.health import Readiness
from openfaith_pipeline.service.status.models import ChurchLine, Overview
from openfaith_pipeline.sources import DEFAULT_SOURCE

_FIGURES: Final = """
SELECT org_id, coalesce(state.rows, 0) AS rows, state.streams, state.withheld, state.newest_success_at,
       state.oldest_success_at, turn.next_at, coalesce(turn.is_due, false) AS is_due,
       coalesce(turn.is_under_way, false) AS is_under_way,
       (SELECT count(*) FROM sync.failing_streams AS each WHERE each.org_id = shown.org_id) AS failing,
       (SELECT count(*) FROM sync.stream_syncs AS each
         WHERE each.org_id = shown.org_id AND each.status = 'running') AS running,
       (SELECT count(*) FROM sync.quarantine AS each
         WHERE each.org_id = shown.org_id AND each.resolved_at IS NULL) AS quarantined,
       (SELECT coalesce(sum(cardinality(ids)), 0)::bigint FROM sync.held_deletions AS each
         WHERE each.org_id = shown.org_id AND each.decision IS NULL) AS held
  FROM unnest(%s::text[]) AS shown (org_id)
  CROSS JOIN LATERAL (
       SELECT sum(row_count)::bigint AS rows, count(*) AS streams,
              count(*) FILTER (WHERE availability IN ('not_granted', 'forbidden', 'withheld')) AS withheld,
              max(last_succeeded_at) AS newest_success_at,
              min(last_succeeded_at) FILTER (WHERE availability IN ('available', 'silent')) AS oldest_success_at
         FROM sync.stream_states AS each WHERE each.org_id = shown.org_id) AS state
  -- at whichever source comes first; a paused church has no next sync
  LEFT JOIN LATERAL (
       SELECT min(next_at) AS next_at, bool_or(next_at <= now() AND coalesce(lease_expires_at < now(), true)) AS is_due,
              bool_or(lease_expires_at >= now()) AS is_under_way
         FROM sync.source_schedules AS each JOIN sync.orgs USING (org_id)
        WHERE each.org_id = shown.org_id AND each.kind = 'incremental' AND paused_at IS NULL) AS turn ON true
"""


def read_overview(
    connection: Connection[Any],
    readiness: Readiness,
    freshness_hours: float,
    query: StandingQuery,
    orgs: Collection[str] | None,
) -> Overview:
    """One page of the churches. orgs: those that the caller may see; None for all."""
    found = read_standings(connection, timedelta(hours=freshness_hours), query, orgs)
    return Overview(
        readiness=readiness,
        freshness_hours=freshness_hours,
        total=sum(found.counts.values()),
        counts=dict(found.counts),
        found=found.found,
        page=query.page,
        pages=max(1, -(-found.found // query.page_size)),
        churches=_lines(connection, found.orgs),
    )


def _lines(connection: Connection[Any], orgs: Sequence[OrgStanding]) -> list[ChurchLine]:
    org_ids = [org.org_id for org in orgs]
    health = read_health(connection, org_ids, adapter=DEFAULT_SOURCE.adapter)
    with connection.cursor(row_factory=dict_row) as cursor:
        figures = {row["org_id"]: row for row in cursor.execute(_FIGURES, (org_ids,)).fetchall()}
    return [
        ChurchLine(
            name=org.name,
            standing=org.standing,
            connection=str(health[org.org_id]),
            open_alerts=health[org.org_id].open_alerts,
            **figures[org.org_id],
        )
        for org in orgs
        if org.org_id in health  # and was not removed meanwhile
    ]
