"""The status page: what an operator looks at first. It shows orgs and executions, and nothing of any person."""

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from psycopg import Connection

from openfaith_pipeline.inbox.requests import list_requests
from openfaith_pipeline.orgs.health import read_health
from openfaith_pipeline.service.access import Visitor, visitor_with
from openfaith_pipeline.service.api_keys import READ
from openfaith_pipeline.service.health import Readiness, read_readiness
from openfaith_pipeline.service.markup import heading, page, paragraph, table

router = APIRouter(include_in_schema=False)

_REFRESH_SECONDS: Final = 15
_MOST_ORGS: Final = 200
_MOST_EXECUTIONS: Final = 20

# Those with trouble first.
_ORGS: Final = """
SELECT o.org_id, o.name,
       s.last_succeeded_at, s.row_count, s.withheld, s.failing, s.running
  FROM sync.orgs AS o LEFT JOIN sync.connections AS c USING (org_id)
  LEFT JOIN LATERAL (
       SELECT max(state.last_succeeded_at) AS last_succeeded_at, sum(state.row_count)::bigint AS row_count,
              count(*) FILTER (WHERE state.availability <> 'available') AS withheld,
              count(*) FILTER (WHERE last.status IN ('failed', 'incomplete')) AS failing,
              count(*) FILTER (WHERE last.status = 'running') AS running
         FROM sync.stream_states AS state
         LEFT JOIN LATERAL (SELECT status FROM sync.stream_syncs AS each
                             WHERE each.org_id = state.org_id AND each.stream = state.stream
                             ORDER BY id DESC LIMIT 1) AS last ON true
        WHERE state.org_id = o.org_id) AS s ON true
 WHERE o.removed_at IS NULL AND (%(orgs)s::text[] IS NULL OR o.org_id = ANY(%(orgs)s))
 ORDER BY c.state IS DISTINCT FROM 'connected' DESC, s.failing > 0 DESC, o.name, o.org_id LIMIT %(most)s
"""


@router.get("/")
def show_status(request: Request, visitor: Annotated[Visitor, Depends(visitor_with(READ))]) -> HTMLResponse:
    readiness = read_readiness(request.app.state.pool)
    if readiness.status != "ready":
        told = {"down": "Postgres does not answer.", "behind": "Run openfaith-pipeline db upgrade."}
        return page("OpenFaith Pipeline", paragraph(told[readiness.postgres], tone="bad"), refresh=5, status=503)
    orgs = None if visitor.orgs is None else sorted(visitor.orgs)
    with request.app.state.pool.connection() as connection:
        return page(
            "OpenFaith Pipeline",
            _summary(readiness),
            heading("Churches"),
            _orgs(connection, orgs),
            heading("Newest executions"),
            _executions(connection, orgs),
            refresh=_REFRESH_SECONDS,
        )


def _summary(readiness: Readiness) -> str:
    if readiness.dagster != "ok":
        words = "Dagster's daemon gives no sign of life: what is asked for is kept, and done once it runs."
        return paragraph(f"{words} Waiting: {readiness.waiting}.", tone="bad")
    return paragraph(f"Postgres and Dagster are up. Waiting: {readiness.waiting}.", tone="good")


def _orgs(connection: Connection[Any], orgs: list[str] | None) -> str:
    rows = connection.execute(_ORGS, {"orgs": orgs, "most": _MOST_ORGS}).fetchall()
    health = read_health(connection, [row[0] for row in rows])
    shown = [
        (org_id, name, str(health[org_id]), _moment(succeeded), *counts, health[org_id].open_alerts)
        for org_id, name, succeeded, *counts in rows
        if org_id in health  # and was not removed meanwhile
    ]
    columns = ("org", "church", "connection", "last success", "rows", "withheld", "failing", "running", "alerts")
    more = paragraph(f"The first {_MOST_ORGS} are shown.") if len(rows) == _MOST_ORGS else ""
    return table(columns, shown, empty="No church is connected.") + more


def _executions(connection: Connection[Any], orgs: list[str] | None) -> str:
    rows = [
        (each.request_id, each.workflow, each.org_id, each.trigger, each.status, _moment(each.requested_at), each.error)
        for each in list_requests(connection, None, orgs, _MOST_EXECUTIONS)
    ]
    columns = ("execution", "workflow", "org", "asked by", "status", "asked", "")
    return table(columns, rows, empty="Nothing was asked for yet.")


def _moment(value: datetime | None) -> str:
    return value.strftime("%Y-%m-%d %H:%M UTC") if value else ""
