"""Resources of a syncing process: connections and leases, used by one org's sync or shared by many."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic, sleep
from typing import Any, TypeVar

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.gc_tuning import rare_collections
from openfaith_pipeline.database.refusals import outages_told
from openfaith_pipeline.database.session import session_options
from openfaith_pipeline.errors import StreamBusy
from openfaith_pipeline.load.leases import LEASE_TTL, holding, releasing
from openfaith_pipeline.load.sessions import Session

POOL_SIZE = 6
BUSY_PATIENCE_SECONDS = 25.0
"""How long to wait for a stream that another sync holds: longer than a dead owner's lease lasts."""

T = TypeVar("T")

_SESSION_OPTIONS = session_options(idle_in_transaction_session_timeout=LEASE_TTL // timedelta(milliseconds=1))
"""A process frozen within a transaction would keep its row locks for ever and block its successor: Postgres ends such
a transaction about when the lease ends."""


@dataclass(frozen=True)
class Workplace:
    """Resources that all syncs of one process can share.

    pool: connections to Postgres with dictionary rows.
    beats: a connection for heartbeats, however many tasks wait for one of the pool's.
    holder: the name that holds their leases, kept alive while the workplace is open.
    """

    pool: AsyncConnectionPool[Any]
    beats: AsyncConnectionPool[Any]
    holder: str


@asynccontextmanager
async def open_workplace(
    database: Database, *, connections: int = POOL_SIZE, patience_seconds: float = 30.0
) -> AsyncIterator[Workplace]:
    """A workplace with this many connections; `patience_seconds`: how long its syncs may wait for a free one."""
    with rare_collections():
        async with (
            database.pool(
                size=connections, patience_seconds=patience_seconds, row_factory=dict_row, options=_SESSION_OPTIONS
            ) as pool,
            database.pool(size=1, options=_SESSION_OPTIONS) as beats,
            holding(beats) as holder,
        ):
            yield Workplace(pool, beats, holder)


@asynccontextmanager
async def at_work(database: Database, org_id: str, workplace: Workplace | None = None) -> AsyncIterator[Workplace]:
    """A workplace, the given one or a new one, for syncing the org; its leases are released at the end.

    Raises DatabaseUnavailable if Postgres goes away during the block.
    """
    with outages_told(database.settings, "during the sync"):
        async with AsyncExitStack() as stack:
            place = workplace
            if place is None:
                place = await stack.enter_async_context(open_workplace(database))
            await stack.enter_async_context(releasing(place.pool, place.holder, org_id))
            yield place


async def opened(
    pool: AsyncConnectionPool[Any],
    opening: Callable[[psycopg.AsyncConnection[Any]], Awaitable[Session]],
    patience_seconds: float = BUSY_PATIENCE_SECONDS,
) -> Session:
    """The session opened by `opening`; if a running sync holds its streams, wait for its end."""
    deadline = monotonic() + patience_seconds
    while True:
        try:
            async with pool.connection() as connection:
                return await opening(connection)
        except StreamBusy:
            if monotonic() > deadline:
                raise
            await asyncio.sleep(1)


def when_free(act: Callable[[], T], patience_seconds: float) -> T:
    """The result of `act`, tried again while another sync holds its streams. Raises StreamBusy if that lasts."""
    deadline = monotonic() + patience_seconds
    while True:
        try:
            return act()
        except StreamBusy:
            if monotonic() > deadline:
                raise
        sleep(1)
