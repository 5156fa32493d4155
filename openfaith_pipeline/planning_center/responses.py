"""Interpretation of responses: a table from status and body to our errors, and the headers about waiting.

Messages contain the method, the path, the status and only those of Planning Center's own words that are fixed: a known
title, hint or sentence. Its other words may repeat personal data or a credential, and messages go to chat rooms.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from openfaith_pipeline.errors import (
    ConnectionRejected,
    OpenFaithError,
    PathNotFound,
    ProductNotGranted,
    QueryRefused,
    RateLimitedError,
    StreamForbidden,
    TransientError,
    UnexpectedResponse,
)
from openfaith_pipeline.network.rate_budget import RateReport
from openfaith_pipeline.planning_center.calls import Call
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.text import exact_json

UNNAMED_WAIT = timedelta(seconds=1)
"""Wait after a 429 without a `Retry-After`, as in Planning Center's own Ruby client."""

# Sources: recorded responses, and api.planningcenteronline.com/docs/overview/errors.
_SENTENCES = frozenset(
    {
        "An internal server error occurred on our end and we've been notified."
        " Please contact support if the issue persists.",
        "Attribute Resource Not Found",
        "Bad Request",
        "Conflict",
        "Forbidden",
        "Forbidden Attribute",
        "Internal Server Error",
        "Not Found",
        "Request outside authenticated scope",
        "Service Unavailable",
        "The resource you requested could not be found",
        "Too Many Requests",
        "Unauthorized",
        "Unprocessable Entity",
        "Validation Error",
        "You do not have access to this resource",
        "can't be blank",
        "has already been taken",
        "is invalid",
        "url has already been taken",
        "url is invalid",
        "attribute_resource_not_found",
        "bad_scope",
        "unauthorized",
        "unprocessable_entity",
        "unsupported_version_error",
    }
)
_PHRASES = re.compile(
    r"Error Code Hint: \((BABOON|BLACKBIRD|CAPUCHIN|CHINCHILLA|FLAMINGO|LEMMING|PELICAN|TRASH_PANDA)\)"
    r"|Rate limit exceeded: \d{1,9} of \d{1,9} requests per \d{1,9} seconds"
    rf"|do not have access to the application ({'|'.join(sorted(product.value for product in Product))})\b"
)
_CONTENT_TYPE = re.compile(r"[a-z]{1,20}/[a-z0-9.+-]{1,40}")
_LIMIT_HEADERS = "X-PCO-API-Request-Rate-"
_EXCEEDED = re.compile(r"Rate limit exceeded: (\d{1,9}) of (\d{1,9}) requests per (\d{1,9})")
_SECONDS = re.compile(r"\d{1,9}(\.\d+)?")
_NUMBER = re.compile(r"\d{1,9}")


@dataclass(frozen=True)
class Refusal:
    """An unsuccessful response with the first of its JSON:API errors. `is_own`: it has one, so it is the API's own."""

    status: int
    is_own: bool
    code: str
    title: str
    detail: str


@dataclass(frozen=True)
class _Rule:
    statuses: range
    error: type[OpenFaithError]
    meaning: str
    applies: Callable[[Refusal], bool] = lambda _: True


def _lacks_product(refusal: Refusal) -> bool:
    return "TRASH_PANDA" in refusal.detail


def _lacks_scope(refusal: Refusal) -> bool:
    return refusal.code == "bad_scope" or "PELICAN" in refusal.detail


# The first matching rule applies. Planning Center answers 401, not 403, for a product the user has no access to.
RULES = (
    _Rule(range(300, 400), UnexpectedResponse, "redirects are not followed"),
    _Rule(range(400, 401), QueryRefused, "the query is not understood"),
    _Rule(range(401, 402), ProductNotGranted, "the connection's user has no access to this product", _lacks_product),
    _Rule(range(401, 402), ProductNotGranted, "the connection was not granted this product", _lacks_scope),
    _Rule(range(401, 402), ConnectionRejected, "Planning Center refuses these credentials"),
    _Rule(range(403, 404), StreamForbidden, "the connection's user may not read this", lambda it: it.is_own),
    _Rule(range(403, 404), TransientError, "blocked by Planning Center's firewall"),
    # Records that only a gateway does not find may well be there, and must not count as deleted.
    _Rule(range(404, 405), PathNotFound, "there is nothing at this path", lambda it: it.is_own),
    _Rule(range(410, 411), PathNotFound, "there is nothing at this path any more", lambda it: it.is_own),
    _Rule(range(404, 405), TransientError, "not Planning Center's own answer"),
    _Rule(range(410, 411), TransientError, "not Planning Center's own answer"),
    _Rule(range(408, 409), TransientError, "Planning Center gave up waiting"),
    _Rule(range(429, 430), RateLimitedError, "too many requests"),
    _Rule(range(500, 600), TransientError, "Planning Center failed"),
    _Rule(range(100, 600), UnexpectedResponse, "this response is unexpected here"),
)


