"""Connections to Planning Center: one pool for each host, whichever churches a process works on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final
from weakref import WeakKeyDictionary

import httpx

from openfaith_pipeline.planning_center.transport import tls_context, trusts_environment, user_agent

MOST_CONNECTIONS: Final = 128
"""Fifty churches at the documented limit, five requests a second each, keep some seventy busy at 300 ms an answer."""

# Planning Center's own gateway gives up "after about a minute" (github.com/planningcenter/developers/issues/874).
_TIMEOUTS: Final = httpx.Timeout(connect=10.0, read=75.0, write=10.0, pool=75.0)


@dataclass
class _Pool:
    http: httpx.AsyncClient
    borrowers: int = 0


_POOLS: Final = WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str, int | None], _Pool]]()
"""Of each event loop, since connections cannot leave theirs; a process that syncs has one."""


@asynccontextmanager
async def borrowed_http(url: httpx.URL, most: int) -> AsyncIterator[httpx.AsyncClient]:
    """What all clients of one host in this event loop send by, closed when the last of them is done.

    most: connections there may be; of the first to borrow. Nothing of a church stays in it, cookies included: each
    request carries its own credentials.
    """
    pools = _POOLS.setdefault(asyncio.get_running_loop(), {})
    host = (url.scheme, url.host, url.port)
    if host not in pools:
        pools[host] = _Pool(http_for(url, most))
    pool = pools[host]
    pool.borrowers += 1
    try:
        yield pool.http
    finally:
        pool.borrowers -= 1
        if not pool.borrowers:
            del pools[host]
            await pool.http.aclose()


def http_for(url: httpx.URL, most: int, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """A pool of its own for the host of `url`."""
    return httpx.AsyncClient(
        headers={"Accept": "application/vnd.api+json", "User-Agent": user_agent()},
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        timeout=_TIMEOUTS,
        limits=httpx.Limits(max_connections=most, max_keepalive_connections=most, keepalive_expiry=30.0),
        transport=transport,
        verify=tls_context(),
        follow_redirects=False,
        trust_env=trusts_environment(url),
    )
