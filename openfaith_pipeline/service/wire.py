"""Limits for connections in bytes and time: uvicorn by itself waits for ever, for any amount.

A quick client is never refused because of a slow one: where room is short, the connections that have kept the service
waiting longest are dropped.
"""

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from openfaith_pipeline.service.limits import MOST_BODY_BYTES

MOST_HEADERS: Final = 100
MOST_PIPELINED: Final = 16
"""Requests of a connection that follow one that is not answered. All that comes at once is parsed at once."""
MOST_PIECES: Final = 4096
"""Chunks of a body: each is work, however small."""

_DROPPABLE: Final = "openfaith.may_be_dropped"
"""In the scope of a request."""

_SAID: Final = {
    400: "the request is not HTTP",
    408: "the request did not come in time",
    413: "the request is too large",
    431: "the headers are too large",
    503: "too much is being received; send it again",
}


@dataclass(frozen=True)
class WireLimits:
    """head_bytes: of the request line and headers. request_bytes: of a whole request, framing included.

    request_seconds: from the first byte to the last, and from connecting to the first. reading_seconds: for a client to
    read its response. connections: at the same time. held_bytes: of all requests that are not answered.
    """

    head_bytes: int = 64 * 1024
    request_bytes: int = 4 * MOST_BODY_BYTES
    request_seconds: float = 15.0
    reading_seconds: float = 30.0
    connections: int = 1000
    held_bytes: int = 64 * 1024 * 1024


class Crowd:
    """All connections of a server."""

    def __init__(self, limits: WireLimits) -> None:
        self.limits = limits
        self._all: set[Wire] = set()
        self._waited_for: dict[Wire, None] = {}
        """Those whose client is to do something, the one that has been waited for longest first."""
        self._held: dict[Wire, int] = {}
        self._held_bytes = 0

    def join(self, wire: "Wire") -> None:
        """Admit a new connection; an old one may be dropped for it."""
        self._all.add(wire)
        if len(self._all) > self.limits.connections:
            next(iter(self._waited_for), wire).drop()

    def leave(self, wire: "Wire") -> None:
        self._all.discard(wire)
        self._waited_for.pop(wire, None)
        self.release(wire)

    def wait_for(self, wire: "Wire") -> None:
        if wire in self._all:
            self._waited_for.setdefault(wire)

    def serve(self, wire: "Wire") -> None:
        self._waited_for.pop(wire, None)

    def hold(self, wire: "Wire", count: int) -> None:
        """Count bytes that the connection has sent; above the limit, the one waited for longest is refused."""
        self._held[wire] = self._held.get(wire, 0) + count
        self._held_bytes += count
        while self._held_bytes > self.limits.held_bytes and self._held:
            slowest = next((each for each in self._waited_for if each in self._held), wire)
            self.release(slowest)
            slowest.refuse(503)
            if slowest is wire:
                return

    def release(self, wire: "Wire") -> None:
        self._held_bytes -= self._held.pop(wire, 0)


class Wire(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, crowd: Crowd, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._crowd = crowd
        self._limits = crowd.limits
        self._deadline: asyncio.TimerHandle | None = None
        self._reading_deadline: asyncio.TimerHandle | None = None
        self._is_unfinished = False
        self._is_in_head = False
        self._may_be_dropped = False
        self._bytes = self._pieces = 0
        self._refusal = 400

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_request()
        self._crowd.join(self)
        self._crowd.wait_for(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_waiting()
        self.resume_writing()
        self._crowd.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.is_closing() or self._is_answered:
            return
        self._crowd.hold(self, len(data))
        if not self._is_unfinished or self.transport.is_closing():
            return
        self._bytes += len(data)
        if self._is_in_head and self._bytes > self._limits.head_bytes:
            self.refuse(431)
        elif self._bytes > self._limits.request_bytes:
            self.refuse(413)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's own words
        self.refuse(self._refusal)

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= MOST_PIPELINED:
            raise ValueError("too many requests at once")  # which httptools makes a parser's error of
        super().on_message_begin()
        self._is_unfinished = self._is_in_head = True
        self._bytes = self._pieces = 0
        self._may_be_dropped = False
        self.scope[_DROPPABLE] = self.may_be_dropped  # type: ignore[typeddict-unknown-key]
        self._wait_for_request()
        self._crowd.wait_for(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(self.headers) >= MOST_HEADERS:
            self._refusal = 431
            raise ValueError("too many headers")
        super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        self._pieces += 1
        if self._pieces > MOST_PIECES:
            self._refusal = 413
            raise ValueError("too many chunks")
        super().on_body(body)

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._is_unfinished = False
        self._end_waiting()
        if not self._may_be_dropped:
            self._crowd.serve(self)

    def on_response_complete(self) -> None:
        self._crowd.release(self)
        super().on_response_complete()
        self._crowd.wait_for(self)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._reading_deadline is None:
            self._reading_deadline = self.loop.call_later(self._limits.reading_seconds, self.drop)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._reading_deadline:
            self._reading_deadline.cancel()
            self._reading_deadline = None

    def refuse(self, status: int) -> None:
        """Answer, unless something was answered already, and close the connection."""
        if self.transport.is_closing():
            return
        if self._is_answering:
            self.drop()
            return
        body = b'{"error":{"type":"RequestRefused","message":"%s"}}' % _SAID[status].encode()
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[status] + head + body)
        if self.cycle:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    def drop(self) -> None:
        """Close the connection at once."""
        self._crowd.leave(self)
        self.transport.abort()

    def may_be_dropped(self) -> None:
        """Let the connection be dropped when room is short, although its client is waiting for the service."""
        self._may_be_dropped = True
        self._crowd.wait_for(self)

    @property
    def _is_answered(self) -> bool:
        """Whether incoming bytes belong to a request that was already answered, and are discarded."""
        return bool(self._is_unfinished and not self._is_in_head and self.cycle and self.cycle.response_complete)

    @property
    def _is_answering(self) -> bool:
        """Whether a refusal would come into the middle of an answer, or before that of an earlier request."""
        if self.cycle is None or self.cycle.response_complete:
            return False
        return self.cycle.response_started or bool(self.pipeline) or self._is_in_head

    def _wait_for_request(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self._limits.request_seconds, self.refuse, 408)

    def _end_waiting(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None


def may_be_dropped(scope: Scope) -> None:
    """Until its response, let the request's connection be dropped where memory is short; losing it costs nothing."""
    if _DROPPABLE in scope:
        scope[_DROPPABLE]()


def wire_with(limits: WireLimits) -> type[asyncio.Protocol]:
    """A class for uvicorn's `http` setting: connections that respect the limits together."""
    return cast("type[asyncio.Protocol]", partial(Wire, crowd=Crowd(limits)))
