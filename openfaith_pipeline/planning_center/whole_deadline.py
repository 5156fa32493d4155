"""A deadline for a whole request of httpx's synchronous client, which by itself has one for each read only.

A server that sends a byte now and then, of the headers too, keeps such a client for as long as it likes.
"""

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import httpx


class WholeDeadline:
    """A deadline for one client's requests, one at a time. Pass `trace` to them as the extension of that name."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._socket: socket.socket | None = None
        self._is_over = False

    @contextmanager
    def running(self) -> Iterator[None]:
        """End the block's requests once the time is over. Raises httpx.ReadTimeout then."""
        self._is_over = False
        timer = threading.Timer(self._seconds, self._end)
        timer.daemon = True
        timer.start()
        failure: httpx.RequestError | None = None
        try:
            yield
        except httpx.RequestError as error:
            failure = error
        finally:
            timer.cancel()
        if self._is_over:  # whatever it looked like: a connection that was shut down ends a body without a length
            raise httpx.ReadTimeout("the response did not end in time")
        if failure:
            raise failure

    def trace(self, _event: str, details: Mapping[str, Any]) -> None:
        """Note each connection that is made (httpcore's extension: www.encode.io/httpcore/extensions/#trace)."""
        made: Any = details.get("return_value")
        connected = made.get_extra_info("socket") if hasattr(made, "get_extra_info") else None
        if self._socket is None and connected is not None:
            self._socket = connected.dup()  # TLS takes the original away
        if self._is_over:
            self._shut_down()

    def close(self) -> None:
        if self._socket:
            self._socket.close()

    def _end(self) -> None:
        self._is_over = True
        self._shut_down()

    def _shut_down(self) -> None:
        if self._socket:
            with suppress(OSError):  # it has ended by itself
                self._socket.shutdown(socket.SHUT_RDWR)
