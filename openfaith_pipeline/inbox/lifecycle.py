"""The life of a stored request: claimed, run, finished. The caller commits.

The process that runs requests may be killed between any two of these steps: each step can be repeated, and a claimed
request stays claimed until a run has been seen to execute it.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import class_row, tuple_row
from psycopg.types.json import Jsonb

from openfaith_pipeline.errors import RequestCanceled
from openfaith_pipeline.inbox.requests import COLUMNS, Request
from openfaith_pipeline.inbox.sync_requests import SYNC_WORKFLOW
from openfaith_pipeline.orgs.newest_syncs import NEWEST_ATTEMPTS

MOST_CLAIMED: Final = 25
"""Requests claimed at once: Dagster needs seconds to create the run of a whole sync."""

# One sync of an org at a time: later requests can still join the one that waits. Requests of a paused org wait.
_DUE: Final = """
  FROM sync.requests AS r LEFT JOIN sync.orgs AS o USING (org_id)
 WHERE r.status = 'waiting' AND r.finished_at IS NULL AND coalesce(r.not_before, now()) <= now()
   AND (r.workflow <> %(sync)s OR (o.paused_at IS NULL AND NOT EXISTS (
       SELECT FROM sync.requests AS busy
        WHERE busy.org_id = r.org_id AND busy.workflow = r.workflow AND busy.finished_at IS NULL
          AND busy.status IN ('launched', 'running'))))
"""
_WAITING: Final = f"""
SELECT count(*), extract(epoch FROM now() - min(greatest(r.requested_at, r.not_before)))::float8 {_DUE}
"""  # noqa: S608 - a part of ours
_CLAIM: Final = f"""
WITH due AS (
    SELECT r.request_id, r.workflow = %(sync)s AS is_sync,
           row_number() OVER (PARTITION BY r.org_id, r.workflow ORDER BY r.requested_at, r.request_id) AS place
    {_DUE}
),
chosen AS (
    SELECT request_id FROM sync.requests JOIN due USING (request_id)
     WHERE status = 'waiting' AND (place = 1 OR NOT is_sync)
     ORDER BY requested_at LIMIT %(most)s FOR UPDATE OF requests SKIP LOCKED
)
UPDATE sync.requests SET status = 'launched', launched_at = now()
 WHERE request_id IN (SELECT request_id FROM chosen)
"""  # noqa: S608

_SUMMARY: Final = f"""
SELECT count(*) AS streams,
       count(*) FILTER (WHERE status = 'succeeded') AS succeeded,
       count(*) FILTER (WHERE status = 'unavailable') AS unavailable,
       count(*) FILTER (WHERE status = 'withheld') AS withheld,
       count(*) FILTER (WHERE status NOT IN ('succeeded', 'withheld', 'unavailable')) AS failed,
       sum(fetched)::bigint AS fetched, sum(inserted)::bigint AS inserted, sum(updated)::bigint AS updated,
       sum(unchanged)::bigint AS unchanged, sum(deleted)::bigint AS deleted,
       sum(quarantined)::bigint AS quarantined, sum(requests)::bigint AS requests
  FROM ({NEWEST_ATTEMPTS}) AS latest WHERE org_id = %(org)s
"""  # noqa: S608 - a part of ours

_FAILURES: Final = f"""
SELECT stream || ' ' || status || coalesce(': ' || error, '')
  FROM ({NEWEST_ATTEMPTS}) AS latest
 WHERE org_id = %(org)s AND status NOT IN ('succeeded', 'withheld', 'unavailable') ORDER BY stream
"""  # noqa: S608 - a part of ours


def claim_requests(connection: Connection[Any], *, most: int = MOST_CLAIMED) -> int:
    """Claim due requests: the oldest sync of each org without a sync under way, and everything else.

    Returns their number.
    """
    return connection.execute(_CLAIM, {"sync": SYNC_WORKFLOW, "most": most}).rowcount


def waiting_for_runs(connection: Connection[Any]) -> tuple[int, float | None]:
    """Number of requests that could be claimed, and the seconds that the oldest of them has waited."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(_WAITING, {"sync": SYNC_WORKFLOW}).fetchone() or (0, None)


