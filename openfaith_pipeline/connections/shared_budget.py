"""One rate budget for each connection, shared by all processes: a ledger in Postgres.

Nothing is locked: a holder reads the ledger, computes its grant, and writes it back if nobody else has meanwhile. Slots
are leased for all waiting requests at once, and responses are reported with the next lease, so that a request costs a
fraction of a statement.
"""

import asyncio
import math
import os
import random
import socket
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Protocol

import orjson
import psycopg
from psycopg.rows import tuple_row
from psycopg_pool import AsyncConnectionPool

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.refusals import TROUBLE, outages_told
from openfaith_pipeline.errors import DatabaseUnavailable
from openfaith_pipeline.network.rate_budget import Permit, RateReport
from openfaith_pipeline.network.rate_ledger import WAITING_FOR, Answer, Claim, Grant, Priority, RateLedger
from openfaith_pipeline.sources import SOURCES

AHEAD_SHARE = 0.1
MOST_AHEAD = 100
"""Additional slots leased if there are plenty, up to this share of the limit."""

TELL_AFTER = 2.5
"""Seconds after which responses are reported, unused slots returned and leases renewed even without demand."""

POOL_SIZE = 2


@dataclass(frozen=True)
class BudgetUse:
    """One org's rate budget now. used: of `limit` requests in `period` seconds. waiting: requests that wait for it.

    paused_seconds: for how long Planning Center accepts none.
    """

    limit: int
    period: float
    used: int
    waiting: int
    paused_seconds: float


def read_budget_use(connection: psycopg.Connection[Any], org_id: str, adapter: str) -> BudgetUse | None:
    """The use of the budget; None if the org has sent nothing yet."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(
            "SELECT ledger::text, extract(epoch FROM clock_timestamp())::float8 FROM sync.source_rate_budgets"
            " WHERE org_id = %s AND adapter = %s",
            (org_id, adapter),
        ).fetchone()
    if row is None:
        return None
    ledger, now = RateLedger.read(orjson.loads(row[0]), SOURCES[adapter].rate_limit), row[1]
    waiting = sum(int(each[1]) for each in ledger.waiting.values() if now - each[3] <= WAITING_FOR)
    used = ledger.used_at(now)
    return BudgetUse(ledger.limit, ledger.period, used, waiting, max(0.0, ledger.paused_until - now))


# Without a named key: the partition has a key of the org alone besides, and of two that insert at once the later would
# be refused by it.
MAKE_LEDGER: Final = """
INSERT INTO sync.source_rate_budgets (org_id, adapter, ledger, version, requests, refused)
VALUES (%(org_id)s, %(adapter)s, %(ledger)s::jsonb, 1, %(requests)s, %(refused)s)
ON CONFLICT DO NOTHING
"""

_KEEP_LEDGER: Final = """
UPDATE sync.source_rate_budgets SET ledger = %(ledger)s::jsonb, version = version + 1,
    requests = requests + %(requests)s, refused = refused + %(refused)s
WHERE org_id = %(org_id)s AND adapter = %(adapter)s AND version = %(version)s
"""


class LedgerStore(Protocol):
    """Storage of a ledger."""

    async def exchange(self, claim: Claim) -> Grant:
        """One exchange with the current ledger; stores the result."""


@dataclass(frozen=True)
class PostgresLedger:
    """The ledger of one connection in `sync.source_rate_budgets`; its clock is the server's."""

    pool: AsyncConnectionPool[Any]
    org_id: str
    adapter: str

    async def exchange(self, claim: Claim) -> Grant:
        """Exchange with the stored ledger. Raises DatabaseUnavailable if Postgres cannot be reached."""
        with outages_told(None, "while the rate budget was needed"):
            async with self.pool.connection() as connection:
                while True:
                    stored, version, now = await self._read(connection)
                    ledger = RateLedger.read(stored, SOURCES[self.adapter].rate_limit)
                    grant = ledger.exchange(claim, now)
                    if await self._write(connection, ledger, version, claim):
                        return grant
                    await asyncio.sleep(random.uniform(0, 0.01))  # noqa: S311 - spreads those who meet

    async def _read(self, connection: psycopg.AsyncConnection[Any]) -> tuple[dict[str, Any] | None, int | None, float]:
        """The ledger and its version, None if there is none yet, and the time."""
        cursor = await connection.execute(
            "SELECT ledger::text, version, extract(epoch FROM clock_timestamp())::float8"
            " FROM (VALUES (1)) AS one LEFT JOIN sync.source_rate_budgets ON org_id = %s AND adapter = %s",
            (self.org_id, self.adapter),
        )
        ledger, version, now = await cursor.fetchone() or (None, None, 0.0)
        return (orjson.loads(ledger) if ledger else None), version, now

    async def _write(
        self, connection: psycopg.AsyncConnection[Any], ledger: RateLedger, version: int | None, claim: Claim
    ) -> bool:
        """Store the ledger; returns False if another holder wrote first."""
        refused = sum(bool(answer.report and answer.report.exceeded_limit) for answer in claim.answers)
        cursor = await connection.execute(
            MAKE_LEDGER if version is None else _KEEP_LEDGER,
            {
                "org_id": self.org_id,
                "adapter": self.adapter,
                "ledger": orjson.dumps(ledger.written()).decode(),
                "version": version,
                "requests": len(claim.answers),
                "refused": refused,
            },
        )
        return cursor.rowcount == 1


