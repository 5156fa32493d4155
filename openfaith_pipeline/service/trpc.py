"""tRPC's wire format: https://trpc.io/docs/rpc. Plain JSON in and out, or superjson's `{"json": ...}` if sent so.

A batch (`?batch=1`) names its procedures in the path, separated by commas, and has its inputs by number; its responses
are a list, with status 207 if their statuses differ.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from openfaith_pipeline.service.problems import BodyNotRead, Problem

# https://trpc.io/docs/rpc#error-codes: JSON-RPC's numbers, and HTTP's for errors that JSON-RPC lacks.
_NUMBERS: Final[Mapping[str, int]] = {
    "PARSE_ERROR": -32700,
    "BAD_REQUEST": -32600,
    "INTERNAL_SERVER_ERROR": -32603,
    "SERVICE_UNAVAILABLE": -32603,
    "UNAUTHORIZED": -32001,
    "FORBIDDEN": -32003,
    "NOT_FOUND": -32004,
    "METHOD_NOT_SUPPORTED": -32005,
    "CONFLICT": -32009,
    "PRECONDITION_FAILED": -32012,
    "PAYLOAD_TOO_LARGE": -32013,
    "UNSUPPORTED_MEDIA_TYPE": -32015,
    "TOO_MANY_REQUESTS": -32029,
}

MOST_CALLS: Final = 20
"""Maximum number of calls in one batch."""


@dataclass(frozen=True)
class Call:
    """One procedure and its input. is_wrapped: input and response are in superjson's form."""

    procedure: str
    input: Any
    is_wrapped: bool


def read_calls(path: str, body: Any, *, is_batch: bool) -> list[Call]:
    """The calls of a request; path: without the prefix. Raises BodyNotRead for an invalid batch."""
    if not is_batch:
        return [_call(path, body)]
    procedures = path.split(",")
    if len(procedures) > MOST_CALLS:
        raise BodyNotRead(f"a batch may have at most {MOST_CALLS} calls")
    if not isinstance(body, dict):
        raise BodyNotRead('the body of a batch is an object of inputs by number: {"0": {...}}')
    return [_call(procedure, body.get(str(number))) for number, procedure in enumerate(procedures)]


def result_envelope(data: Any, *, is_wrapped: bool = False) -> dict[str, Any]:
    return {"result": {"data": {"json": data} if is_wrapped else data}}


def error_envelope(problem: Problem, path: str, *, is_wrapped: bool = False) -> dict[str, Any]:
    """The error of one call, or of a whole batch that could not be parsed."""
    shape = {
        "message": problem.message,
        "code": _NUMBERS[problem.code],
        "data": {"code": problem.code, "httpStatus": problem.status, "path": path},
    }
    return {"error": {"json": shape} if is_wrapped else shape}


def _call(procedure: str, sent: Any) -> Call:
    is_wrapped = isinstance(sent, dict) and "json" in sent and set(sent) <= {"json", "meta"}
    return Call(procedure, sent["json"] if is_wrapped else sent, is_wrapped)
