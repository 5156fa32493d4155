"""Workflows by name: start one, see how it is, cancel it, let it try again."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.concurrency import run_in_threadpool
from psycopg import Connection
from pydantic import BaseModel

from openfaith_pipeline.errors import UnknownRequest
from openfaith_pipeline.inbox.requests import Request as Kept
from openfaith_pipeline.inbox.requests import cancel_request, get_request, list_requests, resume_request
from openfaith_pipeline.service.access import Visitor, visitor_with
from openfaith_pipeline.service.api_keys import READ, TRIGGER
from openfaith_pipeline.service.executions import DetailedExecution, Execution, described, detailed
from openfaith_pipeline.service.request_body import idempotency_key, read_json
from openfaith_pipeline.service.schemas import ANSWERS, idempotency_key_of, json_body, schema_of
from openfaith_pipeline.service.starting import Started, check_workflow, scopes_of, start
from openfaith_pipeline.workflows.registry import WORKFLOWS, get_workflow

router = APIRouter(prefix="/workflows", tags=["workflows"], responses=ANSWERS)

Reader = Annotated[Visitor, Depends(visitor_with(READ))]
Starter = Annotated[Visitor, Depends(visitor_with(TRIGGER))]

_INPUT: Final = {
    **json_body(
        {
            "type": "object",
            "required": ["payload"],
            "properties": {"payload": {"anyOf": [schema_of(each.payload) for each in WORKFLOWS.values()]}},
        }
    ),
    "parameters": [idempotency_key_of("execution for the org")],
}


class Described(BaseModel):
    """A workflow that can be started. scopes: those a key needs for that."""

    name: str
    description: str
    scopes: list[str]
    activities: list[str]
    payload: dict[str, Any]


@router.get("", summary="List the workflows and their parameters")
def show_workflows(_visitor: Reader) -> list[Described]:
    return [
        Described(
            name=workflow.name,
            description=workflow.description,
            scopes=scopes_of(workflow),
            activities=[activity.name for activity in workflow.activities],
            payload=schema_of(workflow.payload),
        )
        for workflow in WORKFLOWS.values()
    ]


@router.post("/{name}", summary="Start a workflow", openapi_extra=_INPUT)
async def start_workflow(request: Request, name: str, visitor: Starter) -> Started:
    """Start `name` with `{"payload": {...}}`, or the payload itself. It is in Postgres before it is answered."""
    workflow = get_workflow(name)
    sent, key = unwrapped(await read_json(request)), idempotency_key(request)
    return await run_in_threadpool(start, request.app.state.pool, visitor, workflow, sent, key)


@router.get("/{name}/executions", summary="The newest executions")
def show_executions(
    request: Request,
    name: str,
    visitor: Reader,
    org: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> list[Execution]:
    workflow = get_workflow(name)
    if org is not None:
        visitor.check_org(org)
    orgs = [org] if org is not None else None if visitor.orgs is None else sorted(visitor.orgs)
    with request.app.state.pool.connection() as connection:
        return [Execution(**described(each)) for each in list_requests(connection, workflow.name, orgs, limit)]


@router.get("/{name}/executions/{execution_id}", summary="How an execution is, and how far")
def show_execution(request: Request, name: str, execution_id: str, visitor: Reader) -> DetailedExecution:
    with request.app.state.pool.connection() as connection:
        return detailed(connection, found_for(visitor, name, get_request(connection, execution_id)))


@router.post("/{name}/executions/{execution_id}/cancel", summary="Cancel an execution")
def cancel_execution(request: Request, name: str, execution_id: str, visitor: Starter) -> Execution:
    """One that waits is canceled at once. One that runs is stopped, which takes some seconds: look again."""
    with request.app.state.pool.connection() as connection:
        found_for(visitor, name, get_request(connection, execution_id))
        return Execution(**described(cancel_request(connection, execution_id)))


@router.post("/{name}/executions/{execution_id}/resume", summary="Let an execution that failed try again")
def resume_execution(request: Request, name: str, execution_id: str, visitor: Starter) -> Execution:
    """It goes on from where it stopped. One that has not failed, nor was canceled, stays as it is."""
    with request.app.state.pool.connection() as connection:
        return Execution(**described(resumed_by(visitor, name, connection, execution_id)))


def resumed_by(visitor: Visitor, name: str, connection: Connection[Any], execution_id: str) -> Kept:
    """The request, which waits again if it had failed. Raises UnknownRequest, NotAllowed."""
    found_for(visitor, name, get_request(connection, execution_id))
    check_workflow(visitor, get_workflow(name))
    return resume_request(connection, execution_id)


def unwrapped(sent: Any) -> Any:
    """The payload: under `payload`, or the whole body, which is how the proxy's own client sends it."""
    return sent["payload"] if isinstance(sent, dict) and set(sent) == {"payload"} else sent


def found_for(visitor: Visitor, name: str, request: Kept) -> Kept:
    """The request, if the visitor may know of it: another org's is as if it were not there."""
    workflow = get_workflow(name)
    if request.workflow != workflow.name or (visitor.orgs is not None and request.org_id not in visitor.orgs):
        raise UnknownRequest(f"there is no execution {request.request_id!r} of {workflow.name}")
    return request
