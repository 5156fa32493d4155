"""Workflows as @effect/workflow's own proxy serves them, so that OpenFaith's typed client works here unchanged.

WorkflowProxy.toHttpApiGroup makes of each workflow a path of its name in kebab case: a POST of the payload waits for
the end, `/discard` does not, and `/resume` takes `{"executionId": ...}`. Each answers 204; a failure with 500.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from openfaith_pipeline.inbox.requests import Request as Kept
from openfaith_pipeline.inbox.requests import get_request
from openfaith_pipeline.service.access import Visitor, visitor_with
from openfaith_pipeline.service.api_keys import TRIGGER
from openfaith_pipeline.service.problems import BodyNotRead, TooManyCalls
from openfaith_pipeline.service.request_body import idempotency_key, read_json
from openfaith_pipeline.service.schemas import ANSWERS, ExecutionFailed, Refused, json_body, schema_of
from openfaith_pipeline.service.starting import Started, start
from openfaith_pipeline.service.workflows import resumed_by
from openfaith_pipeline.workflows.definition import Workflow
from openfaith_pipeline.workflows.registry import WORKFLOWS

router = APIRouter(
    tags=["workflows, as @effect/workflow's proxy serves them"],
    responses={**ANSWERS, 500: {"model": ExecutionFailed | Refused, "description": "The execution failed."}},
)

Starter = Annotated[Visitor, Depends(visitor_with(TRIGGER))]

MOST_WAITING: Final = 50
"""Calls with one key that wait at the same time."""

_LOOK_SECONDS: Final = 1.0
_WAIT_SECONDS: Final = 5
_RESUMED: Final = json_body(
    {"type": "object", "required": ["executionId"], "properties": {"executionId": {"type": "string"}}}
)


def path_of(name: str) -> str:
    """`/external-sync-workflow` for ExternalSyncWorkflow, by the rule of WorkflowProxy."""
    return "/" + re.sub(r"([a-z])([A-Z])", r"\1-\2", re.sub(r"[^a-zA-Z0-9]+", "-", name)).lower()


def _add(workflow: Workflow[Any]) -> None:
    path = path_of(workflow.name)
    body = json_body(schema_of(workflow.payload))

    async def execute(request: Request, visitor: Starter) -> Response:
        with _waiting(request, visitor):
            started = await _start(request, visitor, workflow)
            return _told(await _ended(request, started.execution_id))

    async def discard(request: Request, visitor: Starter) -> Response:
        await _start(request, visitor, workflow)
        return Response(status_code=204)

    async def resume(request: Request, visitor: Starter) -> Response:
        sent = await read_json(request)
        if not isinstance(sent, dict) or not isinstance(sent.get("executionId"), str):
            raise BodyNotRead('send {"executionId": "request_..."}')
        await run_in_threadpool(_resume, request, visitor, workflow, sent["executionId"])
        return Response(status_code=204)

    summaries = {
        execute: f"Execute {workflow.name} and wait for its end",
        discard: f"Start {workflow.name}",
        resume: f"Let an execution of {workflow.name} try again",
    }
    for suffix, handler, sent in (("", execute, body), ("/discard", discard, body), ("/resume", resume, _RESUMED)):
        router.add_api_route(
            path + suffix,
            handler,
            methods=["POST"],
            summary=summaries[handler],
            description=workflow.description,
            status_code=204,
            response_class=Response,
            openapi_extra=sent,
        )


async def _start(request: Request, visitor: Visitor, workflow: Workflow[Any]) -> Started:
    sent, key = await read_json(request), idempotency_key(request)
    return await run_in_threadpool(start, request.app.state.pool, visitor, workflow, sent, key)


@contextmanager
def _waiting(request: Request, visitor: Visitor) -> Iterator[None]:
    """Count a call that waits, which holds a connection for as long as the execution lasts. Raises TooManyCalls."""
    waiting: Counter[str] = request.app.state.waiting
    if waiting[visitor.name] >= MOST_WAITING:
        raise TooManyCalls(
            f"{MOST_WAITING} of your calls are already waiting for an execution to end: use /discard", _WAIT_SECONDS
        )
    waiting[visitor.name] += 1
    try:
        yield
    finally:
        waiting[visitor.name] -= 1


async def _ended(request: Request, execution_id: str) -> Kept:
    """Wait for the execution's end, or until nobody waits for it any longer; returns the execution."""
    while True:
        kept = await run_in_threadpool(_look, request, execution_id)
        if not kept.is_open or await request.is_disconnected():
            return kept
        await asyncio.sleep(_LOOK_SECONDS)


def _look(request: Request, execution_id: str) -> Kept:
    with request.app.state.pool.connection() as connection:
        return get_request(connection, execution_id)


def _resume(request: Request, visitor: Visitor, workflow: Workflow[Any], execution_id: str) -> None:
    with request.app.state.pool.connection() as connection:
        resumed_by(visitor, workflow.name, connection, execution_id)


def _told(kept: Kept) -> Response:
    if kept.status == "succeeded":
        return Response(status_code=204)
    tag = f"{kept.workflow.removesuffix('Workflow')}Error"
    return JSONResponse({"_tag": tag, "message": kept.error or f"the execution was {kept.status}"}, 500)


for _workflow in WORKFLOWS.values():
    _add(_workflow)
