"""The pages that an operator looks at: every church, one of them, one stream, one sync. They change nothing."""

from collections.abc import Callable
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import HTMLResponse

from openfaith_pipeline.inbox.requests import list_requests
from openfaith_pipeline.orgs.registry import get_org
from openfaith_pipeline.orgs.standing import STANDINGS, Standing, StandingQuery
from openfaith_pipeline.review.held_deletions import list_held
from openfaith_pipeline.service.access import Visitor, visitor_with
from openfaith_pipeline.service.api_keys import READ
from openfaith_pipeline.service.executions import Execution, described
from openfaith_pipeline.service.health import read_readiness
from openfaith_pipeline.service.pages.rendering import message_page, render
from openfaith_pipeline.service.problems import NothingHere
from openfaith_pipeline.service.status.church import read_church, read_stream
from openfaith_pipeline.service.status.models import ChurchLine
from openfaith_pipeline.service.status.overview import read_overview
from openfaith_pipeline.service.status.sync_page import read_sync

router = APIRouter(include_in_schema=False)

_REFRESH_SECONDS: Final = 15
_LIVE_SECONDS: Final = 3
_MOST_EXECUTIONS: Final = 10
_DATABASE: Final = {"down": "Postgres does not answer.", "behind": "Run openfaith-pipeline db upgrade."}

Reader = Annotated[Visitor, Depends(visitor_with(READ))]
OrgId = Annotated[str, Path(max_length=60)]
HeldId = Annotated[int, Path(ge=1, lt=2**63)]
Search = Annotated[str, Query(max_length=100)]
Page = Annotated[int, Query(ge=1, le=100_000)]


@router.get("/")
def show_overview(
    request: Request,
    visitor: Reader,
    q: Search = "",
    standing: str = "",
    sort: str = "",
    page: Page = 1,
    live: str = "",
) -> HTMLResponse:
    readiness = read_readiness(request.app.state.pool)
    if readiness.status != "ready":
        return message_page("Churches", _DATABASE[readiness.postgres], status=503)
    query = StandingQuery(q, _standing(standing), sort == "name", page)
    orgs = None if visitor.orgs is None else sorted(visitor.orgs)
    with request.app.state.pool.connection() as connection:
        hours = request.app.state.database.settings.freshness_hours
        overview = read_overview(connection, readiness, hours, query, orgs)
        newest = list_requests(connection, None, orgs, _MOST_EXECUTIONS)
    values = {
        "overview": overview,
        "executions": [Execution(**described(each)) for each in newest],
        "search": q,
        "standing": query.standing or "",
        "sort": sort,
        "live": live == "1",
        "link": _links(q=q, standing=query.standing or "", sort=sort, page=page, live=live),
        "remark": _remark,
        "refresh_seconds": _REFRESH_SECONDS,
    }
    return render("overview.html", values)


@router.get("/orgs/{org_id}")
def show_church(request: Request, visitor: Reader, org_id: OrgId) -> HTMLResponse:
    visitor.check_org(org_id)
    with request.app.state.pool.connection() as connection:
        church = read_church(connection, request.app.state.database.settings, org_id)
    return render("church.html", {"church": church, "scopes": visitor.scopes})


@router.get("/orgs/{org_id}/streams/{stream}")
def show_stream(
    request: Request, visitor: Reader, org_id: OrgId, stream: Annotated[str, Path(max_length=100)]
) -> HTMLResponse:
    visitor.check_org(org_id)
    with request.app.state.pool.connection() as connection:
        return render("stream.html", {"stream": read_stream(connection, org_id, stream)})


@router.get("/orgs/{org_id}/deletions/{held_id}")
def show_deletion(request: Request, visitor: Reader, org_id: OrgId, held_id: HeldId) -> HTMLResponse:
    """A deletion that waits, with its counts, before anyone decides."""
    visitor.check_org(org_id)
    with request.app.state.pool.connection() as connection:
        org = get_org(connection, org_id)
        held = next((each for each in list_held(connection, org_id) if each.id == held_id), None)
    if held is None:
        raise NothingHere("this deletion is no longer waiting for a decision")
    return render("deletion.html", {"org": org, "held": held, "scopes": visitor.scopes})


@router.get("/syncs/{sync_id}")
def show_sync(
    request: Request, visitor: Reader, sync_id: Annotated[str, Path(max_length=100)], live: str = "1"
) -> HTMLResponse:
    with request.app.state.pool.connection() as connection:
        sync = read_sync(connection, request.app.state.database.settings, sync_id, visitor.orgs)
    steps = sorted(sync.streams, key=lambda step: (step.status != "running", step.status == "waiting"))
    is_live = live == "1" and sync.is_open
    return render("sync.html", {"sync": sync, "steps": steps, "live": is_live, "refresh_seconds": _LIVE_SECONDS})


def _standing(name: str) -> Standing | None:
    return next((each for each in STANDINGS if each == name), None)


def _links(**present: Any) -> Callable[..., str]:
    """The query of this list's address with something changed; empty values are left out."""

    def link(**changed: Any) -> str:
        values = {name: value for name, value in {**present, **changed}.items() if value not in ("", None)}
        if values.get("page") == 1:
            del values["page"]
        return f"/?{urlencode(values)}" if values else "/"

    return link


def _remark(church: ChurchLine) -> str:
    figures = {
        "failing": church.failing,
        "running": church.running,
        "withheld": church.withheld,
        "alerts": church.open_alerts,
        "in quarantine": church.quarantined,
        "held from deletion": church.held,
    }
    return ", ".join(f"{number:,} {words}" for words, number in figures.items() if number)
