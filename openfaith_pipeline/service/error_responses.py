"""The two forms in which an error is answered: tRPC's on its paths, ours on all others."""

import logging
from typing import Any, Final

import psycopg
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.service.problems import DATABASE_TROUBLE, MethodNotTaken, NothingHere, problem
from openfaith_pipeline.service.trpc import error_envelope

TRPC_PREFIX: Final = "/api/trpc/"

_log = logging.getLogger(__name__)


def problem_of(path: str, error: Exception) -> JSONResponse:
    """The answer to a call of this path that ended with the error."""
    told = problem(error)
    if path.startswith(TRPC_PREFIX):
        body: dict[str, Any] = error_envelope(told, path.removeprefix(TRPC_PREFIX))
    else:
        body = {"error": {"type": told.kind, "message": told.message}}
    return JSONResponse(body, told.status, told.headers)


async def answer_error(request: Request, error: Exception) -> JSONResponse:
    """FastAPI's handler of the errors that leave an endpoint."""
    if isinstance(error, psycopg.Error) and not isinstance(error, DATABASE_TROUBLE):
        # Its message may quote values, which may be personal data.
        _log.error("%s: Postgres refused: %s %s", request.url.path, type(error).__name__, error.sqlstate)
    return problem_of(request.url.path, _in_our_words(error))


def _in_our_words(error: Exception) -> Exception:
    if isinstance(error, RequestValidationError):
        return UsageError("; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()))
    if isinstance(error, HTTPException):
        kinds: dict[int, type[UsageError]] = {404: NothingHere, 405: MethodNotTaken}
        return kinds.get(error.status_code, UsageError)(str(error.detail))
    return error
