"""A failed run becomes one alert, which is over when a run has succeeded and with it every stream."""

from collections.abc import Mapping

import dagster as dg
import pytest

from openfaith_pipeline.alerts.incidents import Alert, list_alerts
from openfaith_pipeline.connections.registry import set_connection_state
from openfaith_pipeline.database import Database
from openfaith_pipeline.defs import alert_sensors
from openfaith_pipeline.defs.alert_sensors import alerts_sensor, failed_runs_sensor
from openfaith_pipeline.defs.database_resource import DatabaseResource
from openfaith_pipeline.defs.run_tags import ORG_TAG, PARTITION_TAG, SYNC_ID_TAG
from openfaith_pipeline.errors import DatabaseUnavailable
from openfaith_pipeline.orgs.org_ids import new_org_id
from openfaith_pipeline_tests.tenants import add_orgs

DATABASE = {"database": DatabaseResource()}

ORG, OTHER = new_org_id(), new_org_id()


@dg.op
def may_fail(context: dg.OpExecutionContext) -> None:
    if "fails" in context.run.tags:
        raise ValueError("of somebody called Erasmus")


@dg.job(name="pco_sync")
def job() -> None:
    may_fail()


def _run(instance: dg.DagsterInstance, org_id: str, **tags: str) -> dg.ExecuteInProcessResult:
    given = {PARTITION_TAG: org_id, SYNC_ID_TAG: "s1", **tags}
    return job.execute_in_process(instance=instance, tags=given, raise_on_error=False)


def _notice(instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult) -> None:
    [event] = [event for event in result.all_events if event.is_run_failure]
    with dg.build_run_status_sensor_context(
        "failed_runs", event, instance, result.dagster_run, resources=DATABASE
    ) as context:
        failed_runs_sensor(context.for_run_failure())


def _tick(instance: dg.DagsterInstance) -> None:
    with dg.build_sensor_context(instance=instance, resources=DATABASE) as context:
        alerts_sensor(context)


def _alerts(database: Database) -> list[Alert]:
    with database.connect() as connection:
        return list_alerts(connection)


def _streams(database: Database, statuses: Mapping[str, str]) -> None:
    with database.connect() as connection:
        for stream, status in statuses.items():
            connection.execute(
                "INSERT INTO sync.stream_syncs (sync_id, org_id, stream, lead_stream, mode, status)"
                " VALUES ('s1', %s, %s, %s, 'incremental', %s)",
                (ORG, stream, stream, status),
            )


@pytest.fixture
def database(database: Database) -> Database:
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO sync.syncs (sync_id, mode, trigger, status, error)"
            " VALUES ('s1', 'incremental', 'cli', 'failed', 'not synced: people.emails')"
        )
    return database


def test_runs_of_an_org_that_fail_again_and_again_are_one_alert(
    database: Database, instance: dg.DagsterInstance
) -> None:
    for org_id in (ORG, ORG, OTHER):
        _notice(instance, _run(instance, org_id, fails="yes"))

    first, other = _alerts(database)
    assert (first.org_id, first.count, other.org_id, other.count) == (ORG, 2, OTHER, 1)
    assert first.message.endswith("of pco_sync failed: not synced: people.emails")
    assert "Erasmus" not in first.message


def test_a_run_that_is_retried_is_no_alert(database: Database, instance: dg.DagsterInstance) -> None:
    crashed = _run(instance, ORG, fails="yes")
    instance.create_run_for_job(job, tags={"dagster/parent_run_id": crashed.run_id})
    _notice(instance, crashed)

    assert _alerts(database) == []


@pytest.mark.parametrize("is_connected_again", [False, True])
def test_a_sync_that_a_dead_connection_failed_is_no_second_alert(
    database: Database, instance: dg.DagsterInstance, is_connected_again: bool
) -> None:
    """The sensor may look long after: a machine that slept, or a church that was quick to connect again."""
    add_orgs(database, {ORG: "Amber"})
    crashed = _run(instance, ORG, fails="yes")
    with database.connect() as connection:
        set_connection_state(connection, ORG, "needs_reconnect", "401", adapter="pco")
        if is_connected_again:
            set_connection_state(connection, ORG, "connected", adapter="pco")
    _notice(instance, crashed)
    assert [alert.kind for alert in _alerts(database)] == ([] if is_connected_again else ["connection_dead"])

    with database.connect() as connection:
        set_connection_state(connection, ORG, "connected", adapter="pco")
    _notice(instance, _run(instance, ORG, fails="yes"))
    assert [alert.kind for alert in _alerts(database)] == ["run_failed"]


