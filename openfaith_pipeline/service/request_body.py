"""Reading and validation of JSON bodies and headers."""

from typing import Any

import orjson
from fastapi import Request

from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.inbox.requests import check_key
from openfaith_pipeline.service.problems import BodyNotRead, MediaTypeNotTaken


async def read_json(request: Request) -> Any:
    """The body as JSON, None without one. Raises MediaTypeNotTaken, BodyNotRead or BodyTooLarge.

    It must be declared as JSON: a foreign web page can make a browser send anything but that.
    """
    body = await request.body()
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and (body or media_type):
        raise MediaTypeNotTaken("send JSON, with the header content-type: application/json")
    try:
        sent = orjson.loads(body) if body.strip() else None
    except orjson.JSONDecodeError as error:
        raise BodyNotRead(f"the body is not JSON: {error.msg} at character {error.pos}") from None
    if b"\\u0000" in body and _has_nul(sent):
        raise BodyNotRead("the body has a NUL character, which no text here can have")
    return sent


def _has_nul(sent: Any) -> bool:
    left = [sent]  # no recursion: JSON may be nested deeper than Python's stack
    while left:
        value = left.pop()
        if isinstance(value, str) and "\x00" in value:
            return True
        if isinstance(value, dict):
            left += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            left += value
    return False


def idempotency_key(request: Request) -> str | None:
    """The Idempotency-Key header. Raises UsageError for an invalid key, or for several."""
    given = request.headers.getlist("idempotency-key")
    if len(given) > 1:
        raise UsageError("send at most one Idempotency-Key")
    key = given[0].strip() if given else None
    check_key(key)
    return key
