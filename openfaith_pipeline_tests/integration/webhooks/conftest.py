"""A service that receives, and two simulated churches whose events come to it."""

import asyncio
from collections.abc import Iterator

import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.settings import Settings
from openfaith_pipeline.simulator import Latency, SimulatorClient, Traps, Webhooks, made_up_churches, running_simulator
from openfaith_pipeline.transform import transform_org
from openfaith_pipeline.webhooks.subscriptions import ensure_subscriptions
from openfaith_pipeline_tests.integration.sync.church import connect, sync
from openfaith_pipeline_tests.integration.webhooks.application import EMAILS, PEOPLE
from openfaith_pipeline_tests.integration.webhooks.receiver import running_service
from openfaith_pipeline_tests.rates import GENEROUS

EVENTS = "webhooks.available_events"
SUBSCRIPTIONS = "webhooks.webhook_subscriptions"
OFFERED = (
    *(
        f"people.v2.events.{noun}.{action}"
        for noun in ("email", "field_datum", "household", "person")
        for action in ("created", "updated", "destroyed")
    ),
    "people.v2.events.person_merger.created",
    "giving.v2.events.donation.created",
    "groups.v2.events.membership.created",
    "services.v2.events.plan_item.created",
    "services.v2.events.plan.live.updated",
    *(f"calendar.v2.events.event_request.{action}" for action in ("created", "updated", "destroyed", "approved")),
)
"""What the churches are offered here, of everything: fewer subscriptions to make for each test."""


@pytest.fixture(scope="module")
def running() -> Iterator[SimulatorClient]:
    with running_simulator(made_up_churches(2, people=20), rate_limit=GENEROUS) as simulator:
        for church in simulator.churches():
            rest = [
                int(row["id"])
                for row in simulator.truth(church["org_id"], EVENTS)
                if row["attributes"]["name"] not in OFFERED
            ]
            simulator.delete(church["org_id"], EVENTS, rest)
        yield simulator


@pytest.fixture
def simulator(running: SimulatorClient) -> Iterator[SimulatorClient]:
    """One simulator for all tests of a module; each test's subscriptions, traps and settings are reset after it."""
    churches = [church["org_id"] for church in running.churches()]
    before = {org_id: {row["id"] for row in running.truth(org_id, SUBSCRIPTIONS)} for org_id in churches}
    yield running
    running.clear_scripts()
    running.set_latency(Latency())
    running.set_webhooks(Webhooks())
    running.forget_deliveries()
    for org_id in churches:
        running.set_traps(org_id, Traps())
        new = {row["id"] for row in running.truth(org_id, SUBSCRIPTIONS)} - before[org_id]
        running.delete(org_id, SUBSCRIPTIONS, [int(id) for id in new])


@pytest.fixture
def service(settings: Settings) -> Iterator[Database]:
    """The database of a service that runs; `settings.public_url` is where."""
    with running_service(settings) as database:
        yield database


@pytest.fixture
def org(service: Database, simulator: SimulatorClient) -> str:
    """A church synced, transformed and subscribed."""
    [org_id, _] = connect(service, simulator)
    sync(service, org_id, [PEOPLE, EMAILS])
    with service.connect() as connection:
        transform_org(connection, org_id, schema="public", sync_id="sync_first")
    assert asyncio.run(ensure_subscriptions(service, org_id, adapter="pco")).problem is None
    return org_id
