"""Actions from the pages: by forms alone, and, since the browser adds the key, from our pages alone."""

import asyncio
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from openfaith_pipeline.inbox.sync_requests import request_sync
from openfaith_pipeline.orgs.registry import get_org, pause_org, resume_org
from openfaith_pipeline.review.conflicts import Decision, list_conflicts
from openfaith_pipeline.review.held_deletions import list_held
from openfaith_pipeline.service.access import Visitor, visitor_with
from openfaith_pipeline.service.api_keys import OPERATE, TRIGGER
from openfaith_pipeline.service.pages.rendering import HEADERS, render
from openfaith_pipeline.service.problems import NothingHere
from openfaith_pipeline.service.status.pages import HeldId, OrgId
from openfaith_pipeline.sources import DEFAULT_SOURCE
from openfaith_pipeline.sync.conflict_decision import decide_conflicts
from openfaith_pipeline.sync.deletion_approval import approve_deletion, reject_deletion

router = APIRouter(include_in_schema=False)

Starter = Annotated[Visitor, Depends(visitor_with(TRIGGER))]
Operator = Annotated[Visitor, Depends(visitor_with(OPERATE))]
ConflictId = Annotated[str, Path(max_length=40)]

_CONFLICTS_SHOWN: Final = 100


@router.post("/orgs/{org_id}/sync")
def sync_now(request: Request, visitor: Starter, org_id: OrgId) -> RedirectResponse:
    """Keep a request for a sync, and show how it goes."""
    visitor.check_org(org_id)
    with request.app.state.pool.connection() as connection:
        sync_id = request_sync(connection, org_id, trigger="status page", adapter=DEFAULT_SOURCE.adapter)
    return _to(f"/syncs/{quote(sync_id, safe='')}")


@router.post("/orgs/{org_id}/pause")
def pause(request: Request, visitor: Operator, org_id: OrgId) -> RedirectResponse:
    visitor.check_org(org_id)
    with request.app.state.pool.connection() as connection:
        pause_org(connection, org_id)
    return _to_church(org_id)


@router.post("/orgs/{org_id}/resume")
def resume(request: Request, visitor: Operator, org_id: OrgId) -> RedirectResponse:
    visitor.check_org(org_id)
    with request.app.state.pool.connection() as connection:
        resume_org(connection, org_id)
    return _to_church(org_id)


@router.post("/orgs/{org_id}/deletions/{held_id}/approve")
def approve(request: Request, visitor: Operator, org_id: OrgId, held_id: HeldId) -> RedirectResponse:
    """Mark the held rows deleted, after asking Planning Center again; it takes as long as that takes."""
    _check_held(request, visitor, org_id, held_id)
    approval = asyncio.run(approve_deletion(request.app.state.database, held_id, f"key {visitor.name}"))
    return _to(f"/syncs/{quote(approval.sync_id, safe='')}")


@router.post("/orgs/{org_id}/deletions/{held_id}/reject")
def reject(request: Request, visitor: Operator, org_id: OrgId, held_id: HeldId) -> RedirectResponse:
    _check_held(request, visitor, org_id, held_id)
    asyncio.run(reject_deletion(request.app.state.database, held_id, f"key {visitor.name}"))
    return _to_church(org_id)


@router.get("/orgs/{org_id}/conflicts")
def show_conflicts(request: Request, visitor: Operator, org_id: OrgId) -> HTMLResponse:
    """Conflicts that wait, with both values: people's data, for those alone who decide."""
    visitor.check_org(org_id)
    with request.app.state.pool.connection() as connection:
        org = get_org(connection, org_id)
        waiting = list_conflicts(connection, org_id, limit=_CONFLICTS_SHOWN)
    return render("conflicts.html", {"org": org, "conflicts": waiting, "scopes": visitor.scopes})


@router.post("/orgs/{org_id}/conflicts/{conflict_id}/{decision}")
def decide(
    request: Request, visitor: Operator, org_id: OrgId, conflict_id: ConflictId, decision: Decision
) -> RedirectResponse:
    visitor.check_org(org_id)
    with request.app.state.pool.connection() as connection:
        if not list_conflicts(connection, org_id, ids=[conflict_id]):
            raise NothingHere("this conflict is no longer waiting for a decision")
    who = f"key {visitor.name}"
    decide_conflicts(request.app.state.database, [conflict_id], decision, who, trigger="status page")
    return _to(f"/orgs/{quote(org_id, safe='')}/conflicts")


def _check_held(request: Request, visitor: Visitor, org_id: str, held_id: int) -> None:
    """Raise NothingHere unless the deletion belongs to this org, which the visitor may see."""
    visitor.check_org(org_id)
    with request.app.state.pool.connection() as connection:
        if held_id not in {held.id for held in list_held(connection, org_id)}:
            raise NothingHere("this deletion is no longer waiting for a decision")


def _to_church(org_id: str) -> RedirectResponse:
    return _to(f"/orgs/{quote(org_id, safe='')}")


def _to(path: str) -> RedirectResponse:
    """After a form a browser asks for the page by GET, so that reloading it repeats nothing."""
    return RedirectResponse(path, 303, dict(HEADERS))
