"""The triggers of OpenFaith's application, in the form of its tRPC client."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from openfaith_pipeline.catalog.source import Source
from openfaith_pipeline.errors import OpenFaithError, UsageError
from openfaith_pipeline.service.access import Visitor, visitor_with
from openfaith_pipeline.service.api_keys import TRIGGER
from openfaith_pipeline.service.problems import DATABASE_TROUBLE, MethodNotTaken, NothingHere, Problem, problem
from openfaith_pipeline.service.request_body import idempotency_key, read_json
from openfaith_pipeline.service.schemas import PROCEDURE_ANSWERS, idempotency_key_of, json_body, schema_of
from openfaith_pipeline.service.starting import start
from openfaith_pipeline.service.trpc import Call, error_envelope, read_calls, result_envelope
from openfaith_pipeline.sources import DEFAULT_SOURCE, SOURCES
from openfaith_pipeline.workflows.external_sync import EXTERNAL_SYNC

router = APIRouter(prefix="/api/trpc", tags=["tRPC"], responses=PROCEDURE_ANSWERS)

_INPUT: Final = {
    **json_body(
        {
            "anyOf": [schema_of(EXTERNAL_SYNC.payload), {"type": "object"}],
            "description": 'The payload, or {"json": payload}; for a batch, these by their number.',
        }
    ),
    "parameters": [
        idempotency_key_of("sync of the org"),
        {"name": "batch", "in": "query", "schema": {"type": "string", "enum": ["1"]}},
    ],
}


@router.post("/{procedures}", summary=f"Call {DEFAULT_SOURCE.trigger_procedure}, as tRPC does", openapi_extra=_INPUT)
async def call_procedures(
    request: Request, procedures: str, visitor: Annotated[Visitor, Depends(visitor_with(TRIGGER))]
) -> JSONResponse:
    """Start a sync of `tokenKey`; the response's `data` is the execution, which is already in Postgres."""
    is_batch = request.query_params.get("batch") == "1"
    calls = read_calls(procedures, await read_json(request), is_batch=is_batch)
    key = idempotency_key(request)
    if key and len(calls) > 1:
        raise UsageError("an Idempotency-Key is for a single call: send it without a batch")
    answers = [await run_in_threadpool(_answer, request, visitor, call, key) for call in calls]
    if not is_batch:
        return answers[0].alone()
    statuses = {answer.status for answer in answers}
    return JSONResponse([answer.body for answer in answers], statuses.pop() if len(statuses) == 1 else 207)


@router.get("/{procedures}", include_in_schema=False)
def refuse_query(procedures: str) -> None:
    raise MethodNotTaken(f"{procedures[:80]} is a mutation: call it with POST")


@dataclass(frozen=True)
class _Answer:
    """The response to one call."""

    body: dict[str, Any]
    problem: Problem | None = None

    @property
    def status(self) -> int:
        return self.problem.status if self.problem else 200

    def alone(self) -> JSONResponse:
        return JSONResponse(self.body, self.status, self.problem.headers if self.problem else None)


def _answer(request: Request, visitor: Visitor, call: Call, key: str | None) -> _Answer:
    try:
        procedure = _PROCEDURES.get(call.procedure)
        if procedure is None:
            raise NothingHere(f"no mutation {call.procedure[:80]!r}; the mutations are {', '.join(_PROCEDURES)}")
        data = procedure(request, visitor, call.input, key)
    except (OpenFaithError, *DATABASE_TROUBLE) as error:
        told = problem(error)
        return _Answer(error_envelope(told, call.procedure, is_wrapped=call.is_wrapped), told)
    return _Answer(result_envelope(data, is_wrapped=call.is_wrapped))


def _trigger_sync(source: Source, request: Request, visitor: Visitor, sent: Any, key: str | None) -> dict[str, Any]:
    asked = {"adapter": source.adapter, **sent} if isinstance(sent, dict) else sent
    execution = start(request.app.state.pool, visitor, EXTERNAL_SYNC, asked, key)
    return {"success": True, **execution.model_dump(mode="json", by_alias=True)}


_PROCEDURES: Final[Mapping[str, Callable[[Request, Visitor, Any, str | None], dict[str, Any]]]] = {
    source.trigger_procedure: partial(_trigger_sync, source) for source in SOURCES.values()
}