@dataclass(eq=False, slots=True)
class _Waiter:
    is_deep: bool
    is_leading: bool
    since: float
    granted: asyncio.Future[Permit]


class SharedRateBudget:
    """A RateBudget over a shared ledger; for one event loop. Close it to return unused slots."""

    def __init__(
        self,
        store: LedgerStore,
        priority: Priority = Priority.INCREMENTAL,
        *,
        holder: str | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._store = store
        self._priority = priority
        self._holder = holder or f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._clock = clock or asyncio.get_running_loop().time
        self._waiters: deque[_Waiter] = deque()
        self._stock = 0
        self._stock_freed_before = 0
        self._in_flight = 0
        self._answers: list[tuple[float, int, RateReport | None]] = []
        self._pause_until = -math.inf
        self._useless_until = -math.inf
        self._limit = 0
        self._exchanging = asyncio.Lock()
        self._poke = asyncio.Event()
        self._broker: asyncio.Task[None] | None = None

    async def acquire(self, *, is_deep: bool = False, is_leading: bool = False) -> Permit:
        """Wait for a permit. Raises DatabaseUnavailable if the ledger cannot be reached, or the error of storing it."""
        if self._stock and not is_deep and not self._waiters and self._clock() >= self._pause_until:
            self._stock -= 1
            self._in_flight += 1
            return Permit(0.0, is_deep, self._stock_freed_before)
        waiter = _Waiter(is_deep, is_leading, self._clock(), asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        self._wake(is_urgent=self._clock() >= self._useless_until)
        try:
            return await waiter.granted
        except asyncio.CancelledError:
            self._withdraw(waiter)
            raise

    async def release(self, permit: Permit, report: RateReport | None) -> None:
        self._in_flight -= 1
        self._answers.append((self._clock(), permit.freed_before, report))
        is_news = report is not None and (report.limit not in (None, self._limit) or report.exceeded_limit is not None)
        # The very first response releases the waiting requests; later ones can be reported with the next lease.
        self._wake(is_urgent=is_news or (bool(self._waiters) and not self._in_flight))

    async def pause(self, wait: timedelta) -> None:
        self._pause_until = max(self._pause_until, self._clock() + wait.total_seconds())
        self._wake(is_urgent=True)

    async def close(self) -> None:
        """Report the last responses and return unused slots; silent if the ledger cannot be reached or kept."""
        if self._broker:
            # No report while slots may have been granted that this budget does not know about yet.
            async with self._exchanging:
                self._broker.cancel()
            with suppress(asyncio.CancelledError):
                await self._broker
        if self._answers or self._stock:
            # If the ledger cannot be reached or kept, leased slots expire by themselves.
            with suppress(DatabaseUnavailable, *TROUBLE):
                await self._exchange()

    def _withdraw(self, waiter: _Waiter) -> None:
        """Handle a cancelled waiter: leave the queue, or keep its grant for the next."""
        if waiter in self._waiters:
            self._waiters.remove(waiter)
        elif waiter.granted.done() and not waiter.granted.cancelled() and waiter.granted.exception() is None:
            self._in_flight -= 1
            self._put_in_stock(1, waiter.granted.result().freed_before)

    def _put_in_stock(self, slots: int, freed_before: int) -> None:
        self._stock_freed_before = min(self._stock_freed_before, freed_before) if self._stock else freed_before
        self._stock += slots

    def _wake(self, *, is_urgent: bool) -> None:
        if is_urgent:
            self._poke.set()
        if self._broker is None or self._broker.done():
            self._broker = asyncio.create_task(self._serve())

    async def _serve(self) -> None:
        """Exchange with the ledger as long as there is demand or something to report."""
        obstacle: Exception = DatabaseUnavailable("the rate budget is closed")
        try:
            while self._waiters or self._answers or self._stock or self._in_flight:
                self._poke.clear()
                due_in = await self._exchange()
                with suppress(TimeoutError):
                    async with asyncio.timeout(due_in):
                        await self._poke.wait()
        except Exception as error:  # noqa: BLE001 - whatever it is, such as a full disk, those who wait raise it
            obstacle = error
        finally:
            waiters, self._waiters = self._waiters, deque()
            for waiter in waiters:
                if not waiter.granted.done():
                    waiter.granted.set_exception(obstacle)

    async def _exchange(self) -> float:
        """Make one exchange; returns the seconds until the next."""
        async with self._exchanging:
            claim = self._claim()
            told, self._stock = len(claim.answers), 0
            grant = await self._store.exchange(claim)
            del self._answers[:told]
            self._limit = grant.limit
            self._hand_out(grant)
        self._useless_until = self._clock() + grant.retry_in if self._waiters else -math.inf
        return grant.retry_in if self._waiters else TELL_AFTER

    def _claim(self) -> Claim:
        now = self._clock()
        waiting = [waiter for waiter in self._waiters if not waiter.granted.done()]
        deep = sum(waiter.is_deep for waiter in waiting)
        return Claim(
            holder=self._holder,
            priority=self._priority,
            wanted=len(waiting) - deep,
            wanted_deep=deep,
            ahead=min(MOST_AHEAD, int(self._limit * AHEAD_SHARE)) if waiting else 0,
            # Slots in stock were there before the waiting requests, so they are of no use to them, and others may want
            # them.
            returned=self._stock,
            answers=tuple(Answer(now - at, freed_before, report) for at, freed_before, report in self._answers),
            pause=max(0.0, self._pause_until - now),
        )

    def _hand_out(self, grant: Grant) -> None:
        now = self._clock()
        left = {False: grant.slots, True: grant.deep_slots}
        kept: deque[_Waiter] = deque()
        for waiter in sorted(self._waiters, key=lambda each: not each.is_leading):
            if waiter.granted.done():
                continue
            if not left[waiter.is_deep]:
                kept.append(waiter)
                continue
            left[waiter.is_deep] -= 1
            self._in_flight += 1
            waiter.granted.set_result(Permit(now - waiter.since, waiter.is_deep, grant.freed_before))
        self._waiters = kept
        self._put_in_stock(sum(left.values()), grant.freed_before)


@dataclass
class _Shared:
    pool: AsyncConnectionPool[Any]
    users: int = 0


_pools: dict[tuple[asyncio.AbstractEventLoop, str], _Shared] = {}


@asynccontextmanager
async def shared_budget(
    database: Database, org_id: str, priority: Priority, adapter: str
) -> AsyncIterator[SharedRateBudget]:
    """The org's budget for the block. All budgets of an event loop share a few connections to Postgres."""
    async with _pool(database) as pool:
        budget = SharedRateBudget(PostgresLedger(pool, org_id, adapter), priority)
        try:
            yield budget
        finally:
            await budget.close()


@asynccontextmanager
async def _pool(database: Database) -> AsyncIterator[AsyncConnectionPool[Any]]:
    key = (asyncio.get_running_loop(), database.url)
    shared = _pools.get(key)
    if shared is None:
        pool = database.pool(size=POOL_SIZE, row_factory=tuple_row, autocommit=True)
        shared = _pools[key] = _Shared(pool)
        await pool.open()
    shared.users += 1
    try:
        yield shared.pool
    finally:
        shared.users -= 1
        if not shared.users:
            del _pools[key]
            await shared.pool.close()
