"""The service by itself: it subscribes, receives, applies and notices its own absence; Dagster hears of it later."""

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import dagster as dg
import psutil
import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.asset_metadata import asset_key
from openfaith_pipeline.defs.database_resource import DatabaseResource
from openfaith_pipeline.defs.instance import open_instance
from openfaith_pipeline.defs.placement import canonical_key
from openfaith_pipeline.defs.webhooks import PATIENCE, webhooks_sensor
from openfaith_pipeline.load.arrivals import COMMITTED_LATE
from openfaith_pipeline.load.sessions import ARRIVED
from openfaith_pipeline.load.sync_log import SyncStart, begin_sync
from openfaith_pipeline.service import applier as service_applier
from openfaith_pipeline.service.applier import run_applier
from openfaith_pipeline.service.applier_process import applier
from openfaith_pipeline.settings import Settings, environment_with
from openfaith_pipeline.simulator import SimulatorClient
from openfaith_pipeline.webhooks.gaps import LONG_SILENCE, beat
from openfaith_pipeline_tests.conftest import environment_of
from openfaith_pipeline_tests.forking import fork_program
from openfaith_pipeline_tests.integration.sync.church import connect, sync
from openfaith_pipeline_tests.integration.webhooks.receiver import kept, running_service
from openfaith_pipeline_tests.integration.webhooks.test_record_application import EMAILS, PEOPLE, canonical
from openfaith_pipeline_tests.waiting import wait_until

DATABASE = {"database": DatabaseResource()}


