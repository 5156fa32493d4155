"""A church whose deliveries are applied, and comparisons with the source, for the tests of this folder."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from psycopg.rows import dict_row

from openfaith_pipeline.catalog.events import Incoming
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database import Database
from openfaith_pipeline.load.leases import holding
from openfaith_pipeline.simulator import SimulatorClient
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline.webhooks.applier import Applied, apply_next
from openfaith_pipeline.webhooks.deliveries import keep_deliveries
from openfaith_pipeline_tests.integration.sync.church import differences, sync
from openfaith_pipeline_tests.integration.webhooks.receiver import kept

PEOPLE, EMAILS = STREAMS["people.people"], STREAMS["people.emails"]
OF_PEOPLE = [
    STREAMS[f"people.{name}"]
    for name in (
        *("people", "person_apps", "person_mergers", "emails", "phone_numbers", "addresses", "social_profiles"),
        *("background_checks", "field_data", "households", "household_memberships"),
    )
]


def apply_all(database: Database) -> list[Applied]:
    """Apply until nothing is due."""

    async def run() -> list[Applied]:
        done: list[Applied] = []
        async with database.pool(size=3, row_factory=dict_row) as pool, holding(pool) as holder:
            while applied := await apply_next(database, pool, holder):
                done.append(applied)
        return done

    return asyncio.run(run())


def arrived(database: Database, simulator: SimulatorClient) -> None:
    """Wait until all that was sent is kept."""
    previous = -1
    while previous != len(simulator.deliveries()) or len(genuine(simulator)) != len(kept(database)):
        previous = len(simulator.deliveries())
        time.sleep(0.4)


def genuine(simulator: SimulatorClient) -> set[str]:
    return {each["event_id"] for each in simulator.deliveries() if each["kind"] == "genuine"}


def outcomes(database: Database) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in kept(database):
        found[row["status"]] = found.get(row["status"], 0) + 1
    return found


def told_differences(
    database: Database, simulator: SimulatorClient, org_id: str, streams: Sequence[Stream] = OF_PEOPLE
) -> list[str]:
    """Differences from the source, except a person's `updated_at`, which a child's change moves without an event."""
    found = differences(database, simulator, org_id, streams)
    return [each for each in found if not each.startswith("people.people") or ".updated_at: " not in each]


def carry_out_requests(database: Database, org_id: str) -> None:
    with database.connect() as connection:
        payloads = [payload for (payload,) in connection.execute("SELECT payload FROM sync.requests").fetchall()]
    for payload in payloads:
        sync(database, org_id, [STREAMS[name] for name in payload["streams"]], SyncMode(payload["mode"]))


def make_due(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("UPDATE sync.webhook_deliveries SET next_attempt_at = now()")


def canonical(database: Database, org_id: str, person_id: str) -> dict[str, Any]:
    with database.connect(row_factory=dict_row) as connection:
        [row] = connection.execute(
            'SELECT person.* FROM openfaith_people AS person JOIN "openfaith_externalLinks" AS link'
            ' ON link."entityId" = person.id WHERE link."orgId" = %s AND link."externalId" = %s'
            " AND link.\"entityType\" = 'person'",
            (org_id, person_id),
        ).fetchall()
    return row


def put(
    database: Database, org_id: str, event: str, payload: bytes, record_id: str | None = None, **fields: Any
) -> None:
    stream = {"email": "people.emails", "person": "people.people"}.get(event.split(".")[3])
    delivery = replace(Incoming(org_id, str(uuid4()), event, stream, record_id, None, payload), **fields)

    async def run() -> None:
        async with database.pool(size=1) as pool, pool.connection() as connection:
            await keep_deliveries(connection, [delivery])

    asyncio.run(run())
