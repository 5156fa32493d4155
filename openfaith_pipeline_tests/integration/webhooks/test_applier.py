"""The service by itself: it subscribes, receives, applies and notices its own absence; Dagster hears of it later."""

import time
from collections.abc import Iterator

import dagster as dg
import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.connection import configured_url, database_at
from openfaith_pipeline.defs.canonical_assets import canonical_key
from openfaith_pipeline.defs.instance import open_instance
from openfaith_pipeline.defs.raw_assets import asset_key
from openfaith_pipeline.defs.webhooks import PATIENCE, webhooks_sensor
from openfaith_pipeline.service.applier import applier
from openfaith_pipeline.settings import Settings
from openfaith_pipeline.simulator import SimulatorClient
from openfaith_pipeline.subscribing import LONG_SILENCE, beat
from openfaith_pipeline_tests.integration.sync.church import connect, sync
from openfaith_pipeline_tests.integration.webhooks.receiver import kept, running_service, wait_until
from openfaith_pipeline_tests.integration.webhooks.test_applying import EMAILS, PEOPLE, canonical


@pytest.fixture
def whole_service(settings: Settings) -> Iterator[Database]:
    """The service with its applier, as `serve` runs it."""
    with running_service(settings) as database, applier(database):
        yield database


def test_a_change_at_planning_center_is_in_the_canonical_row_within_ten_seconds(
    whole_service: Database, simulator: SimulatorClient
) -> None:
    [org_id, _] = connect(whole_service, simulator)
    sync(whole_service, org_id, [PEOPLE, EMAILS])
    wait_until(lambda: _subscribed(whole_service) == 2, seconds=60)
    [person] = simulator.edit(org_id, "people.people", attributes={"first_name": "Ottoline"})
    changed_at = time.monotonic()
    wait_until(lambda: kept(whole_service) and kept(whole_service)[0]["status"] == "applied", seconds=30)
    assert time.monotonic() - changed_at < 10
    assert canonical(whole_service, org_id, str(person))["firstName"] == "Ottoline"
    with open_instance(whole_service.settings, whole_service) as instance:
        context = dg.build_sensor_context(instance=instance)
        told = webhooks_sensor(context)
        assert isinstance(told, dg.SensorResult)
        keys = [(event.asset_key, event.partition) for event in told.asset_events]
        assert keys[0] == (asset_key(PEOPLE), org_id)
        assert (canonical_key("people"), org_id) in keys
        assert told.run_requests == []
        again = webhooks_sensor(dg.build_sensor_context(instance=instance, cursor=told.cursor))
        assert isinstance(again, dg.SkipReason)


def _subscribed(database: Database) -> int:
    with database.connect() as connection:
        [(count,)] = connection.execute(
            "SELECT count(*) FROM sync.webhook_orgs WHERE ensured_at IS NOT NULL"
        ).fetchall()
    return int(count)


def test_deliveries_that_no_service_applies_get_a_run(service: Database, simulator: SimulatorClient) -> None:
    [org_id, _] = connect(service, simulator)
    with service.connect() as connection:
        connection.execute(
            "INSERT INTO sync.webhook_deliveries (org_id, event_id, event, payload, next_attempt_at)"
            " VALUES (%s, 'one', 'people.v2.events.email.created', '{', now() - %s)",
            (org_id, PATIENCE),
        )
    with open_instance(service.settings, service) as instance:
        told = webhooks_sensor(dg.build_sensor_context(instance=instance))
        assert isinstance(told, dg.SensorResult)
        [run] = told.run_requests or []
        assert str(run.run_key).startswith("webhooks 1 ")


def test_after_a_long_silence_what_was_missed_is_fetched_once(database: Database, simulator: SimulatorClient) -> None:
    [org_id, _] = connect(database, simulator)
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO sync.webhook_subscriptions (org_id, subscription_id, event, url, secret)"
            " VALUES (%s, '1', 'people.v2.events.email.created', 'http://here', '')",
            (org_id,),
        )
        assert beat(connection) == []
        assert beat(connection) == []
        connection.execute("UPDATE sync.webhook_beats SET beat_at = now() - %s", (LONG_SILENCE,))
        connection.execute("UPDATE sync.webhook_beats SET beat_at = beat_at - interval '1 s'")
        assert beat(connection) == [org_id]
        assert beat(connection) == []
        asked = connection.execute("SELECT org_id, payload ->> 'streams' FROM sync.requests").fetchall()
    assert asked == [(org_id, '["people.emails"]')]


def test_what_the_service_began_is_finished_before_it_ends(settings: Settings) -> None:
    database = database_at(settings, configured_url(settings))
    started = time.monotonic()
    with applier(database):
        time.sleep(0.2)
    assert time.monotonic() - started < 5
