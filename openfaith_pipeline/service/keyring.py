"""Cached webhook secrets of orgs with recent deliveries: decrypted once, reloaded if a signature does not match."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from openfaith_pipeline.catalog.events import WebhookDialect
from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.database import Database
from openfaith_pipeline.service.subscribers import Subscribers
from openfaith_pipeline.sources import DIALECTS
from openfaith_pipeline.webhooks.commit_queue import LARGE_BYTES
from openfaith_pipeline.webhooks.secrets import secrets_of

KEPT_SECONDS: Final = 60.0
"""How long deliveries of a removed org may still be accepted."""
PAUSE_SECONDS: Final = 2.0
"""Minimum time between reloads of an org's secrets after wrong signatures, so that forgeries cost little."""


@dataclass(frozen=True)
class _Ring:
    secrets: Mapping[str, tuple[bytes, ...]]
    loaded_at: float


class Keyring:
    """Secrets cached for one event loop, for each org and source."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self.subscribers = Subscribers(database, clock)
        self._database = database
        self._clock = clock
        self._rings: dict[tuple[str, str], _Ring] = {}
        self._loading: dict[tuple[str, str], asyncio.Task[_Ring]] = {}

    async def is_subscribed(self, adapter: str, org_id: str, event: str) -> bool:
        """Whether the org has a subscription to the source's event.

        Raises DatabaseUnavailable, and ConfigurationError if no key decrypts the secrets.
        """
        ring = await self._ring_of(adapter, org_id)
        if ring and not ring.secrets.get(event) and self._age(ring) > PAUSE_SECONDS:
            ring = await self._load(adapter, org_id)
        return bool(ring and ring.secrets.get(event))

    async def has_signed(self, adapter: str, org_id: str, event: str, body: bytes, signature: str) -> bool:
        """Whether one of our subscriptions of the org to the event signed the body. Raises as `is_subscribed`."""
        ring, dialect = await self._ring_of(adapter, org_id), DIALECTS[adapter]
        if ring is None:
            return False
        if await _fits(dialect, ring, event, body, signature):
            return True
        if self._age(ring) <= PAUSE_SECONDS:
            return False
        return await _fits(dialect, await self._load(adapter, org_id), event, body, signature)

    async def _ring_of(self, adapter: str, org_id: str) -> _Ring | None:
        ring = self._rings.get((adapter, org_id))
        if ring and self._age(ring) <= KEPT_SECONDS:
            return ring
        # Made-up ids do not cause a query each, nor are they remembered.
        return await self._load(adapter, org_id) if await self.subscribers.has(org_id) else None

    def _age(self, ring: _Ring) -> float:
        return self._clock() - ring.loaded_at

    async def _load(self, adapter: str, org_id: str) -> _Ring:
        """Load an org's secrets, once for all concurrent callers."""
        task = self._loading.get((adapter, org_id))
        if task is None:
            task = asyncio.create_task(self._read(adapter, org_id))
            self._loading[adapter, org_id] = task
            task.add_done_callback(lambda _: self._loading.pop((adapter, org_id)))
        return await asyncio.shield(task)

    async def _read(self, adapter: str, org_id: str) -> _Ring:
        ring = _Ring(await asyncio.to_thread(self._secrets_of, adapter, org_id), self._clock())
        if ring.secrets:
            self._rings[adapter, org_id] = ring
        else:
            self._rings.pop((adapter, org_id), None)
        return ring

    def _secrets_of(self, adapter: str, org_id: str) -> Mapping[str, tuple[bytes, ...]]:
        with self._database.connect() as connection:
            return secrets_of(connection, cipher_from(self._database.settings), org_id, adapter)


async def _fits(dialect: WebhookDialect, ring: _Ring, event: str, body: bytes, signature: str) -> bool:
    secrets = ring.secrets.get(event, ())
    if len(body) > LARGE_BYTES:
        return await asyncio.to_thread(_is_signed_with_any, dialect, secrets, body, signature)
    return _is_signed_with_any(dialect, secrets, body, signature)


def _is_signed_with_any(dialect: WebhookDialect, secrets: tuple[bytes, ...], body: bytes, signature: str) -> bool:
    return any(dialect.is_signed(body, signature, secret) for secret in secrets)
