"""HTTP/1.1 on a socket: the minimum for a fast server, and the abuses a simulator needs."""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, cast

import httptools

from openfaith_pipeline.simulator.answers import Answer, Ending
from openfaith_pipeline.simulator.api import HttpRequest
from openfaith_pipeline.simulator.clocks import Clock

_REASONS = {status.value: status.phrase for status in HTTPStatus}
_PIECE = b"100000\r\n" + b" " * 0x100000 + b"\r\n"  # one chunk of a chunked body
_LINGER_NOT = struct.pack("ii", 1, 0)


class HttpProtocol(asyncio.Protocol):
    """One connection. Pipelined requests are answered one after the other, in order."""

    def __init__(self, handle: Callable[[HttpRequest], Answer], clock: Clock) -> None:
        self._handle = handle
        self._clock = clock
        self._parser: Any = httptools.HttpRequestParser(self)
        self._queue: deque[tuple[HttpRequest, bool]] = deque()
        self._is_busy = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - named by asyncio
        self._transport = None
        self._queue.clear()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            if self._transport:
                self._transport.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                self._transport.close()
            return
        self._go_on()

    def on_message_begin(self) -> None:
        self._target = b""
        self._headers: dict[str, str] = {}
        self._body = b""

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        method = self._parser.get_method().decode("latin-1")
        request = HttpRequest(method, self._target.decode("latin-1"), self._headers, self._body)
        self._queue.append((request, self._parser.should_keep_alive()))

    def _go_on(self) -> None:
        while self._queue and not self._is_busy and self._transport:
            request, is_kept = self._queue.popleft()
            answer = self._handle(request)
            if answer.delay_seconds:
                self._is_busy = True
                loop = asyncio.get_running_loop()
                loop.call_later(answer.delay_seconds, self._send_late, request, answer, is_kept)
            else:
                self._send(request, answer, is_kept)

    def _send_late(self, request: HttpRequest, answer: Answer, is_kept: bool) -> None:
        self._is_busy = False
        self._send(request, answer, is_kept)
        self._go_on()

    def _send(self, request: HttpRequest, answer: Answer, is_kept: bool) -> None:
        transport = self._transport
        if transport is None:
            return
        if answer.ending is Ending.RESET:
            _reset(transport)
            return
        if answer.ending is Ending.ENDLESS:
            transport.write(self._head(answer, is_kept))
            self._pour()
            return
        body = b"" if request.method == "HEAD" else answer.body
        head = self._head(answer, is_kept)
        if answer.ending is Ending.TRUNCATED:
            transport.writelines([head, body[: len(body) // 2]])
        else:
            transport.writelines([head, body])
        if not is_kept or answer.ending is Ending.TRUNCATED:
            transport.close()

    def _pour(self) -> None:
        """Send more of an endless body, as fast as the client reads it, until the client leaves."""
        if self._transport:
            if self._transport.get_write_buffer_size() < len(_PIECE):
                self._transport.write(_PIECE)
            asyncio.get_running_loop().call_later(0.001, self._pour)

    def _head(self, answer: Answer, is_kept: bool) -> bytes:
        is_endless = answer.ending is Ending.ENDLESS
        lines = [
            f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, 'Unknown')}",
            f"Date: {self._clock.http_date()}",
            f"Content-Type: {answer.content_type}",
            "Transfer-Encoding: chunked" if is_endless else f"Content-Length: {len(answer.body)}",
            *(f"{name}: {value}" for name, value in answer.headers.items()),
        ]
        if not is_kept:
            lines.append("Connection: close")
        return "\r\n".join([*lines, "\r\n"]).encode("latin-1")


def _reset(transport: asyncio.Transport) -> None:
    """Drop the connection with a reset instead of a regular end."""
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
    transport.abort()
