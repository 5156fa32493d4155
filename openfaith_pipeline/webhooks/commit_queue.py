"""Keeping deliveries as they arrive: many in one transaction, orgs in turns, and no org's trouble another's."""

import asyncio
import hashlib
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from openfaith_pipeline.catalog.events import Incoming
from openfaith_pipeline.database.refusals import is_outage, is_refusal
from openfaith_pipeline.errors import DatabaseUnavailable, InboxFull
from openfaith_pipeline.webhooks.deliveries import MOST_AT_ONCE, MOST_BYTES_AT_ONCE, keep_deliveries

MOST_WAITING_BYTES: Final = 16 * 1024 * 1024
"""Of one org, not committed yet; a thousand deliveries as Planning Center sends them have less."""
LARGE_BYTES: Final = 64 * 1024
"""More than this takes time to work on, by which others are not to be held up."""

_PATIENCE_SECONDS: Final = 5.0


@dataclass(frozen=True, eq=False)
class _Entry:
    delivery: Incoming
    kept: asyncio.Future[None]

    @property
    def size(self) -> int:
        return len(self.delivery.payload)

    def end(self, failure: Exception | None) -> None:
        if self.kept.done():  # whoever waited has gone
            return
        if failure:
            self.kept.set_exception(failure)
        else:
            self.kept.set_result(None)


class Inbox:
    """Keeps what arrives at the same time in one transaction: under load, many deliveries share the wait for the disk.

    Large ones go in transactions of their own, so that no small one waits for them. For one event loop; `run` must be
    running there. pool: of two connections at least, or they wait for one another after all.
    """

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self._small, self._large = _Committer(pool), _Committer(pool)

    async def keep(self, deliveries: Sequence[Incoming]) -> None:
        """Return once they are committed, those known already included.

        deliveries: of one org. Raises DatabaseUnavailable, and InboxFull when too much of the org waits already.
        """
        is_large = sum(len(each.payload) for each in deliveries) > LARGE_BYTES
        await (self._large if is_large else self._small).keep(deliveries)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._small.run())
            group.create_task(self._large.run())


class _Committer:
    """One batch after the other."""

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self._pool = pool
        self._waiting: dict[str, deque[_Entry]] = {}
        """By org, the one whose turn comes next first."""
        self._waiting_bytes: Counter[str] = Counter()
        self._has_come = asyncio.Event()

    async def keep(self, deliveries: Sequence[Incoming]) -> None:
        org_id, size = deliveries[0].org_id, sum(len(each.payload) for each in deliveries)
        if self._waiting_bytes[org_id] and self._waiting_bytes[org_id] + size > MOST_WAITING_BYTES:
            raise InboxFull("too many of the org's deliveries are being kept; send it again")
        loop = asyncio.get_running_loop()
        entries = [_Entry(delivery, loop.create_future()) for delivery in deliveries]
        self._waiting_bytes[org_id] += size
        self._waiting.setdefault(org_id, deque()).extend(entries)
        self._has_come.set()
        await asyncio.gather(*(entry.kept for entry in entries))

    async def run(self) -> None:
        while True:
            await self._has_come.wait()
            batch = self._next_batch()
            await self._commit(batch)
            self._forget(batch)

    def _next_batch(self) -> list[_Entry]:
        """Entries of all orgs in turn, as many as go together."""
        batch: list[_Entry] = []
        size = 0
        while self._waiting and len(batch) < MOST_AT_ONCE and size < MOST_BYTES_AT_ONCE:
            org_id = next(iter(self._waiting))
            entries = self._waiting.pop(org_id)
            batch.append(entries.popleft())
            size += batch[-1].size
            if entries:
                self._waiting[org_id] = entries  # behind all others
        if not self._waiting:
            self._has_come.clear()
        return batch

    def _forget(self, batch: Iterable[_Entry]) -> None:
        for entry in batch:
            org_id = entry.delivery.org_id
            self._waiting_bytes[org_id] -= entry.size
            if org_id not in self._waiting and self._waiting_bytes[org_id] <= 0:
                del self._waiting_bytes[org_id]

    async def _commit(self, batch: list[_Entry]) -> None:
        """Keep a batch; where values of it are refused, find out which, so that the rest is kept."""
        failure: Exception | None = None
        try:
            await self._write([entry.delivery for entry in batch])
        except (psycopg.Error, PoolTimeout, ValueError, OverflowError) as error:
            if is_refusal(error):
                await self._commit_parts(batch)
                return
            failure = DatabaseUnavailable(f"webhook deliveries could not be kept: {type(error).__name__}")
        for entry in batch:
            entry.end(failure)

    async def _commit_parts(self, batch: list[_Entry]) -> None:
        if len(batch) == 1:
            await self._commit_bare(batch[0])
            return
        for part in _parts(batch):
            await self._commit(part)

    async def _commit_bare(self, entry: _Entry) -> None:
        """Keep a delivery that was refused whole, without whatever was read out of it."""
        digest = hashlib.sha256(entry.delivery.payload).hexdigest()
        bare = replace(entry.delivery, event_id=digest, stream=None, record_id=None, occurred_at=None)
        failure: Exception | None = None
        try:
            await self._write([bare])
        except (psycopg.Error, PoolTimeout, ValueError, OverflowError) as error:
            failure = DatabaseUnavailable(f"a webhook delivery could not be kept: {type(error).__name__}")
        entry.end(failure)

    async def _write(self, deliveries: list[Incoming]) -> None:
        try:
            await self._write_once(deliveries)
        except psycopg.OperationalError as error:
            if not is_outage(error):
                raise
            await self._write_once(deliveries)  # it was of a connection that Postgres closed while it lay idle

    async def _write_once(self, deliveries: list[Incoming]) -> None:
        async with self._pool.connection(timeout=_PATIENCE_SECONDS) as connection:
            await keep_deliveries(connection, deliveries)


def _parts(batch: list[_Entry]) -> list[list[_Entry]]:
    """The batch by org, or the halves of one that is of one org: first of all the others are out of it."""
    by_org: dict[str, list[_Entry]] = {}
    for entry in batch:
        by_org.setdefault(entry.delivery.org_id, []).append(entry)
    if len(by_org) > 1:
        return list(by_org.values())
    half = len(batch) // 2
    return [batch[:half], batch[half:]]
