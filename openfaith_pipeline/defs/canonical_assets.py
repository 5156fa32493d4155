"""The canonical OpenFaith tables as assets, downstream of the streams that feed them."""

import re
from collections.abc import Iterator
from typing import Any, Final

import dagster as dg

from openfaith_pipeline.database.canonical_tables import CANONICAL_PREFIX
from openfaith_pipeline.database.canonical_tables import canonical_metadata as canonical_tables
from openfaith_pipeline.defs.asset_metadata import canonical_metadata, column_schema
from openfaith_pipeline.defs.column_lineage import column_lineage
from openfaith_pipeline.defs.op_errors import RETRY_POLICY, acted_on
from openfaith_pipeline.defs.placement import CANONICAL_GROUP, HERE, Placement
from openfaith_pipeline.defs.raw_assets import OWNERS
from openfaith_pipeline.defs.resources import SyncEngine
from openfaith_pipeline.defs.run_tags import PARTITION_TAG, request_of
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.transform import SOURCES

_SCHEMA: Final = "public"  # for the descriptions only; the running process has its own setting


# Sweeps and webhooks update these tables themselves; a run of raw assets alone does not.
_FOLLOWS_RUNS: Final = (
    dg.AutomationCondition.any_deps_match(
        dg.AutomationCondition.newly_updated()
        & dg.AutomationCondition.any_new_update_has_run_tags(tag_keys={PARTITION_TAG})
    ).since_last_handled()
    & ~dg.AutomationCondition.in_progress()
    & ~dg.AutomationCondition.any_deps_in_progress()
).with_label("a run has updated its sources")


def canonical_spec(table: str, place: Placement = HERE) -> dg.AssetSpec:
    """The asset of one canonical table."""
    name = f"{CANONICAL_PREFIX}{table}"
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", table).capitalize()
    return dg.AssetSpec(
        key=place.canonical(table),
        deps=[place.raw(STREAMS[source]) for source in SOURCES[table]],
        group_name=place.group or CANONICAL_GROUP,
        kinds={"openfaith", "postgres"},
        owners=OWNERS,
        description=f"{words} of the OpenFaith data model: the table `{name}`, made from the raw tables of the org.",
        metadata={
            "dagster/column_schema": column_schema(canonical_tables(_SCHEMA).tables[f"{_SCHEMA}.{name}"]),
            "dagster/column_lineage": column_lineage(table, place),
        },
        skippable=True,
        partitions_def=place.partitions,
        automation_condition=_FOLLOWS_RUNS,
    )


def canonical_assets(place: Placement = HERE) -> dg.AssetsDefinition:
    """All canonical tables: any selection of them is one op and one transaction."""

    @dg.multi_asset(
        name=CANONICAL_GROUP,
        description="Updates the OpenFaith tables from the raw ones, in one transaction for each org.",
        specs=[canonical_spec(table, place) for table in SOURCES],
        can_subset=True,
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
        retry_policy=RETRY_POLICY,
    )
    def transform_raw(context: dg.AssetExecutionContext, engine: SyncEngine) -> Iterator[dg.MaterializeResult[Any]]:
        request = request_of(context, engine.name_of)
        tables = [table for table in SOURCES if place.canonical(table) in context.selected_asset_keys]
        with acted_on(context):
            results = engine.transform(request, tables)
        for table in tables:
            table_name = f'{engine.canonical_schema}."{CANONICAL_PREFIX}{table}"'
            metadata = canonical_metadata(results[table], table_name, request.sync_id, request.church)
            context.add_asset_metadata(metadata, asset_key=place.canonical(table), partition_key=request.org_id)
            yield dg.MaterializeResult(asset_key=place.canonical(table))

    return transform_raw


canonical_sensor = dg.AutomationConditionSensorDefinition(
    "canonical",
    target=dg.AssetSelection.groups(CANONICAL_GROUP),
    description="Updates an org's OpenFaith tables after a run that materialized only their raw sources.",
    default_status=dg.DefaultSensorStatus.RUNNING,
)
