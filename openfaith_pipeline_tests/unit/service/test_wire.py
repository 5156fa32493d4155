"""Clients that are slow, idle or send too much, over real sockets: they are given up, and quick ones are answered."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import uvicorn

from openfaith_pipeline.service.wire import (
    MOST_HEADERS,
    MOST_PIECES,
    MOST_PIPELINED,
    WireLimits,
    may_be_dropped,
    wire_with,
)

GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
LIMITS = WireLimits(head_bytes=4000, request_bytes=50_000, request_seconds=0.6, connections=20, held_bytes=100_000)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the number of bytes in the body; where the path says so, before it is read, with much, or late."""
    if scope["type"] != "http":
        return
    size = 0
    if scope["path"] == "/late":
        may_be_dropped(scope)
        while (await receive())["type"] != "http.disconnect":
            pass
        return
    while scope["path"] == "/":
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    body = b"x" * 50_000_000 if scope["path"] == "/much" else b"%d" % size
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def serving(limits: WireLimits) -> Iterator[tuple[str, int]]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=200)
    config = uvicorn.Config(
        app, loop="uvloop", http=wire_with(limits), ws="none", lifespan="off", log_level="critical", access_log=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield listener.getsockname()
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    with serving(LIMITS) as address:
        yield address


def opened(address: tuple[str, int], sent: bytes = b"") -> socket.socket:
    client = socket.create_connection(address, timeout=10)
    client.sendall(sent)
    return client


def answer_of(client: socket.socket) -> bytes:
    """All that is sent until the connection ends or nothing more comes; empty for a connection that was reset."""
    answer = b""
    with suppress(ConnectionError, TimeoutError):
        while part := client.recv(65536):
            answer += part
            if answer.endswith((b"\r\n\r\n0", b"}")):
                break
    return answer


def status_of(address: tuple[str, int], sent: bytes) -> int:
    with opened(address, sent) as client:
        return int(client.recv(65536).split()[1])


def post(path: str, declared: int, body: bytes = b"") -> bytes:
    return b"POST %s HTTP/1.1\r\nHost: here\r\nContent-Length: %d\r\n\r\n%s" % (path.encode(), declared, body)


@pytest.mark.parametrize("sent", [b"", b"GET / HT", GET[:-2], post("/", 10, b"12345")])
def test_a_request_that_does_not_come_in_time_is_given_up(address: tuple[str, int], sent: bytes) -> None:
    began = time.monotonic()
    with opened(address, sent) as client:
        assert b" 408 " in answer_of(client)
    assert 0.4 < time.monotonic() - began < 5


def test_one_that_drips_has_no_longer(address: tuple[str, int]) -> None:
    began = time.monotonic()
    with opened(address, post("/", 1000)) as client, suppress(ConnectionError):
        for _ in range(100):
            client.sendall(b"x")
            time.sleep(0.05)
    assert time.monotonic() - began < 5


def test_headers_are_bounded_in_bytes_and_number(address: tuple[str, int]) -> None:
    begun = b"GET / HTTP/1.1\r\nHost: here\r\nX-Much: "
    assert status_of(address, begun + b"x" * 60_000) == 431
    many = b"".join(b"a%d: b\r\n" % number for number in range(MOST_HEADERS))
    assert status_of(address, b"GET / HTTP/1.1\r\nHost: here\r\n" + many + b"\r\n") == 431
    fewer = b"".join(b"a%d: b\r\n" % number for number in range(MOST_HEADERS - 1))
    assert status_of(address, b"GET / HTTP/1.1\r\nHost: here\r\n" + fewer + b"\r\n") == 200


def test_requests_sent_without_waiting_are_bounded(address: tuple[str, int]) -> None:
    """Pipelined requests are parsed as they arrive: nine thousand would block all other clients for seconds."""
    with opened(address) as client:
        with suppress(ConnectionError):
            client.sendall(GET * 2000)
        assert answer_of(client).count(b"HTTP/1.1") <= MOST_PIPELINED + 2
    assert status_of(address, GET) == 200


def test_chunks_are_bounded_in_number_and_small_ones_are_taken(address: tuple[str, int]) -> None:
    head = b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert status_of(address, head + b"1\r\nx\r\n" * 2000 + b"0\r\n\r\n") == 200
    with opened(address, head) as client:
        with suppress(ConnectionError):
            client.sendall(b"1\r\nx\r\n" * (MOST_PIECES + 1))
        assert answer_of(client).split()[1:2] in ([b"413"], [])


def test_parts_outside_the_body_are_bounded_too(address: tuple[str, int]) -> None:
    head = b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"
    with opened(address, head) as client:
        with suppress(ConnectionError):
            client.sendall(b"1\r\nx\r\n0\r\nTrailer: " + b"x" * 90_000)
        assert answer_of(client).split()[1:2] in ([b"413"], [])
    assert status_of(address, GET) == 200


def test_idle_connections_lock_nobody_out(address: tuple[str, int]) -> None:
    idle = [opened(address) for _ in range(60)]
    assert [status_of(address, GET) for _ in range(5)] == [200] * 5
    for each in idle:
        each.close()


def test_connections_that_wait_for_a_refusal_lock_nobody_out(address: tuple[str, int]) -> None:
    refused = [opened(address, post("/late", 10, b"x" * size)) for size in (0, 10) for _ in range(15)]
    for each in refused[:15]:
        with suppress(ConnectionError):
            each.sendall(b"x" * 10)
    assert [status_of(address, GET) for _ in range(5)] == [200] * 5
    for each in refused:
        each.close()


def test_unfinished_bodies_fill_no_memory_and_others_are_answered(address: tuple[str, int]) -> None:
    slow = [opened(address, post("/", 40_000, b"x" * 30_000)) for _ in range(10)]
    assert status_of(address, post("/", 20_000, b"x" * 20_000)) == 200
    answers = [answer_of(each) for each in slow]
    assert sum(b" 503 " in answer for answer in answers) >= 7, "held_bytes has room for three of them"
    for each in slow:
        each.close()


def test_a_body_after_a_refusal_is_dropped_and_the_connection_is_used_again(address: tuple[str, int]) -> None:
    with opened(address, post("/refused", 40_000)) as client:
        assert b" 200 " in client.recv(65536), "it is answered before the body comes"
        client.sendall(b"x" * 40_000 + GET)
        assert b" 200 " in client.recv(65536)


def test_a_caller_that_takes_no_answer_is_given_up() -> None:
    with serving(WireLimits(reading_seconds=0.3)) as address, opened(address, GET.replace(b"/", b"/much", 1)) as client:
        time.sleep(1.5)
        assert len(answer_of(client)) < 50_000_000


def test_requests_that_follow_one_another_without_waiting_are_all_answered(address: tuple[str, int]) -> None:
    with opened(address, GET * 5) as client:
        deadline, answers = time.monotonic() + 5, b""
        while answers.count(b" 200 ") < 5:
            answers += client.recv(65536)
            assert time.monotonic() < deadline
