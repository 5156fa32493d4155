"""Store deliveries as they arrive: many in one transaction, orgs in turn, isolated from each other's errors."""

import asyncio
import hashlib
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from psycopg_pool import AsyncConnectionPool

from openfaith_pipeline.catalog.events import Incoming
from openfaith_pipeline.database.refusals import TROUBLE, UNANSWERED, is_outage, is_refusal, unavailable
from openfaith_pipeline.errors import InboxFull
from openfaith_pipeline.processes.interrupts import is_canceled
from openfaith_pipeline.webhooks.deliveries import MOST_AT_ONCE, MOST_BYTES_AT_ONCE, keep_deliveries

MOST_WAITING_BYTES: Final = 16 * 1024 * 1024
"""Limit of one org's uncommitted bytes; a thousand of Planning Center's deliveries have fewer."""
LARGE_BYTES: Final = 64 * 1024
"""Deliveries larger than this take time to process, which must not delay others."""

_PATIENCE_SECONDS: Final = 5.0


@dataclass(frozen=True, eq=False)
class _Entry:
    delivery: Incoming
    kept: asyncio.Future[None]

    @property
    def size(self) -> int:
        return len(self.delivery.payload)

    def end(self, failure: Exception | None) -> None:
        if self.kept.done():  # the caller has gone
            return
        if failure:
            self.kept.set_exception(failure)
        else:
            self.kept.set_result(None)


class Inbox:
    """Stores deliveries that arrive together in one transaction: under load, they share the wait for the disk.

    Large ones get their own transactions, so that no small one waits for them. For one event loop, where `run` must be
    running. pool: of at least two connections, or large and small ones would wait for each other after all.
    """

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self._small, self._large = _Committer(pool), _Committer(pool)

    async def keep(self, deliveries: Sequence[Incoming]) -> None:
        """Return once the deliveries are committed or known to be duplicates.

        deliveries: of one org. Raises DatabaseUnavailable, and InboxFull if too many bytes of the org are waiting.
        """
        is_large = sum(len(each.payload) for each in deliveries) > LARGE_BYTES
        await (self._large if is_large else self._small).keep(deliveries)

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._small.run())
            group.create_task(self._large.run())


class _Committer:
    """Commits one batch after the other."""

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self._pool = pool
        self._waiting: dict[str, deque[_Entry]] = {}
        """Waiting entries by org, ordered by whose turn is next."""
        self._waiting_bytes: Counter[str] = Counter()
        self._has_come = asyncio.Event()

    async def keep(self, deliveries: Sequence[Incoming]) -> None:
        org_id, size = deliveries[0].org_id, sum(len(each.payload) for each in deliveries)
        if self._waiting_bytes[org_id] and self._waiting_bytes[org_id] + size > MOST_WAITING_BYTES:
            raise InboxFull("too many of the org's deliveries are waiting to be stored; send it again")
        loop = asyncio.get_running_loop()
        entries = [_Entry(delivery, loop.create_future()) for delivery in deliveries]
        self._waiting_bytes[org_id] += size
        self._waiting.setdefault(org_id, deque()).extend(entries)
        self._has_come.set()
        await asyncio.gather(*(entry.kept for entry in entries))

    async def run(self) -> None:
        while not is_canceled():
            await self._has_come.wait()
            batch = self._next_batch()
            await self._commit(batch)
            self._forget(batch)

    def _next_batch(self) -> list[_Entry]:
        """Entries of all orgs in turn, as many as fit in one batch."""
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
        """Store a batch; if values are refused, find the delivery at fault and store the rest."""
        failure: Exception | None = None
        try:
            await self._write([entry.delivery for entry in batch])
        except Exception as error:  # noqa: BLE001 - an unforeseen error in one keeps no other from being stored
            if not isinstance(error, TROUBLE) or is_refusal(error):
                await self._commit_parts(batch)
                return
            failure = unavailable(error, "before webhook deliveries were stored")
        for entry in batch:
            entry.end(failure)

    async def _commit_parts(self, batch: list[_Entry]) -> None:
        if len(batch) == 1:
            await self._commit_bare(batch[0])
            return
        for part in _parts(batch):
            await self._commit(part)

    async def _commit_bare(self, entry: _Entry) -> None:
        """Store a refused delivery without the fields that were parsed from it."""
        digest = hashlib.sha256(entry.delivery.payload).hexdigest()
        bare = replace(entry.delivery, event_id=digest, stream=None, record_id=None, occurred_at=None)
        failure: Exception | None = None
        try:
            await self._write([bare])
        except Exception as error:  # noqa: BLE001 - as above
            failure = unavailable(error, "before a webhook delivery was stored")
        entry.end(failure)

    async def _write(self, deliveries: list[Incoming]) -> None:
        try:
            await self._write_once(deliveries)
        except UNANSWERED as error:
            if not is_outage(error):
                raise
            await self._write_once(deliveries)  # Postgres had closed the idle connection

    async def _write_once(self, deliveries: list[Incoming]) -> None:
        async with self._pool.connection(timeout=_PATIENCE_SECONDS) as connection:
            await keep_deliveries(connection, deliveries)


def _parts(batch: list[_Entry]) -> list[list[_Entry]]:
    """Split a batch by org, so that others are unaffected, or in halves if it has only one org."""
    by_org: dict[str, list[_Entry]] = {}
    for entry in batch:
        by_org.setdefault(entry.delivery.org_id, []).append(entry)
    if len(by_org) > 1:
        return list(by_org.values())
    half = len(batch) // 2
    return [batch[:half], batch[half:]]
