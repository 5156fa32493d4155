"""As many connections as there are requests in flight, within a limit, and the first ones used again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
from pydantic import SecretStr

from openfaith_pipeline.planning_center import PersonalAccessToken, PlanningCenterClient
from openfaith_pipeline.planning_center.connections import Connections
from openfaith_pipeline.planning_center.products import Product

_PATH = "/people/v2/people"


async def test_no_more_are_in_flight_than_there_may_be_connections() -> None:
    waiting, most, is_full, is_open = 0, 0, asyncio.Event(), asyncio.Event()

    async def answer(_: httpx.Request) -> httpx.Response:
        nonlocal waiting, most
        waiting += 1
        most = max(most, waiting)
        if waiting == 20:
            is_full.set()
        try:
            await is_open.wait()
        finally:
            waiting -= 1
        return httpx.Response(200)

    connections = Connections(httpx.URL("http://api"), 20, httpx.MockTransport(answer))
    asking = [asyncio.create_task(connections.request("GET", "http://api/")) for _ in range(50)]
    await is_full.wait()
    asking.pop(0).cancel()  # a cancelled request frees its place
    is_open.set()
    assert {response.status_code for response in await asyncio.gather(*asking)} == {200}
    assert most == 20
    await connections.aclose()


async def test_later_requests_use_the_open_connections() -> None:
    ports: set[int] = set()
    async with answering(ports) as url:
        connections = Connections(httpx.URL(url), 100)
        for _ in range(5):
            await asyncio.gather(*(connections.request("GET", url) for _ in range(30)))
        await connections.aclose()
    assert 30 <= len(ports) <= 32


async def test_requests_that_are_given_up_leave_no_connection_stuck() -> None:
    async with answering(set()) as url:
        connections = Connections(httpx.URL(url), 8)
        for turn in range(60):
            given_up = [asyncio.create_task(connections.request("GET", url)) for _ in range(6)]
            await asyncio.sleep(turn % 6 / 2000)  # while it is connecting, sending, waiting or reading
            for each in given_up:
                each.cancel()
            await asyncio.gather(*given_up, return_exceptions=True)
            async with asyncio.timeout(10):
                answers = await asyncio.gather(*(connections.request("GET", url) for _ in range(8)))
            assert [answer.status_code for answer in answers] == [200] * 8
        await connections.aclose()


async def test_a_church_with_hanging_requests_leaves_connections_to_the_others() -> None:
    slow, other = (PersonalAccessToken(name, SecretStr("secret")) for name in ("slow", "other"))
    hanging, is_hanging, is_over = 0, asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal hanging
        with suppress(ConnectionError):
            while head := [line async for line in _head(reader)]:
                if b"offset=" in head[0]:
                    hanging += 1
                    is_hanging.set()
                    await is_over.wait()
                writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"data":[]}')
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1") as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with (
            PlanningCenterClient(url, slow, most_connections=8) as of_slow,
            PlanningCenterClient(url, other, most_connections=8) as of_other,
        ):
            await of_slow.get(_PATH, {}, product=Product.PEOPLE)
            stuck = [
                asyncio.create_task(of_slow.get(_PATH, {"offset": str(offset)}, product=Product.PEOPLE))
                for offset in range(1, 20)
            ]
            await is_hanging.wait()
            try:
                async with asyncio.timeout(10):
                    await of_other.get(_PATH, {}, product=Product.PEOPLE)
            finally:
                is_over.set()
                await asyncio.gather(*stuck)
    assert hanging == len(stuck)


async def _head(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The lines of a request without a body."""
    while (line := await reader.readline()).strip():
        yield line


@asynccontextmanager
async def answering(ports: set[int]) -> AsyncIterator[str]:
    """The URL of a server that answers after a moment, and adds the port of each connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ports.add(writer.get_extra_info("peername")[1])
        with suppress(ConnectionError):
            while await reader.readline():
                while (await reader.readline()).strip():
                    pass
                await asyncio.sleep(0.001)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1") as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
