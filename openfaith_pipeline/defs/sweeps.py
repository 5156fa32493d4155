"""The sweep as a job: a plain op, which causes no Dagster events for an org without changes."""

from dataclasses import dataclass
from typing import Any, Final

import dagster as dg

from openfaith_pipeline.database.canonical_tables import CANONICAL_PREFIX
from openfaith_pipeline.defs.asset_metadata import (
    CHURCH,
    asset_key,
    canonical_metadata,
    failure_metadata,
    stream_metadata,
)
from openfaith_pipeline.defs.compensation import rollback_events
from openfaith_pipeline.defs.connection_asset import CONNECTION
from openfaith_pipeline.defs.failed import failed_for_all
from openfaith_pipeline.defs.jobs import EXECUTOR
from openfaith_pipeline.defs.op_errors import RETRY_POLICY, acted_on
from openfaith_pipeline.defs.placement import canonical_key
from openfaith_pipeline.defs.resources import SyncEngine
from openfaith_pipeline.defs.run_tags import trigger_of
from openfaith_pipeline.orgs.turns import Kind
from openfaith_pipeline.sources import DEFAULT_SOURCE, STREAMS
from openfaith_pipeline.sync.sweep import ORGS_AT_ONCE, OrgOutcome, SweepOrder, SweepReport

SHARD_TAG: Final = "openfaith/shard"
CLAIMING_TAG: Final = "openfaith/claiming"
"""`false` on a sweep that only finishes its orgs and no longer blocks another sweep."""

_FAILURES_TOLD: Final = 20
_UNSYNCED_SHOWN: Final = 20
"""Tables of one org: where more fail, it is the connection that fails, and each event costs some milliseconds."""


class SweepConfig(dg.Config):
    """Kind of the sweep, and the number of orgs it syncs concurrently."""

    kind: Kind = Kind.INCREMENTAL
    orgs_at_once: int = ORGS_AT_ONCE


@dg.op(
    description="Claims due orgs and syncs them concurrently; materializes the changed tables of each.",
    retry_policy=RETRY_POLICY,
    out=dg.Out(dg.Nothing),
)
def sweep_orgs(context: dg.OpExecutionContext, config: SweepConfig, engine: SyncEngine) -> None:
    order = SweepOrder(
        DEFAULT_SOURCE.adapter, config.kind, context.run_id, trigger_of(context.run), config.orgs_at_once
    )
    with acted_on(context):
        report = engine.sweep(order, _Teller(context, engine))
    context.add_output_metadata(_described(report))
    for org_id, error in list(report.failures.items())[:_FAILURES_TOLD]:
        context.log.error(f"{engine.name_of(org_id)} ({org_id}): {error}")
    # Of a single org, that line says all. Each has its own time of retry, which one of the whole op would not respect.
    if len(report.failures) == report.orgs > 1:
        names = {org_id: engine.name_of(org_id) for org_id in report.failures}
        raise failed_for_all(f"None of {report.orgs} churches could be synced.", report.failures, names)


@dg.job(
    name=DEFAULT_SOURCE.sweep_job,
    description="The periodic sync of every due org.",
    executor_def=EXECUTOR,
)
def sweep_job() -> None:
    sweep_orgs()


@dataclass(frozen=True)
class _Teller:
    """Reports a sweep's events to Dagster."""

    context: dg.OpExecutionContext
    engine: SyncEngine

    def finished(self, outcome: OrgOutcome) -> None:
        """Report an event for each table that was changed, rolled back or not synced, raw ones first."""
        if not (outcome.streams or outcome.tables or outcome.error):
            return
        church = self.engine.name_of(outcome.org_id)
        self._report_failures(outcome, church)
        for compensation in filter(None, (result.compensation for result in outcome.streams.values())):
            for event in rollback_events(compensation.order, compensation.undone, {outcome.org_id: church}):
                self.context.log_event(event)
        for name in outcome.changed:
            if result := outcome.streams.get(name):
                metadata = stream_metadata(STREAMS[name], result, outcome.sync_id, church)
                self._log(asset_key(STREAMS[name]), outcome.org_id, metadata)
        for table, made in outcome.tables.items():
            table_name = f'{self.engine.canonical_schema}."{CANONICAL_PREFIX}{table}"'
            metadata = canonical_metadata(made, table_name, outcome.sync_id, church)
            self._log(canonical_key(table), outcome.org_id, metadata)

    def _report_failures(self, outcome: OrgOutcome, church: str) -> None:
        """Report an observation of the connection, and of each table that was not synced, up to a limit."""
        if outcome.error is None:
            return
        whole = {CHURCH: church, "status": "failed", "reason": outcome.error, "sync_id": outcome.sync_id}
        self._observe(CONNECTION.key, outcome.org_id, whole)
        unsynced = [result for result in outcome.streams.values() if result.is_unsynced]
        for result in unsynced[:_UNSYNCED_SHOWN]:
            metadata = failure_metadata(result, outcome.sync_id, church)
            self._observe(asset_key(STREAMS[result.stream]), outcome.org_id, metadata)

    def claims_no_more(self) -> None:
        self.context.instance.add_run_tags(self.context.run_id, {CLAIMING_TAG: "false"})

    def _observe(self, key: dg.AssetKey, org_id: str, metadata: dict[str, Any]) -> None:
        self.context.log_event(dg.AssetObservation(key, partition=org_id, metadata=metadata))

    def _log(self, key: dg.AssetKey, org_id: str, metadata: dict[str, Any]) -> None:
        self.context.log_event(dg.AssetMaterialization(key, partition=org_id, metadata=metadata))


def _described(report: SweepReport) -> dict[str, Any]:
    return {
        "orgs": report.orgs,
        "orgs_changed": report.changed_orgs,
        "orgs_failed": len(report.failures),
        "requests": report.requests,
    }
