"""Checks of the OpenFaith tables as definitions: no sync runs them; and where each column comes from."""

from collections.abc import Mapping, Sequence

import dagster as dg
import pytest

from openfaith_pipeline.defs.asset_metadata import asset_key
from openfaith_pipeline.defs.canonical_checks import NAME, canonical_check_keys
from openfaith_pipeline.defs.jobs import SYNC_JOB
from openfaith_pipeline.defs.location import definitions, sync_definitions
from openfaith_pipeline.defs.placement import canonical_key
from openfaith_pipeline.defs.selections import assets_of, checks_of
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.transform import SOURCES
from openfaith_pipeline_tests.unit.defs.conftest import ORG_ID, FakeEngine

EMAILS = STREAMS["people.emails"]


def test_each_table_has_the_checks_that_fit_it() -> None:
    graph = definitions().resolve_asset_graph()
    found = {table: {key.name for key in graph.get_check_keys_for_assets({canonical_key(table)})} for table in SOURCES}
    assert found.pop("externalLinks") == {"no_orphan_links"}
    assert found.pop("edges") == {"no_orphan_edges"}
    assert found.pop("entityRelationships") == set()
    assert all(
        each == {"as_many_as_records", "no_entity_without_record", "no_conflict_waits"} for each in found.values()
    )


def test_no_sync_runs_them() -> None:
    job = definitions().resolve_job_def(SYNC_JOB.name)
    assert NAME not in {node.name for node in job.nodes}
    chosen = job.get_subset(asset_selection=assets_of([EMAILS]), asset_check_selection=checks_of([EMAILS]))
    assert sorted(node.name for node in chosen.nodes) == ["openfaith", "pco_people"]
    assert checks_of([EMAILS]) and not checks_of(STREAMS.values()) & {*canonical_check_keys()}


def test_they_run_beside_no_table_when_a_person_executes_them_all() -> None:
    job = definitions().resolve_implicit_global_asset_job_def()
    chosen = job.get_subset(asset_selection=set(), asset_check_selection={*canonical_check_keys()})
    assert [node.name for node in chosen.nodes] == [NAME]


def test_a_sync_of_this_process_has_no_such_checks() -> None:
    job = sync_definitions().resolve_job_def(SYNC_JOB.name)
    assert NAME not in {node.name for node in job.get_subset(asset_selection=assets_of([EMAILS])).nodes}


def test_checks_of_streams_are_executed_without_a_sync(engine: FakeEngine, instance: dg.DagsterInstance) -> None:
    ours = sync_definitions()
    defs = dg.Definitions(ours.assets, jobs=[SYNC_JOB], executor=ours.executor, resources={"engine": engine})
    job = defs.resolve_job_def(SYNC_JOB.name).get_subset(asset_check_selection={*checks_of([EMAILS])})
    result = job.execute_in_process(instance=instance, partition_key=ORG_ID)
    assert result.success
    examined = {each.check_name for each in result.get_asset_check_evaluations()}
    assert examined == {key.name for key in checks_of([EMAILS])}
    assert (engine.asked, engine.transformed) == ([], [])


@pytest.mark.parametrize(
    ("table", "column", "origins"),
    [
        ("emails", "address", {("people.emails", "address")}),
        ("people", "birthdate", {("people.people", "birthdate")}),
        ("households", "primaryContactId", {("people.households", "primary_contact_id")}),
        ("workflowSteps", "folderId", {("people.workflow_steps", "workflow_id")}),
        ("groups", "status", {("groups.groups", "archived_at")}),
        ("donations", "deletedAt", {("giving.donations", "_deleted_at")}),
    ],
)
def test_columns_name_their_raw_columns(table: str, column: str, origins: set[tuple[str, str]]) -> None:
    found = _lineage(table)[column]
    assert {(dep.asset_key, dep.column_name) for dep in found} == {
        (asset_key(STREAMS[stream]), name) for stream, name in origins
    }


def test_custom_fields_and_edges_name_all_that_they_read() -> None:
    fields = {(dep.asset_key, dep.column_name) for dep in _lineage("people")["customFields"]}
    for stream, column in (
        ("people.people", "nickname"),
        ("people.marital_statuses", "value"),
        ("people.field_data", "value"),
    ):
        assert (asset_key(STREAMS[stream]), column) in fields
    edges = {(dep.asset_key, dep.column_name) for dep in _lineage("edges")["sourceEntityId"]}
    assert (asset_key(EMAILS), "person_id") in edges
    metadata = {(dep.asset_key, dep.column_name) for dep in _lineage("edges")["metadata"]}
    assert (asset_key(STREAMS["groups.memberships"]), "role") in metadata


def test_every_origin_is_a_column_of_a_raw_table() -> None:
    columns = {
        asset_key(stream): {*stream.columns, "org_id", "id", "_deleted_at", "_first_seen_at"}
        for stream in STREAMS.values()
    }
    wrong = [
        (table, column, dep)
        for table in SOURCES
        for column, deps in _lineage(table).items()
        for dep in deps
        if dep.column_name not in columns[dep.asset_key]
    ]
    assert wrong == []
    assert all(_lineage(table) for table in SOURCES if table != "entityRelationships")


def _lineage(table: str) -> Mapping[str, Sequence[dg.TableColumnDep]]:
    metadata = definitions().resolve_asset_graph().get(canonical_key(table)).metadata
    found = metadata.get("dagster/column_lineage")
    return found.deps_by_column if isinstance(found, dg.TableColumnLineage) else {}
