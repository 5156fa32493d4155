"""Deliveries of a church that means harm, signed with its own secrets, and of one that means none."""

import asyncio
import hashlib
import hmac
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from psycopg.rows import dict_row

from openfaith_pipeline.database import Database
from openfaith_pipeline.webhooks.deliveries import Delivery, claim
from openfaith_pipeline_tests.integration.webhooks.receiver import post

HOSTILE: Final = "org_01k5t0w2m1e9qv4y8z3n7b6c5d"
PEACEFUL: Final = "org_01k5t0w2m1e9qv4y8z3n7b6c5e"
UPDATED: Final = "people.v2.events.person.updated"
DESTROYED: Final = "people.v2.events.person.destroyed"
KEY: Final = "key-of-all"
HOSTILE_KEY: Final = "key-of-one"
EVENTS: Final = (UPDATED, DESTROYED)


def secret_of(org_id: str, event: str) -> str:
    return f"secret of {org_id} for {event}"


def headers(org_id: str, event: str, body: bytes) -> dict[str, str]:
    signature = hmac.new(secret_of(org_id, event).encode(), body, hashlib.sha256).hexdigest()
    return {"X-PCO-Webhooks-Name": event, "X-PCO-Webhooks-Authenticity": signature}


def send(
    database: Database, org_id: str, body: bytes, *, event: str = UPDATED, extra: Mapping[str, str] | None = None
) -> int:
    """The status a signed body is answered with."""
    signed = {**headers(org_id, event, body), **(extra or {})}
    return post(database, f"/api/webhooks/pco/{org_id}", body, signed)[0]


def element(payload: Any, *, name: str = UPDATED, event_id: str | None = None) -> dict[str, Any]:
    text = payload if isinstance(payload, str) else orjson.dumps(payload).decode()
    attributes = {"name": name, "attempt": 1, "payload": text}
    return {"id": event_id or str(uuid.uuid4()), "type": "EventDelivery", "attributes": attributes}


def body_of(elements: Sequence[Any]) -> bytes:
    return orjson.dumps({"data": list(elements)})


def person(record_id: str = "7", *, event_time: Any = "2026-03-04T05:06:07Z", **attributes: Any) -> dict[str, Any]:
    data = {"type": "Person", "id": record_id, "attributes": {"first_name": "Ada", **attributes}}
    return {"data": data, "meta": {"event_time": event_time}}


def claim_once(database: Database, holder: str = "me", **limits: int) -> list[Delivery]:
    async def run() -> list[Delivery]:
        async with database.pool(size=1, row_factory=dict_row) as pool, pool.connection() as connection:
            return await claim(connection, holder, [], **limits)

    return asyncio.run(run())
