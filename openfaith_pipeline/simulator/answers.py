"""HTTP responses, with refusals and errors word for word as recorded."""

from dataclasses import dataclass, field
from enum import Enum, auto

import orjson

from openfaith_pipeline.simulator.options import RateLimit

JSON_API = "application/vnd.api+json"
JSON = "application/json"
HTML = "text/html; charset=iso-8859-1"


class Ending(Enum):
    """How the response ends on the connection."""

    WHOLE = auto()
    RESET = auto()
    TRUNCATED = auto()
    ENDLESS = auto()


@dataclass
class Answer:
    """rows and delay_seconds: for the request log and the latency."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    rows: int = 0
    delay_seconds: float = 0
    ending: Ending = Ending.WHOLE


def document(body: bytes, rows: int = 1) -> Answer:
    return Answer(200, body, JSON_API, rows=rows)


def no_rows() -> Answer:
    """A list in which this user may see nothing."""
    return document(orjson.dumps({"links": {}, "data": [], "meta": {"total_count": 0, "count": 0}}), rows=0)


def unauthorized(hint: str) -> Answer:
    detail = f"This request could not be authenticated. Error Code Hint: ({hint})"
    return _errors(401, {"code": "unauthorized", "title": "Unauthorized", "status": "401", "detail": detail})


def bad_scope(scope: str) -> Answer:
    detail = f"The API credentials do not have access to the application {scope}"
    return _errors(401, {"code": "bad_scope", "title": "Request outside authenticated scope", "detail": detail})


def forbidden(user: str, action: str) -> Answer:
    """action: such as `read People::Vertices::CampusVertex collection`."""
    return _errors(
        403,
        {
            "status": "403",
            "title": "Forbidden",
            "detail": "You do not have access to this resource",
            "meta": {"description": f"User with id {user} cannot {action}"},
        },
    )


def not_found() -> Answer:
    return _errors(
        404, {"status": "404", "title": "Not Found", "detail": "The resource you requested could not be found"}
    )


def gone() -> Answer:
    """Not recorded: Planning Center is not known to answer so."""
    return _errors(410, {"status": "410", "title": "Gone", "detail": "The resource you requested is no longer here"})


def too_many_requests(count: int, limit: RateLimit, allowed: int, retry_after: int) -> Answer:
    detail = f"Rate limit exceeded: {count} of {allowed} requests per {limit.period_seconds:g} seconds"
    answer = _errors(429, {"code": "429", "title": "Too Many Requests", "detail": detail})
    answer.headers["Retry-After"] = str(retry_after)
    return answer


def unprocessable(parameter: str, detail: str) -> Answer:
    source = {"parameter": parameter}
    return _errors(422, {"status": "422", "title": "Validation Error", "detail": detail, "source": source})


def conflict(detail: str) -> Answer:
    return _errors(409, {"status": "409", "title": "Conflict", "detail": detail})


def bad_request() -> Answer:
    detail = "The query given is not understood."
    return _errors(400, {"status": "400", "title": "Bad Request", "code": "invalid_query", "detail": detail})


def unsupported_version() -> Answer:
    detail = "The version given is not supported."
    code = "unsupported_version_error"
    return _errors(400, {"status": "400", "title": "Bad Request", "code": code, "detail": detail})


def no_data() -> Answer:
    detail = "The payload given does not contain a 'data' key."
    code = "invalid_resource_payload"
    return _errors(400, {"status": "400", "title": "Bad Request", "code": code, "detail": detail})


def server_error() -> Answer:
    detail = (
        "An internal server error occurred on our end and we've been notified. "
        "Please contact support if the issue persists."
    )
    return _errors(500, {"status": "500", "title": "Internal Server Error", "detail": detail})


def bad_gateway() -> Answer:
    return Answer(502, b"<html><head><title>502 Bad Gateway</title></head><body></body></html>", HTML)


def firewall() -> Answer:
    return Answer(403, _FIREWALL, HTML)


def something_went_wrong() -> Answer:
    """The response to a PUT: a 404 that is not the API's own."""
    return Answer(404, b"<!DOCTYPE html>\n<html><body><h1>Something Went Wrong</h1></body></html>", "text/html")


def not_json() -> Answer:
    return Answer(200, b"<html><body>Please stand by.</body></html>", JSON_API)


def json(payload: object, status: int = 200) -> Answer:
    return Answer(status, orjson.dumps(payload))


def _errors(status: int, error: dict[str, object]) -> Answer:
    return Answer(status, orjson.dumps({"errors": [error]}))


_FIREWALL = b"""<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN" "http://www.w3.org/TR/html4/loose.dtd">
<HTML><HEAD><META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=iso-8859-1">
<TITLE>ERROR: The request could not be satisfied</TITLE>
</HEAD><BODY>
<H1>403 ERROR</H1>
<H2>The request could not be satisfied.</H2>
<HR noshade size="1px">
Request blocked.
We can't connect to the server for this app or website at this time. There might be too much traffic or a configuration
error. Try again later, or contact the app or website owner.
<BR clear="all">
Generated by cloudfront (CloudFront)
Request ID: simulated
</BODY></HTML>"""
