"""One sync, or the request for one that has not begun."""

from collections.abc import Collection, Mapping
from typing import Any

from psycopg import Connection

from openfaith_pipeline.errors import UnknownRequest
from openfaith_pipeline.inbox.requests import Request, get_request
from openfaith_pipeline.orgs.naming import names_of
from openfaith_pipeline.orgs.sync_progress import SyncProgress, read_sync_progress
from openfaith_pipeline.service.status.models import StepLine, SyncPage
from openfaith_pipeline.settings import Settings


def read_sync(
    connection: Connection[Any], settings: Settings, sync_id: str, visible: Collection[str] | None
) -> SyncPage:
    """The sync or its request; UnknownRequest if the caller may see neither. visible: their orgs, None for all."""
    progress = read_sync_progress(connection, sync_id, visible)
    if progress:
        names = names_of(connection, {step.org_id for step in progress.streams})
        return _of_progress(progress, names, settings)
    request = get_request(connection, sync_id)
    if visible is not None and request.org_id not in visible:
        raise UnknownRequest(f"there is no execution {sync_id[:80]!r}")
    return _of_request(request, names_of(connection, [request.org_id]), settings)


def _of_progress(progress: SyncProgress, names: Mapping[str, str], settings: Settings) -> SyncPage:
    return SyncPage(
        sync_id=progress.sync_id,
        org_ids=sorted({step.org_id for step in progress.streams}),
        org_names=dict(names),
        status=progress.status,
        mode=progress.mode,
        trigger=progress.trigger,
        run_id=progress.run_id,
        run_url=settings.run_url(progress.run_id),
        started_at=progress.started_at,
        finished_at=progress.finished_at,
        error=progress.error,
        share=progress.share,
        rows=progress.rows,
        requests=progress.requests,
        seconds=progress.seconds,
        rows_per_second=progress.rows_per_second,
        requests_per_second=progress.requests_per_second,
        seconds_left=progress.seconds_left,
        streams=[StepLine.model_validate(step) for step in progress.streams],
    )


def _of_request(request: Request, names: Mapping[str, str], settings: Settings) -> SyncPage:
    return SyncPage(
        sync_id=request.request_id,
        org_ids=[request.org_id],
        org_names=dict(names),
        status=request.status,
        mode=request.payload.get("mode"),
        trigger=request.trigger,
        run_id=request.run_id,
        run_url=settings.run_url(request.run_id),
        started_at=request.started_at,
        finished_at=request.finished_at,
        error=request.error,
        share=None,
        rows=0,
        requests=0,
        seconds=0.0,
        rows_per_second=None,
        requests_per_second=None,
        seconds_left=None,
        streams=[],
    )
