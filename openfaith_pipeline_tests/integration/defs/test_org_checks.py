"""Each org as a whole is checked in Dagster: whether it is up to date, and whether its syncs succeed."""

from collections.abc import Sequence

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run

from openfaith_pipeline.connections.registry import set_connection_state
from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.connection_asset import CONNECTION
from openfaith_pipeline.defs.database_resource import DatabaseResource
from openfaith_pipeline.defs.location import definitions
from openfaith_pipeline.defs.org_checks import org_checks_sensor
from openfaith_pipeline.orgs.registry import new_org_id
from openfaith_pipeline_tests.tenants import add_orgs

AMBER, BIRCH = new_org_id(), new_org_id()
NAMES = {AMBER: "Amber Chapel", BIRCH: "Birch \x1b[2JHall"}

Seen = dict[tuple[str, str | None], tuple[bool, str | None]]


@pytest.fixture
def database(database: Database) -> Database:
    add_orgs(database, NAMES)
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO sync.stream_states (org_id, stream, last_succeeded_at) VALUES"
            " (%(amber)s, 'people.emails', now()), (%(amber)s, 'giving.funds', now() - interval '30 hours'),"
            " (%(birch)s, 'people.emails', now())",
            {"amber": AMBER, "birch": BIRCH},
        )
    return database


def fail_a_stream(database: Database, org_id: str) -> None:
    with database.connect() as connection:
        connection.execute("INSERT INTO sync.syncs (sync_id, mode, trigger) VALUES ('s', 'incremental', 'schedule')")
        connection.execute(
            "INSERT INTO sync.stream_syncs (sync_id, org_id, stream, lead_stream, mode, status, error, finished_at)"
            " VALUES ('s', %s, 'people.emails', 'people.emails', 'incremental', 'running', NULL, NULL)",
            (org_id,),
        )
        connection.execute("UPDATE sync.stream_syncs SET status = 'failed', error = 'HTTP 500', finished_at = now()")


def tick(instance: dg.DagsterInstance, cursor: str | None) -> tuple[Seen, str | None]:
    """Evaluate one tick and execute its run. Returns the reported checks and the next cursor."""
    resources = {"database": DatabaseResource()}
    with dg.build_sensor_context(instance=instance, cursor=cursor, resources=resources) as context:
        result = org_checks_sensor(context)
    assert isinstance(result, dg.SensorResult)
    seen: Seen = {}
    for request in result.run_requests or ():
        job = definitions().resolve_job_def("report_org_checks")
        run = job.execute_in_process(instance=instance, run_config=request.run_config)
        seen |= reported(instance, run.run_id)
    return seen, result.cursor


def reported(instance: dg.DagsterInstance, run_id: str) -> Seen:
    kind = dg.DagsterEventType.ASSET_CHECK_EVALUATION
    events = [
        record.event_log_entry.dagster_event for record in instance.get_records_for_run(run_id, of_type=kind).records
    ]
    return seen_in([event.asset_check_evaluation_data for event in events if event])


def seen_in(events: Sequence[object]) -> Seen:
    evaluations = [event for event in events if isinstance(event, dg.AssetCheckEvaluation)]
    return {(each.check_name, each.partition): (each.passed, each.description) for each in evaluations}


def test_a_result_is_reported_when_it_changes(database: Database, instance: dg.DagsterInstance) -> None:
    first, cursor = tick(instance, None)
    late = (
        "Amber Chapel: 1 streams, giving.funds among them, have not been synced for 24 hours or more"
        " (the oldest: 30 hours)"
    )
    assert first == {
        ("up_to_date", AMBER): (False, late),
        ("syncs_succeed", AMBER): (True, None),
        ("up_to_date", BIRCH): (True, None),
        ("syncs_succeed", BIRCH): (True, None),
    }
    with database.connect() as connection:
        connection.execute("UPDATE sync.stream_states SET last_succeeded_at = last_succeeded_at - interval '1 hour'")
    assert tick(instance, cursor)[0] == {}, "being late for longer is nothing new"
    fail_a_stream(database, BIRCH)
    second, cursor = tick(instance, cursor)
    assert second == {
        ("syncs_succeed", BIRCH): (False, "Birch \ufffd[2JHall: people.emails failed: HTTP 500"),
        ("up_to_date", BIRCH): (True, None),
    }
    with database.connect() as connection:
        connection.execute("UPDATE sync.stream_states SET last_succeeded_at = now()")
        set_connection_state(connection, AMBER, "needs_reconnect", "refused", adapter="pco")
    third, cursor = tick(instance, cursor)
    assert third == {
        ("up_to_date", AMBER): (True, None),
        ("syncs_succeed", AMBER): (False, "Amber Chapel: needs reconnect: refused"),
    }
    assert tick(instance, cursor)[0] == {}


def test_streams_that_an_org_has_chosen_not_to_sync_are_never_late(
    database: Database, instance: dg.DagsterInstance
) -> None:
    with database.connect() as connection:
        connection.execute("INSERT INTO sync.org_settings (org_id, streams) VALUES (%s, '{people}')", (AMBER,))
    assert tick(instance, None)[0]["up_to_date", AMBER] == (True, None)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("partition", [BIRCH, None], ids=["one", "all"])
def test_they_are_executed_for_one_org_or_for_all(instance: dg.DagsterInstance, partition: str | None) -> None:
    instance.add_dynamic_partitions("org", list(NAMES))
    job = definitions().resolve_implicit_global_asset_job_def()
    keys = {key for key in job.asset_layer.asset_graph.asset_check_keys if key.asset_key == CONNECTION.key}
    tags = {"dagster/partition": partition} if partition else {}
    chosen = job.get_subset(asset_selection=set(), asset_check_selection=keys)
    run = instance.create_run_for_job(chosen, tags=tags)
    result = execute_run(InMemoryJob(chosen), run, instance)
    seen = seen_in(result.get_asset_check_evaluations())
    assert {key: passed for key, (passed, _) in seen.items()} == {
        ("up_to_date", partition): partition is not None,
        ("syncs_succeed", partition): True,
    }
    told = {frozenset(each.metadata) for each in result.get_asset_check_evaluations()}
    assert told == {frozenset({"church"} if partition else {"churches", "churches_failing"})}


def test_no_sync_executes_them() -> None:
    for name in ("pco_sync", "pco_sweep"):
        assert "org_checks" not in {node.name for node in definitions().resolve_job_def(name).nodes}
    assert "org_checks" in {node.name for node in definitions().resolve_implicit_global_asset_job_def().nodes}