@pytest.fixture
def whole_service(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """The service with its applier, as `serve` runs it."""
    with running_service(settings) as database:
        for name, value in environment_of(database.settings).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("OPENFAITH_PUBLIC_URL", str(database.settings.public_url))
        with applier(database):
            yield database


def appliers() -> list[psutil.Process]:
    return [each for each in psutil.Process().children() if "openfaith_pipeline.service.applier" in each.cmdline()]


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
        told = tick(instance)
        assert isinstance(told, dg.SensorResult)
        keys = [(event.asset_key, event.partition) for event in told.asset_events]
        assert keys[0] == (asset_key(PEOPLE), org_id)
        assert (canonical_key("people"), org_id) in keys
        assert told.run_requests == []
        again = tick(instance, told.cursor)
        assert isinstance(again, dg.SkipReason)

    [killed] = appliers()
    killed.kill()
    simulator.edit(org_id, "people.people", [person], attributes={"first_name": "Leonard"})
    wait_until(lambda: [each["status"] for each in kept(whole_service)] == ["applied"] * 2, seconds=30)
    assert canonical(whole_service, org_id, str(person))["firstName"] == "Leonard"
    assert killed not in appliers()


def tick(instance: dg.DagsterInstance, cursor: str | None = None) -> object:
    """The result of one evaluation of the sensor of webhooks."""
    with dg.build_sensor_context(instance=instance, cursor=cursor, resources=DATABASE) as context:
        return webhooks_sensor(context)


def _subscribed(database: Database) -> int:
    with database.connect() as connection:
        [(count,)] = connection.execute(
            "SELECT count(*) FROM sync.webhook_orgs WHERE ensured_at IS NOT NULL"
        ).fetchall()
    return int(count)


def test_a_change_that_is_committed_after_a_later_one_is_reported_once(
    database: Database, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids are given out at the beginning of a transaction."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    arrival = (
        "INSERT INTO sync.stream_syncs (sync_id, org_id, stream, lead_stream, mode, status, inserted, finished_at)"
        " VALUES (%s, 'org_x', %s, 'people.emails', %s, 'succeeded', 1, now())"
    )
    reported: list[list[str]] = []
    cursor: str | None = None
    with database.connect() as connection:
        for sync_id in ("slow", "quick", "unknown", "last"):
            begin_sync(connection, SyncStart(sync_id, None, ARRIVED, "webhook", {}))
    with open_instance(database.settings, database) as instance, database.connect() as slow:
        slow.execute(arrival, ("slow", "people.emails", ARRIVED))
        for sync_id, stream in (("quick", "people.emails"), ("unknown", "people.of_a_newer_version")):
            with database.connect() as quick:
                quick.execute(arrival, (sync_id, stream, ARRIVED))
        for _ in range(3):
            told = tick(instance, cursor)
            if isinstance(told, dg.SensorResult):
                cursor = told.cursor
                events = [event for event in told.asset_events or () if event.asset_key == asset_key(EMAILS)]
                reported.append([str(event.metadata["sync_id"].value) for event in events])
            slow.commit()
    assert reported == [["quick"], ["slow"]]

    with open_instance(database.settings, database) as instance, database.connect(autocommit=True) as connection:
        connection.execute("UPDATE sync.stream_syncs SET finished_at = finished_at - %s", (2 * COMMITTED_LATE,))
        connection.execute(arrival, ("last", "people.emails", ARRIVED))
        told = tick(instance, cursor)
        assert isinstance(told, dg.SensorResult)
        [settled, after] = str(told.cursor).split()
        assert int(after) == int(settled) + 1, "old ones are remembered by one number"


def test_deliveries_that_no_service_applies_get_a_run(service: Database, simulator: SimulatorClient) -> None:
    [org_id, _] = connect(service, simulator)
    with service.connect() as connection:
        connection.execute(
            "INSERT INTO sync.webhook_deliveries (org_id, event_id, event, payload, next_attempt_at)"
            " VALUES (%s, 'one', 'people.v2.events.email.created', '{', now() - %s)",
            (org_id, PATIENCE),
        )
    with open_instance(service.settings, service) as instance:
        told = tick(instance)
        assert isinstance(told, dg.SensorResult)
        [run] = told.run_requests or []
        assert str(run.run_key).startswith("webhooks 1 ")


def test_after_a_long_silence_missed_records_are_fetched_once(database: Database, simulator: SimulatorClient) -> None:
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


async def test_a_service_without_dagster_ends_syncs_that_killed_processes_left_running(database: Database) -> None:
    with database.connect() as connection:
        for sync_id, lease in (("killed", timedelta(seconds=-1)), ("alive", timedelta(minutes=1))):
            begin_sync(connection, SyncStart(sync_id, None, "webhook", "webhook", {}))
            connection.execute(
                "UPDATE sync.syncs SET lease_expires_at = now() + %s WHERE sync_id = %s", (lease, sync_id)
            )
    running = asyncio.create_task(run_applier(database))
    await asyncio.to_thread(wait_until, lambda: _statuses(database)["killed"] != "running")
    running.cancel()
    await asyncio.wait([running])
    assert _statuses(database) == {"killed": "interrupted", "alive": "running"}


async def test_it_ends_although_a_wait_has_lost_the_cancellation(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lose(*_: object) -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)

    monkeypatch.setattr(service_applier, "apply_next", lose)
    running = asyncio.create_task(run_applier(database))
    await asyncio.sleep(1)
    running.cancel()
    done, _ = await asyncio.wait([running], timeout=10)
    assert done == {running}


def _statuses(database: Database) -> dict[str, str]:
    with database.connect() as connection:
        return dict(connection.execute("SELECT sync_id, status FROM sync.syncs").fetchall())


SERVICE = """
import sys
from openfaith_pipeline.database.connection import configured_url, database_at
from openfaith_pipeline.service.applier_process import applier
from openfaith_pipeline.settings import load_settings
settings = load_settings()
with applier(database_at(settings, configured_url(settings))):
    print("begun", flush=True)
    sys.stdin.read()
"""


def test_the_applier_ends_with_the_service_however_that_ends(settings: Settings) -> None:
    environment = environment_with(**environment_of(settings))
    for is_killed in (False, True):
        service = fork_program(SERVICE, environment=environment)
        assert service.stdout.readline() == b"begun\n"
        wait_until(lambda service=service: psutil.Process(service.pid).children())  # type: ignore[misc]
        [applier] = psutil.Process(service.pid).children()
        for number in (signal.SIGINT, signal.SIGTERM):
            applier.send_signal(number)
        if is_killed:
            service.kill()
        service.stdin.close()
        assert service.wait(20) == (-signal.SIGKILL if is_killed else 0)
        wait_until(lambda applier=applier: not applier.is_running())  # type: ignore[misc]
