"""The status pages as JSON."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from openfaith_pipeline.orgs.standing import Standing, StandingQuery
from openfaith_pipeline.service.health import read_readiness
from openfaith_pipeline.service.schemas import ANSWERS
from openfaith_pipeline.service.status.church import read_church, read_stream
from openfaith_pipeline.service.status.models import Church, Overview, StreamPage, SyncPage
from openfaith_pipeline.service.status.overview import read_overview
from openfaith_pipeline.service.status.pages import OrgId, Page, Reader, Search
from openfaith_pipeline.service.status.sync_page import read_sync

router = APIRouter(prefix="/api/status", tags=["status"], responses=ANSWERS)


@router.get("", summary="How every church is")
def list_churches(
    request: Request,
    visitor: Reader,
    q: Search = "",
    standing: Standing | None = None,
    by_name: Annotated[bool, Query(alias="byName")] = False,
    page: Page = 1,
    page_size: Annotated[int, Query(alias="pageSize", ge=1, le=200)] = 50,
) -> Overview:
    """A page of the churches, worst first, and their number by status. q: part of a name or the beginning of an id."""
    hours = request.app.state.database.settings.freshness_hours
    query = StandingQuery(q, standing, by_name, page, page_size)
    readiness = read_readiness(request.app.state.pool)
    with request.app.state.pool.connection() as connection:
        return read_overview(connection, readiness, hours, query, visitor.orgs)


@router.get("/orgs/{org_id}", summary="How one church is")
def show_church(request: Request, visitor: Reader, org_id: OrgId) -> Church:
    """By product and stream, with waiting decisions, the next syncs and the last changes."""
    visitor.check_org(org_id)
    with request.app.state.pool.connection() as connection:
        return read_church(connection, request.app.state.database.settings, org_id)


@router.get("/orgs/{org_id}/streams/{stream}", summary="How one stream of a church is")
def show_stream(
    request: Request, visitor: Reader, org_id: OrgId, stream: Annotated[str, Path(max_length=100)]
) -> StreamPage:
    """Its rows over 30 days, its newest syncs and changes, and its quarantine, by reason."""
    visitor.check_org(org_id)
    with request.app.state.pool.connection() as connection:
        return read_stream(connection, org_id, stream)


@router.get("/syncs/{sync_id}", summary="How a sync is, and how far")
def show_sync(request: Request, visitor: Reader, sync_id: Annotated[str, Path(max_length=100)]) -> SyncPage:
    """The sync; while it runs, with its share, rate and time left, estimated from earlier syncs of the same streams."""
    with request.app.state.pool.connection() as connection:
        return read_sync(connection, request.app.state.database.settings, sync_id, visitor.orgs)
