"""The sweep as a run, and the schedule that starts it."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import dagster as dg
import pytest
from pydantic import SecretStr

from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.registry import add_org
from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.connection_asset import CONNECTION
from openfaith_pipeline.defs.location import definitions
from openfaith_pipeline.defs.run_handle import CALLER, Caller
from openfaith_pipeline.defs.schedules import incremental_schedule
from openfaith_pipeline.defs.sweeps import CLAIMING_TAG, SHARD_TAG
from openfaith_pipeline.orgs.registry import pause_org
from openfaith_pipeline.orgs.turns import Kind, enroll_orgs
from openfaith_pipeline.planning_center import PersonalAccessToken
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline_tests.integration.sync.church import choose, connect
from openfaith_pipeline_tests.rates import GENEROUS

CAMPUSES = dg.AssetKey(["pco_people", "campuses"])
EMAILS = dg.AssetKey(["pco_people", "emails"])
MADE = dg.AssetKey(["openfaith", "campuses"])


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator(made_up_churches(3, people=5), rate_limit=GENEROUS) as simulator:
        yield simulator


@pytest.fixture
def org_ids(database: Database, simulator: SimulatorClient) -> list[str]:
    org_ids = connect(database, simulator)
    choose(database, org_ids, "people.campuses")
    return org_ids


@pytest.fixture
def _database_given(database: Database) -> Iterator[None]:
    token = CALLER.set(Caller(database))
    yield
    CALLER.reset(token)


def run_sweep(instance: dg.DagsterInstance, tags: dict[str, str] | None = None) -> dg.ExecuteInProcessResult:
    job = definitions().resolve_job_def("pco_sweep")
    return job.execute_in_process(instance=instance, raise_on_error=False, tags=tags or {})


@pytest.mark.usefixtures("_database_given")
def test_only_changed_tables_are_materialized(
    instance: dg.DagsterInstance, database: Database, org_ids: list[str]
) -> None:
    first = run_sweep(instance)

    assert first.success
    assert instance.get_materialized_partitions(CAMPUSES) == set(org_ids)
    assert instance.get_materialized_partitions(MADE) == set(org_ids)
    [event] = [e for e in first.get_asset_materialization_events() if (e.asset_key, e.partition) == (MADE, org_ids[0])]
    assert event.materialization.metadata["rows_inserted"].value > 0
    assert event.materialization.metadata["church"].value == "Cedar Hollow Chapel"
    keys = [event.asset_key for event in first.get_asset_materialization_events() if event.partition == org_ids[0]]
    assert keys.index(CAMPUSES) < keys.index(MADE)

    with database.connect() as connection:
        connection.execute("UPDATE sync.org_schedules SET next_at = now(), polled_at = NULL")
    again = run_sweep(instance)
    assert again.success
    assert again.get_asset_materialization_events() == []
    metadata = next(e for e in again.all_events if e.event_type_value == "STEP_OUTPUT").event_specific_data.metadata
    assert {name: value.value for name, value in metadata.items()} | {"requests": 0} == {
        "orgs": 3,
        "orgs_changed": 0,
        "orgs_failed": 0,
        "requests": 0,
    }
    with database.connect() as connection:
        assert connection.execute("SELECT DISTINCT run_id FROM sync.syncs ORDER BY 1").fetchall() == sorted(
            [(first.run_id,), (again.run_id,)]
        )


def observed(instance: dg.DagsterInstance, key: dg.AssetKey) -> list[tuple[str | None, object, object]]:
    records = instance.fetch_observations(key, limit=5).records
    events = [(record.partition_key, record.asset_observation) for record in records]
    return [(key, event.metadata["church"].value, event.metadata["status"].value) for key, event in events if event]


@pytest.mark.usefixtures("_database_given")
def test_a_sweep_fails_only_when_every_org_does(
    instance: dg.DagsterInstance, database: Database, simulator: SimulatorClient, org_ids: list[str]
) -> None:
    refused = PersonalAccessToken("nobody", SecretStr("wrong"))

    def break_org(org_id: str) -> None:
        with database.connect() as connection:
            add_org(
                connection,
                cipher_from(database.settings),
                org_id,
                "a church",
                refused,
                api_url=simulator.url,
                adapter="pco",
            )

    break_org(org_ids[0])
    assert run_sweep(instance).success
    assert observed(instance, CONNECTION.key) == [(org_ids[0], "a church", "failed")]
    for org_id in org_ids[1:]:
        break_org(org_id)
    with database.connect() as connection:
        connection.execute("UPDATE sync.org_schedules SET next_at = now(), polled_at = NULL")
    failed = run_sweep(instance)
    assert not failed.success
    error = failed.failure_data_for_node("sweep_orgs").error
    assert error is not None
    assert error.message.startswith("None of 3 churches could be synced.\n")
    assert all(f"a church ({org_id})" in error.message for org_id in org_ids)
    assert "refuse" in error.message
    assert not error.stack


@pytest.mark.usefixtures("_database_given")
def test_one_unreachable_church_is_a_sentence_and_no_stack_trace(
    instance: dg.DagsterInstance, database: Database, org_ids: list[str]
) -> None:
    with database.connect() as connection:
        for org_id in org_ids[1:]:
            pause_org(connection, org_id)
        connection.execute("UPDATE sync.source_connections SET api_url = 'http://127.0.0.1:9'")
    swept = run_sweep(instance)
    logged = [each for each in instance.all_logs(swept.run_id) if each.level == logging.ERROR]
    [line] = [each.user_message for each in logged]
    assert line.startswith(f"Cedar Hollow Chapel ({org_ids[0]}): ")
    assert line.endswith("no connection to 127.0.0.1 can be made (ConnectError)")
    assert swept.success, "a failed run has Dagster's stack trace"
    assert observed(instance, CONNECTION.key)[0][2] == "failed"


@pytest.mark.usefixtures("_database_given")
def test_an_undo_by_a_blocking_check_is_seen_at_its_asset(instance: dg.DagsterInstance, database: Database) -> None:
    emails = STREAMS["people.emails"]
    with running_simulator(made_up_churches(1, people=60), rate_limit=GENEROUS) as simulator:
        [org_id] = connect(database, simulator)
        with database.connect() as connection:
            connection.execute(
                "INSERT INTO sync.org_settings (org_id, streams) VALUES (%s, '{people.emails}')", (org_id,)
            )
        assert run_sweep(instance).success
        simulator.drop(org_id, emails.name, [name for name in emails.attributes if not name.endswith("_at")])
        with database.connect() as connection:
            enroll_orgs(connection, Kind.RECONCILE, "pco")
            connection.execute("UPDATE sync.org_schedules SET next_at = now()")
        job = definitions().resolve_job_def("pco_sweep")
        config = {"ops": {"sweep_orgs": {"config": {"kind": Kind.RECONCILE.name}}}}
        job.execute_in_process(instance=instance, raise_on_error=False, run_config=config)

    undone, failed = instance.fetch_observations(EMAILS, limit=5).records
    assert {failed.partition_key, undone.partition_key} == {org_id}
    assert "rows_keep_their_content" in str(undone.asset_observation.description)
    assert failed.asset_observation.metadata["status"].value == "failed"
    assert "rows_keep_their_content" in str(failed.asset_observation.metadata["reason"].value)


def tick(instance: dg.DagsterInstance) -> list[dg.RunRequest | dg.SkipReason]:
    resources = {"engine": definitions().resources["engine"]}
    with dg.build_schedule_context(instance, datetime(2026, 1, 1, tzinfo=UTC), resources) as context:
        return list(incremental_schedule(context))


@pytest.mark.usefixtures("_database_given", "org_ids")
def test_the_schedule_starts_a_sweep_only_where_none_will_take_the_due_orgs(instance: dg.DagsterInstance) -> None:
    [request] = tick(instance)
    assert request.tags == {SHARD_TAG: "incremental-0", "dagster/priority": "0"}

    job = definitions().resolve_job_def("pco_sweep")
    under_way = instance.create_run_for_job(job, tags=request.tags)
    [skipped] = tick(instance)
    assert "3 orgs are due" in skipped.skip_message

    instance.add_run_tags(under_way.run_id, {CLAIMING_TAG: "false"})
    assert isinstance(tick(instance)[0], dg.RunRequest), "one that claims no more is not waited for"

    assert run_sweep(instance).success
    assert [each.skip_message for each in tick(instance)] == ["No org is due."]


@pytest.mark.usefixtures("_database_given", "org_ids")
def test_as_many_sweeps_as_set(instance: dg.DagsterInstance, database: Database) -> None:
    settings = database.settings.model_copy(update={"sweeps_at_once": 3})
    CALLER.set(Caller(replace(database, settings=settings)))
    assert [request.tags[SHARD_TAG] for request in tick(instance)] == [f"incremental-{n}" for n in range(3)]
