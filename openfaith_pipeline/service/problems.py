"""Errors of calls, and the HTTP status of each kind of error."""

from dataclasses import dataclass
from typing import Final

from openfaith_pipeline.database.refusals import REFUSED_BY_POSTGRES, UNANSWERED, VALUE_REFUSED
from openfaith_pipeline.errors import (
    DatabaseUnavailable,
    IdempotencyKeyReused,
    OpenFaithError,
    OrgPaused,
    RetriableError,
    UnknownOrg,
    UnknownRequest,
    UnknownWorkflow,
    UsageError,
)

DATABASE_TROUBLE: Final = (DatabaseUnavailable, *UNANSWERED)

_RETRY_SECONDS: Final = 5


class NotIdentified(UsageError):
    """The key is missing or unknown."""


class NotAllowed(UsageError):
    """The key is known but lacks the permission."""


class BodyTooLarge(UsageError):
    """More bytes than the service accepts."""


class BodyNotRead(UsageError):
    """The body is not valid for the endpoint."""


class MediaTypeNotTaken(UsageError):
    """The body is declared as something other than JSON."""


class MethodNotTaken(UsageError):
    """The endpoint does not support the method."""


class NothingHere(UsageError):
    """No such endpoint or procedure."""


class TooManyCalls(RetriableError):
    """The caller has used up the calls of a minute. wait: in seconds."""

    def __init__(self, message: str, wait: int) -> None:
        super().__init__(message)
        self.wait = wait


@dataclass(frozen=True)
class Problem:
    """The response to an error. code: tRPC's code. wait: seconds, sent as Retry-After."""

    status: int
    code: str
    kind: str
    message: str
    wait: int | None = None

    @property
    def headers(self) -> dict[str, str]:
        headers = {"retry-after": str(self.wait)} if self.wait is not None else {}
        return {**headers, "www-authenticate": 'Bearer, Basic realm="openfaith"'} if self.status == 401 else headers


# The first match applies.
_ANSWERS: Final[tuple[tuple[type[Exception], int, str], ...]] = (
    (NotIdentified, 401, "UNAUTHORIZED"),
    (NotAllowed, 403, "FORBIDDEN"),
    (BodyTooLarge, 413, "PAYLOAD_TOO_LARGE"),
    (BodyNotRead, 400, "PARSE_ERROR"),
    (MediaTypeNotTaken, 415, "UNSUPPORTED_MEDIA_TYPE"),
    (MethodNotTaken, 405, "METHOD_NOT_SUPPORTED"),
    (NothingHere, 404, "NOT_FOUND"),
    (UnknownOrg, 404, "NOT_FOUND"),
    (UnknownRequest, 404, "NOT_FOUND"),
    (UnknownWorkflow, 404, "NOT_FOUND"),
    (IdempotencyKeyReused, 409, "CONFLICT"),
    (OrgPaused, 412, "PRECONDITION_FAILED"),
    (UsageError, 400, "BAD_REQUEST"),
    (TooManyCalls, 429, "TOO_MANY_REQUESTS"),
    (RetriableError, 503, "SERVICE_UNAVAILABLE"),
    (OpenFaithError, 500, "INTERNAL_SERVER_ERROR"),
)


def problem(error: Exception) -> Problem:
    """The response to an error; for an unexpected one, only that there was one."""
    if isinstance(error, DATABASE_TROUBLE) and not isinstance(error, REFUSED_BY_POSTGRES):
        message = "the database does not answer; nothing was changed, so try again"
        return Problem(503, "SERVICE_UNAVAILABLE", "DatabaseUnavailable", message, _RETRY_SECONDS)
    if isinstance(error, VALUE_REFUSED):
        return Problem(400, "BAD_REQUEST", "UsageError", "a value in the request cannot be stored or searched for")
    for kind, status, code in _ANSWERS:
        if isinstance(error, kind):
            wait = error.wait if isinstance(error, TooManyCalls) else None
            return Problem(status, code, type(error).__name__, str(error), wait)
    return Problem(500, "INTERNAL_SERVER_ERROR", "InternalError", "an unexpected error; see the service's log")
