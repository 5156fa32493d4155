"""Delivery of webhooks over HTTP, each after its delay; to this machine only."""

import asyncio
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from openfaith_pipeline.simulator.church import Church
from openfaith_pipeline.simulator.webhooks import Delivery, Switchboard

_AT_ONCE = 64
_PATIENCE_SECONDS = 10.0


class Courier:
    """Send the switchboard's deliveries on the running event loop, and report the outcome of each attempt to it."""

    def __init__(self, switchboard: Switchboard, churches: Mapping[str, Church]) -> None:
        self._switchboard = switchboard
        self._churches = churches
        self._hands = asyncio.Semaphore(_AT_ONCE)
        self._under_way: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        switchboard.post = self.post

    def post(self, delivery: Delivery, wait: float) -> None:
        if delivery.is_local:
            self._loop.call_later(wait, self._start, delivery)

    def _start(self, delivery: Delivery) -> None:
        task = self._loop.create_task(self._carry(delivery))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _carry(self, delivery: Delivery) -> None:
        async with self._hands:
            began = time.perf_counter()
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    status = await _send(delivery)
            except (OSError, TimeoutError, ValueError, IndexError):
                status = 0
            took = time.perf_counter() - began
        self._switchboard.settle(self._churches[delivery.org_id], delivery, status, took)


async def _send(delivery: Delivery) -> int:
    """POST the delivery; returns the status of the response."""
    parts = urlsplit(delivery.url)
    body = delivery.body
    headers = {**delivery.headers(body), "Host": parts.netloc, "Content-Length": str(len(body)), "Connection": "close"}
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"POST {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    try:
        writer.write("\r\n".join(lines).encode("latin-1") + body)
        return int((await reader.readline()).split()[1])
    finally:
        writer.close()
