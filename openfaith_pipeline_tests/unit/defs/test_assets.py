"""The definitions of assets follow from the catalog."""

from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database.raw_tables import raw_table
from openfaith_pipeline.definitions import defs
from openfaith_pipeline.defs.op_errors import acted_on
from openfaith_pipeline.defs.run_handle import Caller
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.transform import SOURCES

SPECS = {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}
NODES = defs.get_repository_def().asset_graph.materializable_asset_keys
MADE = [assets for assets in defs.assets or () if isinstance(assets, dg.AssetsDefinition)]


def _user_key(stream: Stream) -> str:
    return f"{stream.schema}/{stream.short_name}"


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_a_stream_is_one_asset_of_its_table(stream: Stream) -> None:
    spec = SPECS[_user_key(stream)]

    assert spec.group_name == stream.schema
    assert spec.kinds == {"planningcenter", "postgres"}
    assert tuple(spec.owners) == ("team:openfaith",)
    assert spec.metadata["dagster/table_name"] == f"{stream.schema}.{stream.short_name}"
    columns = [column.name for column in spec.metadata["dagster/column_schema"].columns]
    assert columns == [column.name for column in raw_table(stream).columns]
    assert stream.reference_url in spec.description


def test_the_graph_is_the_catalog_and_the_canonical_model() -> None:
    graph = defs.get_repository_def().asset_graph
    found = {key.to_user_string(): sorted(k.to_user_string() for k in graph.get(key).parent_keys) for key in NODES}
    raw = {
        _user_key(stream): sorted(_user_key(STREAMS[name]) for name in stream.parents) for stream in STREAMS.values()
    }
    made = {f"openfaith/{table}": sorted(_user_key(STREAMS[name]) for name in SOURCES[table]) for table in SOURCES}
    assert found == {**raw, **made}
    assert [key.to_user_string() for key in graph.external_asset_keys] == ["planning_center/connection"]


def test_a_product_is_one_op_and_the_canonical_model_another() -> None:
    ops = {(key.path[0], defs.get_repository_def().asset_graph.get(key).assets_def.op.name) for key in NODES}
    assert all(group == op for group, op in ops)


def test_a_child_follows_from_its_parent() -> None:
    assert [dep.asset_key for dep in SPECS["pco_people/household_memberships"].deps] == [
        dg.AssetKey(["pco_people", "households"])
    ]


def test_columns_have_the_types_of_the_database() -> None:
    types = {
        column.name: column.type for column in SPECS["pco_people/emails"].metadata["dagster/column_schema"].columns
    }
    assert types["primary"] == "boolean"
    assert types["updated_at"] == "timestamp with time zone"
    assert types["_extra"] == "jsonb"


def test_columns_have_their_words_and_marks() -> None:
    raw = {each.name: each for each in SPECS["pco_people/people"].metadata["dagster/column_schema"].columns}
    made = {each.name: each for each in SPECS["openfaith/people"].metadata["dagster/column_schema"].columns}
    assert raw["medical_notes"].description == "Allergies, illnesses and other needs, in free text"
    assert raw["medical_notes"].tags == {"openfaith/sensitivity": "health"}
    assert raw["status"].description == "active or inactive"
    assert raw["created_at"].tags == {}
    assert made["firstName"].description == "First name of the person; from `first_name`"
    assert made["firstName"].tags == {"openfaith/sensitivity": "personal"}
    assert made["customFields"].tags == {"openfaith/sensitivity": "health"}


def test_no_column_of_an_asset_is_without_words() -> None:
    schemas = {key: schema for key, spec in SPECS.items() if (schema := spec.metadata.get("dagster/column_schema"))}
    assert len(schemas) == len(STREAMS) + len(SOURCES)
    bare = [(key, each.name) for key, schema in schemas.items() for each in schema.columns if not each.description]
    assert bare == []


def test_every_asset_and_check_is_partitioned_by_org() -> None:
    graph = defs.get_repository_def().asset_graph
    nodes = [graph.get(key) for key in [*graph.get_all_asset_keys(), *graph.asset_check_keys]]
    assert {node.partitions_def for node in nodes} == {dg.DynamicPartitionsDefinition(name="org")}


def test_the_job_covers_everything_and_runs_in_one_process() -> None:
    job = defs.resolve_job_def("pco_sync")
    assert set(job.asset_layer.executable_asset_keys) == set(NODES)
    assert job.executor_def.name == "in_process"
    assert defs.resolve_implicit_global_asset_job_def().executor_def.name == "in_process"


def test_ops_are_retried_with_growing_delays() -> None:
    assert MADE
    for assets in MADE:
        # The op rests by itself: see test_the_rests_before_retries_grow.
        assert (assets.op.retry_policy.max_retries, assets.op.retry_policy.delay) == (3, None)


@pytest.mark.parametrize(("retry", "least", "most"), [(0, 0, 0), (1, 2.5, 7.5), (2, 5, 15), (3, 10, 30)])
def test_the_rests_before_retries_grow(retry: int, least: float, most: float, monkeypatch: pytest.MonkeyPatch) -> None:
    rests: list[float] = []
    monkeypatch.setattr(Caller, "rest", lambda _, seconds: rests.append(seconds))
    instance = SimpleNamespace(get_run_by_id=lambda _: None)
    context: Any = SimpleNamespace(
        op_def=SimpleNamespace(name="op"),
        retry_number=retry,
        instance=instance,
        run=SimpleNamespace(run_id="run", job_name="job", tags={}),
    )
    with acted_on(context):
        pass

    assert len(rests) == bool(retry)
    assert all(least <= seconds <= most for seconds in rests)


def test_a_backfill_is_one_run_for_each_org() -> None:
    assert {assets.backfill_policy.max_partitions_per_run for assets in MADE} == {1}
