"""Recent syncs, one line each: the orgs, the outcome and the changes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import class_row

from openfaith_pipeline.errors import UnknownSync

# The orgs are those the sync was requested for and those with streams in it.
_RECENT: Final = """
WITH recent AS (
    SELECT sync_id, run_id, mode, trigger, status, started_at, finished_at, error,
           ARRAY(SELECT jsonb_array_elements_text(CASE jsonb_typeof(requested -> 'orgs') WHEN 'array'
                     THEN requested -> 'orgs' ELSE '[]' END)
                 UNION SELECT requested ->> 'org' WHERE requested ? 'org'
                 UNION SELECT org_id FROM sync.stream_syncs AS done WHERE done.sync_id = syncs.sync_id) AS org_ids
      FROM sync.syncs
     WHERE (NOT %(only_failing)s OR status IN ('failed', 'interrupted'))
       AND (%(org)s::text IS NULL OR requested -> 'orgs' ? %(org)s OR requested ->> 'org' = %(org)s
            OR EXISTS (SELECT FROM sync.stream_syncs AS done
                        WHERE done.sync_id = syncs.sync_id AND done.org_id = %(org)s))
     ORDER BY started_at DESC LIMIT %(limit)s)
SELECT recent.*,
       ARRAY(SELECT coalesce(org.name, id) FROM unnest(org_ids) AS id LEFT JOIN sync.orgs AS org ON org.org_id = id
              ORDER BY 1) AS names,
       coalesce(sums.streams, 0) AS streams, coalesce(sums.fetched, 0)::bigint AS fetched,
       coalesce(sums.changed, 0)::bigint AS changed, coalesce(sums.requests, 0)::bigint AS requests
  FROM recent LEFT JOIN LATERAL (
       SELECT count(*) AS streams, sum(fetched) AS fetched, sum(inserted + updated + deleted) AS changed,
              sum(requests) AS requests
         FROM sync.stream_syncs AS done WHERE done.sync_id = recent.sync_id) AS sums ON true
 ORDER BY started_at DESC
"""
_BEGINNING: Final = "SELECT sync_id FROM sync.syncs WHERE starts_with(sync_id, %s) ORDER BY sync_id LIMIT 2"


@dataclass(frozen=True)
class RecentSync:
    """A sync with the sums of its streams. names: of its orgs. changed: rows inserted, updated or marked deleted."""

    sync_id: str
    run_id: str | None
    mode: str
    trigger: str
    status: str
    started_at: datetime
    finished_at: datetime | None
    error: str | None
    org_ids: list[str]
    names: list[str]
    streams: int
    fetched: int
    changed: int
    requests: int


def list_syncs(
    connection: Connection[Any], org_id: str | None = None, *, only_failing: bool = False, limit: int = 20
) -> list[RecentSync]:
    """Syncs of one org or of all, the newest first; optionally only those that failed or were interrupted."""
    with connection.cursor(row_factory=class_row(RecentSync)) as cursor:
        return cursor.execute(_RECENT, {"org": org_id, "only_failing": only_failing, "limit": limit}).fetchall()


def find_sync_id(connection: Connection[Any], beginning: str) -> str:
    """The full id of the sync with this id or beginning of an id; UnknownSync if there is none, or several."""
    found = [row[0] for row in connection.execute(_BEGINNING, (beginning,)).fetchall()]
    if beginning in found:
        return beginning
    if len(found) == 1:
        return str(found[0])
    several = "several syncs begin with" if found else "there is no sync"
    raise UnknownSync(f"{several} {beginning[:80]!r}; `openfaith-pipeline syncs list` shows recent syncs")
