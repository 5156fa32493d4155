"""The client against a real socket that misbehaves as networks do: nothing half read is ever taken for a page."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import orjson
import pytest
from pydantic import SecretStr

from openfaith_pipeline.errors import SourceUnreachable, TransientError
from openfaith_pipeline.planning_center import Document, PersonalAccessToken, PlanningCenterClient, RetryLimits
from openfaith_pipeline.planning_center.products import Product

BODY = orjson.dumps({"data": [{"type": "Person", "id": str(number)} for number in range(100)], "meta": {}})
SOON = RetryLimits(attempts=4, first_wait=timedelta(milliseconds=2))
Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


def head(*lines: str, status: str = "200 OK") -> bytes:
    return "\r\n".join((f"HTTP/1.1 {status}", "Content-Type: application/json", *lines, "", "")).encode()


async def whole(writer: asyncio.StreamWriter) -> None:
    writer.write(head(f"Content-Length: {len(BODY)}") + BODY)


async def in_pieces(writer: asyncio.StreamWriter) -> None:
    writer.write(head("Transfer-Encoding: chunked"))
    for start in range(0, len(BODY), 1000):
        piece = BODY[start : start + 1000]
        writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        await writer.drain()
    writer.write(b"0\r\n\r\n")


async def reset_before_the_answer(writer: asyncio.StreamWriter) -> None:
    reset(writer)


async def reset_in_the_body(writer: asyncio.StreamWriter) -> None:
    writer.write(head(f"Content-Length: {len(BODY)}") + BODY[:2000])
    await writer.drain()
    reset(writer)


async def closed_before_the_answer(writer: asyncio.StreamWriter) -> None:
    writer.close()


async def cut_short_of_its_length(writer: asyncio.StreamWriter) -> None:
    writer.write(head(f"Content-Length: {len(BODY)}") + BODY[:2000])
    writer.close()


async def cut_between_chunks(writer: asyncio.StreamWriter) -> None:
    writer.write(head("Transfer-Encoding: chunked") + f"{len(BODY):x}\r\n".encode() + BODY + b"\r\n")
    writer.close()


async def cut_without_a_length(writer: asyncio.StreamWriter) -> None:
    writer.write(head("Connection: close") + BODY[:-2])
    writer.close()


async def no_http_at_all(writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")


async def bytes_that_are_no_gzip(writer: asyncio.StreamWriter) -> None:
    writer.write(head("Content-Encoding: gzip", f"Content-Length: {len(BODY)}") + BODY)


def reset(writer: asyncio.StreamWriter) -> None:
    """Close so that the other side gets a reset instead of an end."""
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@asynccontextmanager
async def server_that(*answers: Answer) -> AsyncIterator[str]:
    """Gives the answers one by one, the last for ever; yields its URL."""
    remaining = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not writer.is_closing() and await reader.readuntil(b"\r\n\r\n"):
                await (remaining.pop(0) if len(remaining) > 1 else remaining[0])(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"


async def read(url: str) -> Document:
    token = PersonalAccessToken("app", SecretStr("secret"))
    async with PlanningCenterClient(url, token, retry=SOON) as client:
        return await client.get("/people/v2/people", {"per_page": "100"}, product=Product.PEOPLE)


BREAKS = [
    reset_before_the_answer,
    reset_in_the_body,
    closed_before_the_answer,
    cut_short_of_its_length,
    cut_between_chunks,
    cut_without_a_length,
    no_http_at_all,
    bytes_that_are_no_gzip,
]


@pytest.mark.parametrize("broken", BREAKS, ids=lambda answer: answer.__name__)
async def test_broken_answer_is_read_again(broken: Answer) -> None:
    async with server_that(broken, broken, in_pieces) as url:
        document = await read(url)
    assert isinstance(document.data, list)
    assert [record["id"] for record in document.data] == [str(number) for number in range(100)]
    assert document.requests == 3


@pytest.mark.parametrize("broken", BREAKS, ids=lambda answer: answer.__name__)
async def test_answer_that_stays_broken_is_a_transient_error(broken: Answer) -> None:
    async with server_that(broken) as url:
        with pytest.raises(TransientError, match=r"GET /people/v2/people: "):
            await read(url)


async def test_unreachable_api_is_one_that_names_the_host() -> None:
    async with server_that(whole) as url:
        pass
    with pytest.raises(SourceUnreachable, match=r"127\.0\.0\.1 can be made \(ConnectError\)"):
        await read(url)


async def test_proxy_of_the_environment_is_not_used_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with server_that(whole) as url:
        assert (await read(url)).requests == 1


async def test_connection_is_kept_for_the_next_request() -> None:
    peers = set()

    async def note_peer(writer: asyncio.StreamWriter) -> None:
        peers.add(writer.get_extra_info("peername"))
        await whole(writer)

    token = PersonalAccessToken("app", SecretStr("secret"))
    async with server_that(note_peer) as url, PlanningCenterClient(url, token) as client:
        for _ in range(5):
            await client.get("/people/v2/people", {}, product=Product.PEOPLE)
    assert len(peers) == 1


async def test_all_churches_of_a_process_share_the_connections_to_a_host_and_nothing_else() -> None:
    open_now, most_open, heads, are_closed = 0, 0, list[bytes](), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now, most_open
        open_now += 1
        are_closed.clear()
        most_open = max(most_open, open_now)
        with suppress(asyncio.IncompleteReadError):
            while True:
                heads.append(await reader.readuntil(b"\r\n\r\n"))
                await asyncio.sleep(0.01)
                writer.write(head(f"Content-Length: {len(BODY)}", "Set-Cookie: church=another; Path=/") + BODY)
        open_now -= 1
        if not open_now:
            are_closed.set()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

        async def church(number: int) -> None:
            token = PersonalAccessToken(f"app-{number}", SecretStr("secret"))
            async with PlanningCenterClient(url, token, most_connections=3) as client:
                await asyncio.gather(*(client.get("/people/v2/people", {}, product=Product.PEOPLE) for _ in range(10)))

        await asyncio.gather(*map(church, range(4)))
        assert most_open == 3
        await church(4)
        await asyncio.wait_for(are_closed.wait(), 10)
    assert len(heads) == 50
    assert len({line for each in heads for line in each.splitlines() if line.startswith(b"Authorization")}) == 5
    assert not any(b"Cookie" in each for each in heads)
