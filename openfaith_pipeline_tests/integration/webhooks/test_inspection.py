"""Subscriptions at the source compared with ours: each difference is named, and nothing is changed."""

import asyncio
from dataclasses import replace

from openfaith_pipeline.database import Database
from openfaith_pipeline.simulator import SimulatorClient
from openfaith_pipeline.webhooks.inspection import Inspected, inspect_subscriptions
from openfaith_pipeline.webhooks.secrets import subscriptions_of
from openfaith_pipeline.webhooks.state import want_subscriptions
from openfaith_pipeline.webhooks.subscriptions import ensure_subscriptions
from openfaith_pipeline_tests.integration.sync.church import connect
from openfaith_pipeline_tests.integration.webhooks.conftest import SUBSCRIPTIONS

CREATED, UPDATED, GONE = (f"people.v2.events.email.{action}" for action in ("created", "updated", "destroyed"))


def at(database: Database, url: str | None) -> Database:
    return replace(database, settings=database.settings.model_copy(update={"public_url": url}))


def inspect(database: Database, org_id: str) -> Inspected | None:
    return asyncio.run(inspect_subscriptions(database, org_id, "pco"))


def test_each_difference_is_named_and_none_is_mended(database: Database, simulator: SimulatorClient) -> None:
    [org_id, other] = connect(database, simulator)
    assert inspect(at(database, None), org_id) is None
    public, elsewhere = at(database, "https://one.example.org"), at(database, "https://two.example.org")
    asyncio.run(ensure_subscriptions(public, org_id, "pco"))
    assert inspect(public, org_id) == Inspected()
    assert inspect(at(database, None), org_id) == Inspected(), "beside `dev`, whose URL no other process knows"

    ours = {row["attributes"]["name"]: int(row["id"]) for row in simulator.truth(org_id, SUBSCRIPTIONS)}
    simulator.delete(org_id, SUBSCRIPTIONS, [ours[GONE]])
    simulator.edit(org_id, SUBSCRIPTIONS, [ours[UPDATED]], attributes={"active": False})
    with public.connect() as connection:
        connection.execute("DELETE FROM sync.webhook_subscriptions WHERE event = %s", (CREATED,))
    before = simulator.truth(org_id, SUBSCRIPTIONS)
    assert inspect(public, org_id) == Inspected(missing=(GONE,), disabled=(UPDATED,))
    moved = inspect(elsewhere, org_id)
    assert moved is not None
    assert (moved.extra, UPDATED in moved.elsewhere, CREATED in moved.missing) == ((CREATED,), True, True)
    with public.connect() as connection:
        want_subscriptions(connection, org_id, "pco", is_wanted=False)
    unwanted = inspect(public, org_id)
    assert unwanted is not None
    assert set(unwanted.unwanted) >= {CREATED, UPDATED}
    assert simulator.truth(org_id, SUBSCRIPTIONS) == before
    with public.connect() as connection:
        assert subscriptions_of(connection, other, "pco") == []
