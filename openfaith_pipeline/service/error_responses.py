"""Responses to errors: tRPC's form on its paths, a page for a browser on a page, otherwise our own form."""

import logging
import re
from typing import Any, Final

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from openfaith_pipeline.database.refusals import is_from_postgres, refusal_in_words
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.service.pages.rendering import message_page
from openfaith_pipeline.service.problems import DATABASE_TROUBLE, MethodNotTaken, NothingHere, problem
from openfaith_pipeline.service.trpc import error_envelope

TRPC_PREFIX: Final = "/api/trpc/"
_PAGES: Final = re.compile(r"/(orgs/.*|syncs/.*)?")

_log = logging.getLogger(__name__)


def problem_of(path: str, error: Exception) -> JSONResponse:
    """The response to a request of this path that ended with the error."""
    told = problem(error)
    if path.startswith(TRPC_PREFIX):
        body: dict[str, Any] = error_envelope(told, path.removeprefix(TRPC_PREFIX))
    else:
        body = {"error": {"type": told.kind, "message": told.message}}
    return JSONResponse(body, told.status, told.headers)


async def answer_error(request: Request, error: Exception) -> Response:
    """FastAPI's handler for errors raised by endpoints."""
    if is_from_postgres(error) and not isinstance(error, DATABASE_TROUBLE):
        # The error's message may quote values, which may be personal data.
        _log.error("%s: %s", request.url.path, refusal_in_words(error))
    in_our_words = _in_our_words(error)
    if _PAGES.fullmatch(request.url.path) and "text/html" in request.headers.get("accept", ""):
        trouble = problem(in_our_words)
        return message_page("It did not work", f"{trouble.message}.", status=trouble.status, headers=trouble.headers)
    return problem_of(request.url.path, in_our_words)


def _in_our_words(error: Exception) -> Exception:
    if isinstance(error, RequestValidationError):
        return UsageError("; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()))
    if isinstance(error, HTTPException):
        kinds: dict[int, type[UsageError]] = {404: NothingHere, 405: MethodNotTaken}
        return kinds.get(error.status_code, UsageError)(str(error.detail))
    return error
