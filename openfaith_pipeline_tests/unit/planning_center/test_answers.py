"""Answers from a hostile server over a real socket: reading stops once an answer is too large."""

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from openfaith_pipeline.errors import UnexpectedResponse
from openfaith_pipeline.planning_center.answers import MOST_BYTES, read_whole_now
from openfaith_pipeline.planning_center.connections import Connections

BODY = b'{"data": []}'


@asynccontextmanager
async def answering(
    body: bytes, encoding: str = "", *, repeat: int = 1, length: int | None = None
) -> AsyncIterator[str]:
    """A server that answers any request with the body, repeated."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        declared = f"Content-Length: {length}\r\n" if length is not None else ""
        encoded = f"Content-Encoding: {encoding}\r\n" if encoding else ""
        writer.write(f"HTTP/1.1 200 OK\r\n{declared}{encoded}Connection: close\r\n\r\n".encode())
        try:
            for _ in range(repeat):
                writer.write(body)
                await writer.drain()
        except ConnectionError:
            pass
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server:
        yield f"http://{host}:{port}/"


async def asked(url: str) -> httpx.Response:
    connections = Connections(httpx.URL(url), 1)
    try:
        return await connections.request("GET", url)
    finally:
        await connections.aclose()


def raw_deflated(body: bytes) -> bytes:
    encoder = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return encoder.compress(body) + encoder.flush()


@pytest.mark.parametrize(
    ("encoding", "sent"),
    [
        ("", BODY),
        ("identity", BODY),
        ("gzip", gzip.compress(BODY, mtime=0)),
        ("GZIP", gzip.compress(BODY, mtime=0)),
        ("deflate", zlib.compress(BODY)),
        ("deflate", raw_deflated(BODY)),
    ],
)
async def test_bodies_are_read_as_they_are_encoded(encoding: str, sent: bytes) -> None:
    async with answering(sent, encoding) as url:
        response = await asked(url)
    assert response.content == BODY
    assert response.json() == {"data": []}


async def test_a_body_without_end_is_given_up() -> None:
    async with answering(b"x" * 1024**2, repeat=10**6) as url:
        with pytest.raises(UnexpectedResponse, match="more than 32 MB"):
            await asked(url)


async def test_one_that_says_it_is_too_large_is_not_waited_for() -> None:
    async with answering(b"", length=MOST_BYTES + 1) as url:
        with pytest.raises(UnexpectedResponse, match="more than 32 MB"):
            await asked(url)


async def test_little_gzip_is_not_much_memory() -> None:
    encoder = zlib.compressobj(9, wbits=31)
    bomb = b"".join(encoder.compress(bytes(1024**2)) for _ in range(200)) + encoder.flush()
    assert len(bomb) < 0.25 * 1024**2
    async with answering(bomb, "gzip") as url:
        tracemalloc.start()
        try:
            with pytest.raises(UnexpectedResponse, match="more than 32 MB"):
                await asked(url)
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert most < 4 * MOST_BYTES


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "zstd", "x" * 1000])
async def test_an_encoding_that_was_not_requested_is_not_read(encoding: str) -> None:
    async with answering(gzip.compress(gzip.compress(BODY)), encoding) as url:
        with pytest.raises(UnexpectedResponse, match="encoding"):
            await asked(url)


async def test_a_body_that_is_not_encoded_as_it_says_is_no_answer() -> None:
    async with answering(b"plain text", "gzip") as url:
        with pytest.raises(httpx.DecodingError):
            await asked(url)


async def test_a_synchronous_client_counts_too() -> None:
    def ask(url: str) -> None:
        with httpx.Client(trust_env=False) as client, client.stream("GET", url) as coming:
            read_whole_now(coming)

    async with answering(b"x" * 1024**2, repeat=10**6) as url:
        with pytest.raises(UnexpectedResponse, match="more than 32 MB"):
            await asyncio.to_thread(ask, url)
