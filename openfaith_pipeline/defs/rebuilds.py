"""Rebuild the OpenFaith tables in Dagster's launchpad, or as a backfill over orgs."""

from collections.abc import Mapping, Sequence
from typing import Final

import dagster as dg
from pydantic import Field

from openfaith_pipeline.defs.failed import Failed
from openfaith_pipeline.defs.jobs import EXECUTOR
from openfaith_pipeline.defs.op_errors import acted_on
from openfaith_pipeline.defs.partitions import ORG
from openfaith_pipeline.defs.resources import SyncEngine
from openfaith_pipeline.defs.run_tags import CHURCH_TAG, ORG_TAG, SYNC_ID_TAG, sync_id_of, trigger_of
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.sync.rebuild import OrgRebuild, RebuildOrder

NUMBERS: Final = ("inserted", "updated", "ended", "unchanged")
_MOST_ROWS: Final = 500


class RebuildConfig(dg.Config):
    """The orgs to rebuild, and how."""

    orgs: list[str] = Field(default=[], description="Ids of orgs; none if the run has an org as its partition.")
    dry_run: bool = Field(default=False, description="Count the changes, and make none.")
    ignores_guards: bool = Field(
        default=False, description="Mark rows without a record deleted, however many they are."
    )


@dg.op(
    description="Rebuilds the OpenFaith tables of these orgs from their raw tables, each org at once, without a"
    " request to the source. It can be rolled back. An org that is being synced, or that would lose more rows than its"
    " guards allow, stays as it is and fails the run.",
    out=dg.Out(dg.Nothing),
)
def rebuild_orgs(context: dg.OpExecutionContext, config: RebuildConfig, engine: SyncEngine) -> None:
    with acted_on(context):
        names = {org_id: engine.name_of(org_id) for org_id in _orgs(context, config)}
        order = _order(context, config, names)
        done = engine.rebuild(order, is_dry=config.dry_run, begun=lambda org_id: context.log.info(names[org_id]))
        metadata = _metadata(order, done, names, is_dry=config.dry_run)
        failed = [f"{names[each.org_id]} ({each.org_id}): {each.error}" for each in done if each.error]
        if failed:
            raise Failed("; ".join(failed), metadata)
        context.add_output_metadata(metadata)


def _orgs(context: dg.OpExecutionContext, config: RebuildConfig) -> list[str]:
    """The ids of the orgs to rebuild. Raises UsageError unless they are given in exactly one way."""
    if context.has_partition_key and not config.orgs:
        return [context.partition_key]
    if context.has_partition_key or not config.orgs:
        raise UsageError("name the orgs to rebuild: either as the run's partition, or in the config `orgs`")
    return list(dict.fromkeys(config.orgs))


def _order(context: dg.OpExecutionContext, config: RebuildConfig, names: Mapping[str, str]) -> RebuildOrder:
    run = context.run
    sync_id = sync_id_of(run, context.instance)
    tags = {SYNC_ID_TAG: sync_id}
    if len(names) == 1:
        [(tags[ORG_TAG], tags[CHURCH_TAG])] = names.items()
    context.instance.add_run_tags(run.run_id, tags)
    return RebuildOrder(list(names), config.ignores_guards, trigger_of(run), sync_id, run.run_id)


def _metadata(
    order: RebuildOrder, done: Sequence[OrgRebuild], names: Mapping[str, str], *, is_dry: bool
) -> dict[str, dg.MetadataValue | int | str | bool]:
    """Counts of the orgs that were rebuilt; the intended changes of the others are in the table only."""
    tables = [table for each in done if not each.error for table in each.tables.values()]
    rows = [
        {"church": names[org.org_id], "table": each.table, **{name: getattr(each, name) for name in NUMBERS}}
        for org in done
        for each in org.tables.values()
        if each.written
    ]
    return {
        **({} if is_dry else {"sync_id": order.sync_id}),
        "is_dry_run": is_dry,
        "orgs_rebuilt": 0 if is_dry else sum(not each.error for each in done),
        "orgs_failed": sum(each.error is not None for each in done),
        **{f"rows_{name}": sum(getattr(table, name) for table in tables) for name in NUMBERS},
        "changes": dg.MetadataValue.table([dg.TableRecord(row) for row in rows[:_MOST_ROWS]], _SCHEMA),
    }


_SCHEMA: Final = dg.TableSchema(
    [dg.TableColumn("church"), dg.TableColumn("table"), *(dg.TableColumn(name, "int") for name in NUMBERS)]
)


@dg.job(
    name="rebuild",
    description="Rebuild the OpenFaith tables from the raw tables: of the org that is the run's partition, or of"
    " those in the config; as a preview with dry_run.",
    partitions_def=ORG,
    executor_def=EXECUTOR,
)
def rebuild_job() -> None:
    rebuild_orgs()
