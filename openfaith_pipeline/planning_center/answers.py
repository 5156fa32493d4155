"""Response bodies, read with a limit on their decoded size, because many churches share a process.

httpx decodes a body before anybody can count it, and a megabyte of gzip (or of gzip in gzip) may decode to gigabytes.
"""

import zlib
from collections.abc import AsyncIterable, Iterable
from typing import Final

import httpx

from openfaith_pipeline.errors import UnexpectedResponse

MOST_BYTES: Final = 32 * 1024 * 1024
"""Limit for a decoded body. A page of a hundred records with all includes has some hundred kilobytes."""
ACCEPTED: Final = "gzip, deflate"

_GZIP_OR_ZLIB: Final = 32 + zlib.MAX_WBITS
_BARE_DEFLATE: Final = -zlib.MAX_WBITS
_OF_THE_WIRE: Final = frozenset({"content-encoding", "content-length", "transfer-encoding"})


async def read_whole(response: httpx.Response) -> httpx.Response:
    """The same response with its body, as after httpx's `aread`.

    Raises UnexpectedResponse for a body that is too large, or in an encoding that was not requested;
    httpx.DecodingError for one that is not in its declared encoding.
    """
    if response.is_stream_consumed:  # by a transport that had the whole body
        return response
    body = _Body(response)
    raw: AsyncIterable[bytes] = response.aiter_raw()
    async for part in raw:
        body.add(part)
    return body.response()


def read_whole_now(response: httpx.Response) -> httpx.Response:
    """Like `read_whole`, for a synchronous client."""
    if response.is_stream_consumed:
        return response
    body = _Body(response)
    raw: Iterable[bytes] = response.iter_raw()
    for part in raw:
        body.add(part)
    return body.response()


class _Body:
    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self._content = bytearray()
        encoding = response.headers.get("content-encoding", "").strip().lower()
        self._may_be_bare = encoding == "deflate"
        self._decoder = zlib.decompressobj(_GZIP_OR_ZLIB) if encoding in ("gzip", "x-gzip", "deflate") else None
        if self._decoder is None and encoding not in ("", "identity"):
            raise UnexpectedResponse("the response has an encoding that was not requested")
        if response.headers.get("content-length", "0").strip()[:20].isdigit():
            self._check(int(response.headers.get("content-length", "0").strip()[:20]))

    def add(self, part: bytes) -> None:
        self._content += self._decoded(part)
        self._check(len(self._content))

    def response(self) -> httpx.Response:
        if self._decoder:
            self._content += self._decoder.flush()
        kept = [pair for pair in self._response.headers.multi_items() if pair[0].lower() not in _OF_THE_WIRE]
        status, request = self._response.status_code, self._response.request
        return httpx.Response(status, headers=kept, content=bytes(self._content), request=request)

    def _decoded(self, part: bytes) -> bytes:
        if self._decoder is None:
            return part
        most = MOST_BYTES - len(self._content) + 1
        try:
            return self._decoder.decompress(part, most)
        except zlib.error as error:
            failure = error
        if self._may_be_bare and not self._content:
            self._may_be_bare = False
            self._decoder = zlib.decompressobj(_BARE_DEFLATE)
            return self._decoded(part)
        raise httpx.DecodingError(
            "the body does not have its declared encoding", request=self._response.request
        ) from failure

    def _check(self, size: int) -> None:
        if size > MOST_BYTES:
            raise UnexpectedResponse(f"the response has more than {MOST_BYTES // 1024**2} MB")
