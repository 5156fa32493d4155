"""Runs wait in the queue until a worker has a slot, and only lost runs fail for not having begun."""

import logging
from collections.abc import Iterator
from datetime import timedelta

import dagster as dg
import pytest
from dagster._daemon.monitoring.run_monitoring import monitor_starting_run
from dagster._utils.tags import TagConcurrencyLimitsCounter
from pydantic import SecretStr

from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.coordinator import RUNS_AT_ONCE
from openfaith_pipeline.defs.heartbeat import beating
from openfaith_pipeline.defs.instance import open_instance
from openfaith_pipeline.defs.lost_starts import fail_lost_starts
from openfaith_pipeline.defs.run_tags import PARTITION_TAG, SYNC_ID_TAG
from openfaith_pipeline.load.run_workers import beat_worker, forget_worker, slots_of_workers, time_with_room

UNUSED = "redis://127.0.0.1:1/0"


@pytest.fixture
def over_broker(
    database: Database, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    """The instance of a deployment with a broker; nothing here speaks to that."""
    for name, value in {**environment, "OPENFAITH_CELERY_BROKER": UNUSED}.items():
        monkeypatch.setenv(name, value)
    settings = database.settings.model_copy(update={"celery_broker": SecretStr(UNUSED)})
    with open_instance(settings, database) as found:
        yield found


def beat(database: Database, worker: str, slots: int, *, has_room: bool) -> None:
    with database.connect() as connection:
        beat_worker(connection, worker, slots=slots, has_room=has_room)


def passes(database: Database, seconds: int) -> None:
    """Let time go by for all workers' records."""
    with database.connect() as connection:
        connection.execute(
            "UPDATE sync.run_workers SET beat_at = beat_at - %(time)s, room_since = room_since - %(time)s",
            {"time": timedelta(seconds=seconds)},
        )


def launched(instance: dg.DagsterInstance, database: Database, seconds_ago: int) -> dg.DagsterRun:
    """A run that was handed out and has not begun."""
    run = instance.create_run_for_job(dg.job(name="any")(lambda: None))
    event = dg.DagsterEvent(dg.DagsterEventType.RUN_STARTING.value, run.job_name)
    instance.report_dagster_event(event, run.run_id)
    age(database, run, seconds_ago)
    return run


def age(database: Database, run: dg.DagsterRun, seconds: int) -> None:
    with database.connect() as connection:
        connection.execute(
            "UPDATE dagster.runs SET update_timestamp = update_timestamp - %(age)s,"
            " create_timestamp = create_timestamp - %(age)s WHERE run_id = %(run)s",
            {"age": timedelta(seconds=seconds), "run": run.run_id},
        )
        connection.execute(
            "UPDATE dagster.event_logs SET timestamp = timestamp - %s WHERE run_id = %s",
            (timedelta(seconds=seconds), run.run_id),
        )


def status(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    found = instance.get_run_by_id(run.run_id)
    return found.status.value if found else "gone"


def runs_at_once(instance: dg.DagsterInstance) -> int:
    config = instance.get_concurrency_config().run_queue_config
    assert config
    return config.max_concurrent_runs


def test_slots_of_living_workers_count(database: Database) -> None:
    with database.connect() as connection:
        assert slots_of_workers(connection) == 0
        beat(database, "one", 2, has_room=False)
        beat(database, "two", 3, has_room=False)
        beat(database, "two", 4, has_room=False)
        assert slots_of_workers(connection) == 6
        forget_worker(connection, "one")
        assert slots_of_workers(connection) == 4
        connection.commit()
        passes(database, 13)
        assert slots_of_workers(connection) == 0


def test_room_counts_from_when_it_was_there_at_each_beat(database: Database) -> None:
    with database.connect(autocommit=True) as connection:
        beat(database, "one", 1, has_room=True)
        passes(database, 8)
        beat(database, "one", 1, has_room=True)
        room = time_with_room(connection)
        assert room
        assert timedelta(seconds=8) <= room < timedelta(seconds=12)
        beat(database, "one", 1, has_room=False)
        assert time_with_room(connection) is None


def test_as_many_runs_at_once_as_workers_have_slots_for(
    over_broker: dg.DagsterInstance, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openfaith_pipeline.defs.coordinator._LOOK_EVERY_SECONDS", 0)
    assert runs_at_once(over_broker) == 0
    beat(database, "one", 2, has_room=True)
    beat(database, "two", 16, has_room=True)
    assert runs_at_once(over_broker) == 18
    monkeypatch.setenv("OPENFAITH_RUNS_AT_ONCE", "5")
    assert runs_at_once(over_broker) == 5


def test_without_a_broker_a_setting_says_how_many(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert runs_at_once(instance) == RUNS_AT_ONCE
    monkeypatch.setenv("OPENFAITH_RUNS_AT_ONCE", "9")
    assert runs_at_once(instance) == 9


@pytest.mark.parametrize(("slots", "of_orgs"), [(1, 1), (2, 2), (3, 2), (4, 2), (20, 18)])
def test_runs_of_single_orgs_leave_slots_for_sweeps(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, slots: int, of_orgs: int
) -> None:
    """Judged by Dagster's own count of the queue: of many orgs that wait, so many are launched, and then a sweep."""
    monkeypatch.setenv("OPENFAITH_RUNS_AT_ONCE", str(slots))
    config = instance.get_concurrency_config().run_queue_config
    assert config
    counter = TagConcurrencyLimitsCounter(config.tag_concurrency_limits, [])
    job = dg.job(name="any")(lambda: None)
    runs = [instance.create_run_for_job(job, tags={PARTITION_TAG: f"org_{number}"}) for number in range(25)]
    launched = 0
    for run in runs:
        if not counter.is_blocked(run):
            counter.update_counters_with_launched_item(run)
            launched += 1
        assert counter.is_blocked(run)  # one at a time for each org
    assert launched == of_orgs
    assert not counter.is_blocked(instance.create_run_for_job(job))


def test_a_run_that_waits_for_a_slot_is_not_failed(over_broker: dg.DagsterInstance, database: Database) -> None:
    run = launched(over_broker, database, 4 * 3600)
    beat(database, "busy", 2, has_room=False)

    record = over_broker.get_run_record_by_id(run.run_id)
    assert record
    monitor_starting_run(over_broker, record, logging.getLogger("test"))
    assert fail_lost_starts(over_broker) == 0
    assert status(over_broker, run) == "STARTING"


def test_a_run_that_the_broker_lost_is_failed(over_broker: dg.DagsterInstance, database: Database) -> None:
    run = launched(over_broker, database, 121)
    fresh = launched(over_broker, database, 60)
    beat(database, "idle", 2, has_room=True)
    assert fail_lost_starts(over_broker) == 0, "it may be about to take it"

    passes(database, 31)
    beat(database, "idle", 2, has_room=True)
    assert fail_lost_starts(over_broker) == 1
    assert (status(over_broker, run), status(over_broker, fresh)) == ("FAILURE", "STARTING")


def test_a_process_that_does_not_begin_is_failed(instance: dg.DagsterInstance, database: Database) -> None:
    run, fresh = launched(instance, database, 121), launched(instance, database, 60)
    assert fail_lost_starts(instance) == 1
    assert (status(instance, run), status(instance, fresh)) == ("FAILURE", "STARTING")


def test_orgs_that_wait_for_their_turn_at_a_terminal_are_not_failed(
    instance: dg.DagsterInstance, database: Database
) -> None:
    job, tags = dg.job(name="any")(lambda: None), {SYNC_ID_TAG: "of many orgs"}
    working, waiting = (instance.create_run_for_job(job, tags=tags) for _ in range(2))
    event = dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, working.job_name)
    instance.report_dagster_event(event, working.run_id)
    age(database, waiting, 3600)

    with beating(database, working.run_id):
        record = instance.get_run_record_by_id(waiting.run_id)
        assert record
        monitor_starting_run(instance, record, logging.getLogger("test"))
        assert fail_lost_starts(instance) == 0
        assert status(instance, waiting) == "NOT_STARTED"
    instance.report_run_failed(working)
    assert fail_lost_starts(instance) == 1, "their process is gone"
