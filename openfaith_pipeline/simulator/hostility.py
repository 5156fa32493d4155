"""Responses of a malicious server: links to other hosts, endless bodies, documents that are not JSON:API.

Each takes the ordinary response and spoils it. Scripts use them by the names in `HOSTILE`.
"""

import zlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

import orjson

from openfaith_pipeline.simulator.answers import Answer, Ending

LED_AWAY: Final = "led=away"
"""Query of every link to another host. It resolves to this simulator, so that its log shows the request."""

UNREADABLE: Final[Mapping[str, bytes]] = {
    "@half a pair": rb'"Ada \ud800"',
    "@huge": b"9" * 5_000,
    "@exponent": b"1e999999999",
    "@deep": b"[" * 5_000 + b"]" * 5_000,
}
"""Text of a record -> its replacement in an `unreadable` response."""

_BOMB_MEGABYTES: Final = 128


def _redirect(answer: Answer) -> Answer:
    answer.status, answer.headers["Location"] = 307, _elsewhere(orjson.loads(answer.body))
    return answer


def _foreign_next(answer: Answer) -> Answer:
    document = orjson.loads(answer.body)
    document.setdefault("links", {})["next"] = _elsewhere(document)
    return _with(answer, document)


def _foreign_included(answer: Answer) -> Answer:
    """Included records that were not requested, one of them of a listed type."""
    document = orjson.loads(answer.body)
    stranger = {"type": "Household", "id": "666", "attributes": {"name": "Stranger"}, "relationships": {}}
    document["included"] = [*document.get("included", []), stranger, {**stranger, "type": "_Org"}, None, "666"]
    return _with(answer, document)


def _object_for_list(answer: Answer) -> Answer:
    return _with(answer, {**orjson.loads(answer.body), "data": {}})


def _wrong_type(answer: Answer) -> Answer:
    answer.content_type = "text/html"
    return answer


def _bomb(answer: Answer) -> Answer:
    answer.body, answer.headers["Content-Encoding"] = _zeros(), "gzip"
    return answer


def _endless(answer: Answer) -> Answer:
    answer.ending = Ending.ENDLESS
    return answer


def _unreadable(answer: Answer) -> Answer:
    for text, instead in UNREADABLE.items():
        answer.body = answer.body.replace(orjson.dumps(text), instead)
    return answer


HOSTILE: Final[Mapping[str, Callable[[Answer], Answer]]] = {
    "redirect": _redirect,
    "foreign_next": _foreign_next,
    "foreign_included": _foreign_included,
    "object_for_list": _object_for_list,
    "wrong_type": _wrong_type,
    "bomb": _bomb,
    "endless": _endless,
    "unreadable": _unreadable,
}


def _with(answer: Answer, document: Mapping[str, Any]) -> Answer:
    answer.body = orjson.dumps(document)
    return answer


def _elsewhere(document: Mapping[str, Any]) -> str:
    """The document's own URL on a host with another name."""
    own = str(document["links"]["self"]).replace("127.0.0.1", "localhost")
    return f"{own}{'&' if '?' in own else '?'}{LED_AWAY}"


@cache
def _zeros() -> bytes:
    packer = zlib.compressobj(1, wbits=16 + zlib.MAX_WBITS)
    megabyte = bytes(1024**2)
    return b"".join([*(packer.compress(megabyte) for _ in range(_BOMB_MEGABYTES)), packer.flush()])