def read_body(response: httpx.Response, call: Call) -> dict[str, Any]:
    """The JSON object of a successful response, without data if there is none; raises the error for any other."""
    body = _decode(response.content)
    if not response.is_success:
        raise _error_of(response, body, call)
    if response.status_code == httpx.codes.NO_CONTENT:
        return {"data": None}
    if body is None:
        kind = _CONTENT_TYPE.match(response.headers.get("content-type", ""))
        shown = kind[0] if kind else "no content type"
        raise TransientError(f"{call}: {response.status_code}, but the body is not a JSON object ({shown})")
    return body


def _decode(content: bytes) -> dict[str, Any] | None:
    try:
        body = exact_json.read(content)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _error_of(response: httpx.Response, body: dict[str, Any] | None, call: Call) -> OpenFaithError:
    refusal = _refusal_of(response.status_code, body)
    rule = next((it for it in RULES if refusal.status in it.statuses and it.applies(refusal)), RULES[-1])
    said = ": ".join(filter(None, (_known(refusal.title) or _known(refusal.code), _known(refusal.detail))))
    message = f"{call}: {refusal.status}, {rule.meaning}" + (f" ({said})" if said else "")
    if rule.error is RateLimitedError:
        return RateLimitedError(message, retry_after_of(response))
    return rule.error(message)


def _refusal_of(status: int, body: dict[str, Any] | None) -> Refusal:
    errors = body.get("errors") if body else None
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    code, title, detail = (_text(first.get(key)) for key in ("code", "title", "detail"))
    return Refusal(status, is_own=bool(first), code=code, title=title, detail=detail)


def _text(value: object) -> str:
    return exact_json.storable(value) if isinstance(value, str) else ""


def _known(text: str) -> str:
    """The fixed phrases of Planning Center in the text."""
    if text in _SENTENCES:
        return text
    phrase = _PHRASES.search(text)
    return phrase[0] if phrase else ""


def wait_demanded_by(response: httpx.Response) -> timedelta | None:
    """How long the server wants us to wait: after every 429, and after a 503 with `Retry-After`."""
    if response.status_code == 429:
        return retry_after_of(response) or UNNAMED_WAIT
    return retry_after_of(response) if response.status_code == 503 else None


def retry_after_of(response: httpx.Response) -> timedelta | None:
    """`Retry-After` as a duration, from seconds or an HTTP date (relative to the server's own `Date`).

    None without one.
    """
    value = response.headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(value):
        return timedelta(seconds=float(value)) or None
    until = _http_date(value)
    if until is None:
        return None
    wait = until - (_http_date(response.headers.get("Date", "")) or datetime.now(UTC))
    return wait if wait > timedelta() else None


def served_at(response: httpx.Response) -> datetime | None:
    """When the response was made, by the server's clock."""
    return _http_date(response.headers.get("Date", ""))


def _http_date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (OverflowError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def rate_report_of(response: httpx.Response) -> RateReport | None:
    """Rate-limit data of the response; None unless it comes from the API itself (not from a proxy's 502)."""
    limit, period, count = (_leading_number(response, name) for name in ("Limit", "Period", "Count"))
    exceeded = _EXCEEDED.search(response.text) if response.status_code == 429 else None
    if exceeded:
        count, exceeded_limit = count or int(exceeded[1]), int(exceeded[2])
        return RateReport(limit, period or int(exceeded[3]), count, exceeded_limit)
    if response.is_success or count is not None:
        return RateReport(limit, period, count)
    return None


def _leading_number(response: httpx.Response, name: str) -> int | None:
    """`20` from both "20" (products) and "20 seconds" (router and 429 page); None for 0, which no header means."""
    number = _NUMBER.match(response.headers.get(_LIMIT_HEADERS + name, "").strip())
    return int(number[0]) or None if number else None
