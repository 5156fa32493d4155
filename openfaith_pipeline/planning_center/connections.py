"""HTTP connections to Planning Center: one pool for each host, shared by all churches of the process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final
from weakref import WeakKeyDictionary

import httpx

from openfaith_pipeline.network.clients import client_options
from openfaith_pipeline.planning_center.answers import ACCEPTED, read_whole
from openfaith_pipeline.planning_center.transport import user_agent

MOST_CONNECTIONS: Final = 128
"""Fifty churches at the documented five requests per second each keep about seventy busy at 300 ms per response."""
SHARES: Final = 4
"""One client has at most this part of the connections: a church whose requests hang leaves most to the others."""

# Planning Center's own gateway gives up "after about a minute" (github.com/planningcenter/developers/issues/874).
_TIMEOUTS: Final = httpx.Timeout(connect=10.0, read=75.0, write=10.0, pool=75.0)


class Connections:
    """At most `most` connections to one host, opened as needed, the most recently used first.

    Each has its own httpx client, because httpx compares every pair of a client's connections twice for each request.
    They keep no state of a church, not even cookies: each request carries its own credentials. Raises
    ConfigurationError for an unusable proxy or certificates named in the environment.
    """

    def __init__(self, url: httpx.URL, most: int, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.borrowers = 0
        # A custom transport has no proxy in front of it.
        self._options = {"transport": transport, "trust_env": False} if transport else client_options(url)
        self._free = asyncio.Semaphore(most)
        self._idle: list[httpx.AsyncClient] = []

    async def request(self, method: str, url: str, **of_request: Any) -> httpx.Response:
        """Like httpx's `request`, once a connection is free. Raises UnexpectedResponse if the response is too large."""
        async with self._free:
            client = self._idle.pop() if self._idle else self._open()
            try:
                async with client.stream(method, url, **of_request) as coming:
                    response = await read_whole(coming)
            except BaseException:
                # httpx may consider the connection of a canceled request busy for ever.
                with suppress(httpx.HTTPError, OSError):
                    await client.aclose()
                raise
            self._idle.append(client)
            return response

    async def aclose(self) -> None:
        """Close all connections; call when no request is under way."""
        for client in self._idle:
            await client.aclose()

    def _open(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            headers={
                "Accept": "application/vnd.api+json",
                "Accept-Encoding": ACCEPTED,
                "User-Agent": user_agent(),
            },
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            timeout=_TIMEOUTS,
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=30.0),
            follow_redirects=False,
            **self._options,
        )


_SHARED: Final = WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str, int | None], Connections]]()
"""By event loop, since connections cannot leave theirs; a process that syncs has one."""


@asynccontextmanager
async def borrowed(url: httpx.URL, most: int) -> AsyncIterator[Connections]:
    """The shared connections of all clients of one host in this event loop, closed after the last client is done.

    most: limit for connections; the first borrower's value applies.
    """
    shared = _SHARED.setdefault(asyncio.get_running_loop(), {})
    host = (url.scheme, url.host, url.port)
    connections = shared.setdefault(host, Connections(url, most))
    connections.borrowers += 1
    try:
        yield connections
    finally:
        connections.borrowers -= 1
        if not connections.borrowers:
            del shared[host]
            await connections.aclose()