def claimed_requests(connection: Connection[Any]) -> list[Request]:
    """Claimed requests without a recorded end, oldest first."""
    with connection.cursor(row_factory=class_row(Request)) as cursor:
        return cursor.execute(
            f"SELECT {COLUMNS} FROM sync.requests"  # noqa: S608 - our own column names
            " WHERE finished_at IS NULL AND status IN ('launched', 'running') ORDER BY requested_at, request_id"
        ).fetchall()


def fail_orphans(connection: Connection[Any]) -> int:
    """Fail the sync requests of removed orgs; returns their number."""
    return connection.execute(
        "UPDATE sync.requests SET status = 'failed', finished_at = now(), error = 'the org was removed'"
        " FROM sync.orgs WHERE orgs.org_id = requests.org_id AND orgs.removed_at IS NOT NULL"
        " AND requests.workflow = %s AND requests.status = 'waiting' AND requests.finished_at IS NULL",
        (SYNC_WORKFLOW,),
    ).rowcount


def take_request(connection: Connection[Any], request_id: str, run_id: str) -> None:
    """Record that the run begins to execute the request, if there is one with this id.

    Raises RequestCanceled if it was canceled, unless a person started this run after the cancellation.
    """
    row = connection.execute(
        "UPDATE sync.requests SET run_id = %(run)s, started_at = coalesce(started_at, now()),"
        " status = CASE status WHEN 'succeeded' THEN status ELSE 'running' END,"
        " finished_at = CASE status WHEN 'succeeded' THEN finished_at END,"
        " cancel_requested_at = CASE WHEN finished_at IS NULL THEN cancel_requested_at END,"
        " error = NULL WHERE request_id = %(request)s"
        " AND (cancel_requested_at IS NULL OR (finished_at IS NOT NULL AND run_id <> %(run)s))"
        " RETURNING true",
        {"request": request_id, "run": run_id},
    ).fetchone()
    if row is None and _exists(connection, request_id):
        raise RequestCanceled(f"the request {request_id} was canceled; make a new one, or resume it")


def note_run(connection: Connection[Any], request_id: str, run_id: str, *, is_running: bool) -> None:
    """Record the run that executes a claimed request."""
    connection.execute(
        "UPDATE sync.requests SET run_id = %(run)s, status = CASE WHEN %(running)s THEN 'running' ELSE status END,"
        " started_at = CASE WHEN %(running)s THEN coalesce(started_at, now()) ELSE started_at END"
        " WHERE request_id = %(request)s AND finished_at IS NULL"
        " AND (run_id IS DISTINCT FROM %(run)s OR (%(running)s AND status = 'launched'))",
        {"request": request_id, "run": run_id, "running": is_running},
    )


def finish_request(
    connection: Connection[Any], request_id: str, status: str, error: str | None, result: Mapping[str, Any] | None
) -> None:
    """Record the end: succeeded, failed or canceled. An end that is already recorded stays."""
    connection.execute(
        "UPDATE sync.requests SET status = %s, error = %s, result = %s, finished_at = now()"
        " WHERE request_id = %s AND finished_at IS NULL",
        (status, error, None if result is None else Jsonb(dict(result)), request_id),
    )


def sync_summary(connection: Connection[Any], request: Request) -> dict[str, Any]:
    """Summary of the sync: number of streams by status, rows and API requests."""
    cursor = connection.execute(_SUMMARY, {"sync_id": request.request_id, "org": request.org_id})
    names = [column.name for column in cursor.description or ()]
    row = cursor.fetchone() or ()
    return {name: value or 0 for name, value in zip(names, row, strict=True)}


def sync_failures(connection: Connection[Any], request: Request) -> Collection[str]:
    """Streams of the sync that did not succeed, with the error."""
    rows = connection.execute(_FAILURES, {"sync_id": request.request_id, "org": request.org_id}).fetchall()
    return [row[0] for row in rows]


def _exists(connection: Connection[Any], request_id: str) -> bool:
    return connection.execute("SELECT FROM sync.requests WHERE request_id = %s", (request_id,)).fetchone() is not None
