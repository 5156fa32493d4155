"""Subscriptions that somebody removed: the next sweep that finds changes without deliveries has them checked."""

import asyncio
from dataclasses import replace

import pytest

from openfaith_pipeline.catalog.events import Incoming
from openfaith_pipeline.database import Database
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.webhooks.deliveries import keep_deliveries
from openfaith_pipeline.webhooks.subscriptions import ensure_subscriptions
from openfaith_pipeline_tests.integration.sweeps.conftest import make_due, swept

EMAILS = "people.emails"
UPDATED = "people.v2.events.email.updated"
SUBSCRIPTIONS = "webhooks.webhook_subscriptions"


@pytest.fixture
def public(database: Database) -> Database:
    settings = database.settings.model_copy(update={"public_url": "http://127.0.0.1:9"})
    return replace(database, settings=settings)


@pytest.fixture
def subscribed(public: Database, org_ids: list[str]) -> list[str]:
    """The churches, synced and subscribed."""
    swept(public)
    for org_id in org_ids:
        ensured = asyncio.run(ensure_subscriptions(public, org_id, "pco"))
        assert UPDATED in ensured.events
    return org_ids


def due(database: Database) -> list[str]:
    """The orgs whose subscriptions are to be checked now."""
    with database.connect() as connection:
        rows = connection.execute("SELECT org_id FROM sync.source_webhooks WHERE next_check_at <= now()").fetchall()
    return [org_id for (org_id,) in rows]


def deliver(database: Database, org_id: str) -> None:
    """An event about an email arrives."""

    async def keep() -> None:
        async with database.pool(size=1) as pool, pool.connection() as connection:
            await keep_deliveries(connection, [Incoming(org_id, "1", UPDATED, EMAILS, "1", None, b"{}")])

    asyncio.run(keep())


def test_changes_that_no_delivery_reported_have_the_subscriptions_checked(
    public: Database, simulator: SimulatorClient, subscribed: list[str]
) -> None:
    lost, delivered, *_ = subscribed
    make_due(public)
    swept(public)
    assert due(public) == [], "nothing changed"

    [removed] = [row for row in simulator.truth(lost, SUBSCRIPTIONS) if row["attributes"]["name"] == UPDATED]
    simulator.delete(lost, SUBSCRIPTIONS, [int(removed["id"])])
    for org_id in (lost, delivered):
        simulator.edit(org_id, EMAILS, attributes={"location": "Elsewhere"})
    deliver(public, delivered)
    make_due(public)
    report, heard = swept(public)
    assert report.failures == {}
    assert EMAILS in {*heard.outcomes[lost].changed} & {*heard.outcomes[delivered].changed}
    assert due(public) == [lost]

    assert asyncio.run(ensure_subscriptions(public, lost, "pco")).added == (UPDATED,)
    assert due(public) == []


def test_a_church_that_cannot_be_subscribed_keeps_its_wait(
    public: Database, simulator: SimulatorClient, subscribed: list[str]
) -> None:
    [org_id, *_] = subscribed
    with public.connect() as connection:
        connection.execute("UPDATE sync.source_webhooks SET problem = 'refused'")
    simulator.edit(org_id, EMAILS, attributes={"location": "Far away"})
    make_due(public)
    _, heard = swept(public)
    assert EMAILS in heard.outcomes[org_id].changed
    assert due(public) == []
