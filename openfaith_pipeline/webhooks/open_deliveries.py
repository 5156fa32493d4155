"""The unfinished deliveries of one batch: each is settled once, or waits for its next attempt."""

from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from typing import Any, Final

from psycopg_pool import AsyncConnectionPool

from openfaith_pipeline.webhooks.deliveries import Delivery, Outcome, postpone, settle

MOST_ATTEMPTS: Final = 14
FIRST_WAIT: Final = timedelta(seconds=5)
LONGEST_WAIT: Final = timedelta(hours=1)
"""Waits between attempts double from the first to the second: about six hours in all."""
BUSY_WAIT: Final = timedelta(seconds=3)


class OpenDeliveries:
    """Deliveries that are neither settled nor postponed yet; the others are left alone.

    outcomes: the number of deliveries by outcome, kept up to date.
    """

    def __init__(
        self, pool: AsyncConnectionPool[Any], sync_id: str, deliveries: Iterable[Delivery], outcomes: dict[str, int]
    ) -> None:
        self._pool, self._sync_id, self._outcomes = pool, sync_id, outcomes
        self._open = {delivery.id: delivery for delivery in deliveries}

    def __contains__(self, delivery_id: int) -> bool:
        return delivery_id in self._open

    @property
    def left(self) -> list[Delivery]:
        return list(self._open.values())

    def take_all(self) -> list[Delivery]:
        """All of them, for the caller to finish."""
        left = self.left
        self._open.clear()
        return left

    async def settle(
        self, ids: Collection[int], outcome: Outcome, *, sync_id: str | None = None, error: str | None = None
    ) -> None:
        """Record the outcome. sync_id: of the sync that shows it, if that is another than the batch's."""
        left = [id for id in ids if self._open.pop(id, None)]
        if left:
            async with self._pool.connection() as connection:
                await settle(connection, left, outcome, sync_id=sync_id or self._sync_id, error=error)
            self._outcomes[outcome] = self._outcomes.get(outcome, 0) + len(left)

    async def try_later(self, deliveries: Sequence[Delivery], reason: str) -> None:
        """Postpone deliveries, each by its number of attempts; those with too many have failed."""
        for delivery in deliveries:
            if delivery.attempts + 1 >= MOST_ATTEMPTS:
                await self.settle([delivery.id], "failed", error=reason)
            else:
                wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0**delivery.attempts)
                await self._postpone([delivery], wait, reason)

    async def wait_briefly(self, deliveries: Iterable[Delivery], reason: str) -> None:
        """Postpone deliveries until a sync has let go of their stream; this is no attempt."""
        await self._postpone(deliveries, BUSY_WAIT, reason, is_attempt=False)

    async def _postpone(
        self, deliveries: Iterable[Delivery], wait: timedelta, reason: str, *, is_attempt: bool = True
    ) -> None:
        left = [delivery.id for delivery in deliveries if self._open.pop(delivery.id, None)]
        if left:
            async with self._pool.connection() as connection:
                await postpone(connection, left, wait, reason, is_attempt=is_attempt)
            self._outcomes["postponed"] = self._outcomes.get("postponed", 0) + len(left)
