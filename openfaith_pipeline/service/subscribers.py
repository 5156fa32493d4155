"""Orgs with webhook subscriptions: cached, with one query for all callers that look up an unknown one."""

import asyncio
from collections.abc import Callable
from typing import Final

from openfaith_pipeline.database import Database
from openfaith_pipeline.webhooks.secrets import Accounts, removed_orgs, subscribed_orgs

PAUSE_SECONDS: Final = 0.2
"""Minimum time between queries, so that many unknown orgs cause few of them."""


class Subscribers:
    """Cached orgs with subscriptions, for one event loop."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self._orgs: Accounts = {}
        self._removed: Accounts = {}
        self._began_at = float("-inf")
        """Start of the query that found them."""
        self._looking: asyncio.Task[None] | None = None

    async def has(self, org_id: str) -> bool:
        """Whether the org has subscriptions. Raises DatabaseUnavailable."""
        if org_id not in self._orgs:
            await self._look_after(self._clock())
        return org_id in self._orgs

    async def orgs_of(self, adapter: str, account: str) -> list[str]:
        """The ids of the orgs, usually one, with this account at the source. Raises DatabaseUnavailable."""
        found = self._named(adapter, account)
        if not found:
            await self._look_after(self._clock())
            found = self._named(adapter, account)
        return found

    async def is_removed(self, adapter: str, org_id: str | None, account: str | None) -> bool:
        """Whether this is a removed org, or a church all of whose orgs were removed. Raises DatabaseUnavailable."""
        await self._look_after(self._clock())
        if org_id is not None:
            return org_id in self._removed
        return any((adapter, account) in accounts for accounts in self._removed.values())

    def _named(self, adapter: str, account: str) -> list[str]:
        return sorted(org_id for org_id, accounts in self._orgs.items() if (adapter, account) in accounts)

    async def _look_after(self, moment: float) -> None:
        """Return once a query has ended that began no earlier than `moment`."""
        while self._began_at < moment:
            # Waiting for a finished task does not yield to the event loop: this would loop for ever, and block it.
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(self._look())
            await asyncio.shield(self._looking)

    async def _look(self) -> None:
        await asyncio.sleep(max(0.0, self._began_at + PAUSE_SECONDS - self._clock()))
        began_at = self._clock()
        self._orgs, self._removed = await asyncio.to_thread(self._read)
        self._began_at = began_at

    def _read(self) -> tuple[Accounts, Accounts]:
        with self._database.connect() as connection:
            return subscribed_orgs(connection), removed_orgs(connection)
