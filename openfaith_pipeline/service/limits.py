"""Limits for one caller: bytes in a body, and calls in a minute."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from openfaith_pipeline.service.error_responses import problem_of
from openfaith_pipeline.service.problems import BodyTooLarge, NothingHere

MOST_BODY_BYTES: Final = 1024 * 1024
_MOST_CALLERS: Final = 10_000


@dataclass
class _Bucket:
    tokens: float
    filled_at: float


@dataclass
class RateLimiter:
    """A token bucket for each caller, in this process: a minute's calls may come at once, then they come evenly.

    For any number of threads.
    """

    per_minute: int
    clock: Callable[[], float] = time.monotonic
    _buckets: OrderedDict[str, _Bucket] = field(default_factory=OrderedDict)
    """The caller with the oldest call first."""
    _lock: Lock = field(default_factory=Lock)

    def wait_of(self, caller: str) -> int:
        """Take a call; returns 0 if it may be made, else the whole seconds to wait for the next."""
        with self._lock:
            return self._wait_of(caller)

    def _wait_of(self, caller: str) -> int:
        now = self.clock()
        bucket = self._buckets.get(caller) or self._admit(caller, now)
        self._buckets.move_to_end(caller)
        refilled = bucket.tokens + (now - bucket.filled_at) * self.per_minute / 60
        bucket.tokens, bucket.filled_at = min(float(self.per_minute), refilled), now
        if bucket.tokens >= 1:
            bucket.tokens -= 1
            return 0
        return max(1, math.ceil((1 - bucket.tokens) * 60 / self.per_minute))

    def _admit(self, caller: str, now: float) -> _Bucket:
        if len(self._buckets) >= _MOST_CALLERS:
            self._buckets.popitem(last=False)
        return self._buckets.setdefault(caller, _Bucket(float(self.per_minute), now))


class BodyLimit:
    """Refuse a body of more than MOST_BODY_BYTES with 413, by its declared length or else by its actual one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > MOST_BODY_BYTES:
            await problem_of(scope["path"], _too_large())(scope, receive, send)
            return
        await self._app(scope, _counted(receive), send)


class NoNul:
    """Refuse a path or query with a NUL character, which no name here has, and no text in Postgres can have."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and ("\x00" in scope["path"] or b"%00" in scope["query_string"]):
            await problem_of(scope["path"], NothingHere("nothing here has such a name"))(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _counted(receive: Receive) -> Receive:
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > MOST_BODY_BYTES:
            raise _too_large()
        return message

    return counted


def _too_large() -> BodyTooLarge:
    return BodyTooLarge(f"the body may have at most {MOST_BODY_BYTES:,} bytes")
