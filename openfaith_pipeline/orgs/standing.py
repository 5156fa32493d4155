"""The state of each org in one word; an overview counts, filters and sorts by it.

An org with connections to several sources has the worst of their states.

The statement reads a few index entries for each org and never all of its streams, so that a thousand orgs take some
milliseconds.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal, get_args

from psycopg import Connection
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from openfaith_pipeline.sources import SOURCES, names_of_source

Standing = Literal["needs_reconnect", "failing", "late", "withheld", "never_synced", "fresh", "paused"]
"""The first of these that is true of an org, paused ones apart.

needs_reconnect: no credentials, or they are refused. failing: the newest sync of a stream failed or is incomplete.
late: a stream has not succeeded for longer than the freshness limit. withheld: the source withholds a stream.
never_synced: no stream has ever succeeded.
"""
STANDINGS: Final[tuple[Standing, ...]] = get_args(Standing)
"""Worst first."""

# The last subquery is not an EXISTS: that would be hashed, which reads every state of every org.
# A stream is late by its last success or, without one, by its first sync. One that the org does not sync is never late.
_OF_SOURCE: Final = """
SELECT org.org_id, org.name, CASE
    WHEN org.paused_at IS NOT NULL THEN 'paused'
    WHEN link.state IS NULL OR link.state = 'needs_reconnect' THEN 'needs_reconnect'
    WHEN EXISTS (
        SELECT FROM sync.failing_streams AS failing
        WHERE failing.org_id = org.org_id AND %(adapters)s ->> failing.stream = link.adapter) THEN 'failing'
    WHEN EXISTS (
        SELECT FROM sync.stream_states AS state
        WHERE state.org_id = org.org_id AND %(adapters)s ->> state.stream = link.adapter
          AND state.availability IN ('available', 'silent')
          AND state.last_succeeded_at < now() - %(limit)s
          AND (chosen.streams IS NULL OR chosen.streams && ARRAY[stream, split_part(stream, '.', 1)])) THEN 'late'
    WHEN org.created_at < now() - %(limit)s AND EXISTS (
        SELECT FROM sync.stream_states AS state
        WHERE state.org_id = org.org_id AND %(adapters)s ->> state.stream = link.adapter
          AND state.availability IN ('available', 'silent')
          AND state.last_succeeded_at IS NULL
          AND (chosen.streams IS NULL OR chosen.streams && ARRAY[stream, split_part(stream, '.', 1)])
          AND EXISTS (SELECT FROM sync.stream_syncs AS begun WHERE begun.org_id = state.org_id
                      AND begun.stream = state.stream AND begun.started_at < now() - %(limit)s)) THEN 'late'
    WHEN EXISTS (
        SELECT FROM sync.stream_states AS state
        WHERE state.org_id = org.org_id AND %(adapters)s ->> state.stream = link.adapter
          AND availability IN ('not_granted', 'forbidden', 'withheld')) THEN 'withheld'
    WHEN (
        SELECT true FROM sync.stream_states AS state
        WHERE state.org_id = org.org_id AND %(adapters)s ->> state.stream = link.adapter
          AND availability IN ('available', 'silent') AND last_succeeded_at IS NOT NULL LIMIT 1) THEN 'fresh'
    WHEN org.created_at < now() - %(limit)s THEN 'late'
    ELSE 'never_synced' END AS standing
FROM sync.orgs AS org
LEFT JOIN sync.source_connections AS link USING (org_id)
LEFT JOIN sync.org_settings AS chosen USING (org_id)
WHERE org.removed_at IS NULL AND (%(orgs)s::text[] IS NULL OR org.org_id = ANY(%(orgs)s))
"""

# OFFSET keeps the planner from computing the states again to order by them.
_STANDING: Final = f"""
SELECT DISTINCT ON (org_id) org_id, name, standing FROM ({_OF_SOURCE} OFFSET 0) AS of_source
ORDER BY org_id, array_position(%(standings)s, standing)
"""  # noqa: S608 - a part of ours

_COUNTS: Final = f"SELECT standing, count(*) FROM ({_STANDING}) AS church GROUP BY 1"  # noqa: S608 - a part of ours

_PAGE: Final = f"""
WITH church AS MATERIALIZED ({_STANDING}),
counted AS (SELECT coalesce(jsonb_object_agg(standing, number), '{{}}') AS counts
            FROM (SELECT standing, count(*) AS number FROM church GROUP BY 1) AS each),
found AS MATERIALIZED (
    SELECT org_id, name, standing FROM church
    WHERE (%(standing)s::text IS NULL OR standing = %(standing)s)
      AND (position(lower(%(search)s) IN lower(name)) > 0 OR starts_with(org_id, lower(%(search)s)))),
shown AS (
    SELECT * FROM found
    ORDER BY CASE WHEN %(by_name)s THEN 0 ELSE array_position(%(standings)s, standing) END, lower(name), org_id
    LIMIT %(limit_rows)s OFFSET %(offset)s)
SELECT counted.counts, (SELECT count(*) FROM found), shown.org_id, shown.name, shown.standing
FROM counted LEFT JOIN shown ON true
ORDER BY CASE WHEN %(by_name)s THEN 0 ELSE array_position(%(standings)s, standing) END, lower(name), org_id
"""  # noqa: S608 - a part of ours


@dataclass(frozen=True)
class OrgStanding:
    org_id: str
    name: str
    standing: Standing


@dataclass(frozen=True)
class StandingQuery:
    """Parameters of an overview.

    search: part of a name, or the beginning of an id. standing: only these. page: from 1.
    """

    search: str = ""
    standing: Standing | None = None
    by_name: bool = False
    page: int = 1
    page_size: int = 50


@dataclass(frozen=True)
class StandingPage:
    """counts: of all orgs, whatever the query. found: number of orgs that match the query."""

    counts: Mapping[Standing, int]
    found: int
    orgs: tuple[OrgStanding, ...]


def count_standings(
    connection: Connection[Any], limit: timedelta, orgs: Collection[str] | None = None
) -> dict[Standing, int]:
    """Number of these orgs, or of all, by status. limit: the age beyond which a stream is late."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(_COUNTS, _judged(limit, orgs)).fetchall()
    return _complete(dict(rows))


def read_standings(
    connection: Connection[Any], limit: timedelta, query: StandingQuery, orgs: Collection[str] | None = None
) -> StandingPage:
    """One page of the orgs, worst first or by name, with the counts of all."""
    values = {
        **_judged(limit, orgs),
        "standing": query.standing,
        "search": query.search.strip(),
        "by_name": query.by_name,
        "limit_rows": query.page_size,
        "offset": (query.page - 1) * query.page_size,
    }
    with connection.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(_PAGE, values).fetchall()
    shown = tuple(OrgStanding(*row[2:]) for row in rows if row[2] is not None)
    return StandingPage(_complete(rows[0][0]), rows[0][1], shown)


def _complete(counts: Mapping[str, int]) -> dict[Standing, int]:
    return {standing: counts.get(standing, 0) for standing in STANDINGS}


def _judged(limit: timedelta, orgs: Collection[str] | None) -> dict[str, Any]:
    """Parameters of `_STANDING`."""
    return {
        "limit": limit,
        "orgs": None if orgs is None else sorted(orgs),
        "adapters": Jsonb({name: adapter for adapter in SOURCES for name in names_of_source(adapter)}),
        "standings": list(STANDINGS),
    }