def test_a_sync_that_failed_by_held_deletions_alone_is_no_second_alert(
    database: Database, instance: dg.DagsterInstance
) -> None:
    crashed = _run(instance, ORG, fails="yes")
    _streams(database, {"giving.donations": "incomplete", "giving.funds": "succeeded"})
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO sync.held_deletions (org_id, stream, sync_id, ids, row_count, reason)"
            " VALUES (%s, 'giving.donations', 's1', '{1}', 1, 'many')",
            (ORG,),
        )
    _notice(instance, crashed)
    assert _alerts(database) == []

    _streams(database, {"giving.batches": "failed"})
    _notice(instance, crashed)
    assert [alert.kind for alert in _alerts(database)] == ["run_failed"]


def test_a_failed_workflow_is_an_alert_of_its_org_and_over_with_one_of_that_org(
    database: Database, instance: dg.DagsterInstance
) -> None:
    """Its runs have no partition."""

    def carried_out(org_id: str, **tags: str) -> dg.ExecuteInProcessResult:
        given = {ORG_TAG: org_id, **tags}
        return job.execute_in_process(instance=instance, tags=given, raise_on_error=False)

    for org_id in (ORG, OTHER):
        _notice(instance, carried_out(org_id, fails="yes"))
    assert [(alert.org_id, alert.count) for alert in _alerts(database)] == [(ORG, 1), (OTHER, 1)]

    carried_out(OTHER)
    _tick(instance)
    assert [alert.org_id for alert in _alerts(database)] == [ORG]


def test_a_failed_run_is_not_passed_by_while_postgres_does_not_answer(
    database: Database, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tick(cursor: str | None) -> str | None:
        with dg.build_sensor_context(instance=instance, cursor=cursor, resources=DATABASE) as context:
            return failed_runs_sensor.evaluate_tick(context).cursor

    begun = tick(None)
    _run(instance, ORG, fails="yes")
    with monkeypatch.context() as patch:
        patch.setattr(alert_sensors, "raise_alert", _unavailable)
        with pytest.raises(dg.DagsterError, match="put off"):
            tick(begun)
    assert tick(begun) != begun
    assert [alert.org_id for alert in _alerts(database)] == [ORG]


def _unavailable(*_: object, **__: object) -> None:
    raise DatabaseUnavailable("too many clients")


def test_it_is_over_when_a_run_and_every_stream_have_succeeded(
    database: Database, instance: dg.DagsterInstance
) -> None:
    _notice(instance, _run(instance, ORG, fails="yes"))
    _run(instance, OTHER)
    _tick(instance)
    assert len(_alerts(database)) == 1

    _streams(database, {"people.emails": "failed", "people.tabs": "succeeded"})
    _run(instance, ORG)
    _tick(instance)
    assert len(_alerts(database)) == 1

    _streams(database, {"people.emails": "succeeded"})
    _tick(instance)
    assert _alerts(database) == []


def test_the_failure_of_a_sync_that_nobody_asks_for_again_is_over_when_the_org_is_synced_for_days(
    database: Database, instance: dg.DagsterInstance
) -> None:
    """Else the next failure, of whenever, would count as the same incident, and nobody would hear of it."""
    _notice(instance, _run(instance, ORG, fails="yes"))
    with database.connect() as connection:
        connection.execute("INSERT INTO sync.orgs (org_id, name) VALUES (%s, 'Amber Hill')", (ORG,))
        connection.execute(
            "INSERT INTO sync.source_schedules (org_id, adapter, kind, next_at, succeeded_at)"
            " VALUES (%s, 'pco', 'incremental', now(), now())",
            (ORG,),
        )
    _tick(instance)
    assert len(_alerts(database)) == 1

    with database.connect() as connection:
        connection.execute("UPDATE sync.alerts SET last_seen_at = last_seen_at - interval '2 days'")
    _tick(instance)
    assert [alert for alert in _alerts(database) if alert.kind == "run_failed"] == []
