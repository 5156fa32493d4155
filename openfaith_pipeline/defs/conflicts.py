"""Decide conflicts in Dagster's launchpad."""

from enum import StrEnum

import dagster as dg
from pydantic import Field

from openfaith_pipeline.defs.jobs import EXECUTOR
from openfaith_pipeline.defs.op_errors import acted_on
from openfaith_pipeline.defs.resources import SyncEngine
from openfaith_pipeline.errors import UsageError


class ConflictDecision(StrEnum):
    """The value to keep: the source's, or OpenFaith's."""

    APPROVE = "approve"
    REJECT = "reject"


class ConflictsConfig(dg.Config):
    """The conflicts, by their names in `openfaith-pipeline review list`, and the decision of them all."""

    conflict_ids: list[str] = Field(default=[], description="Their names; fill them in.")
    decision: ConflictDecision = Field(
        default=ConflictDecision.REJECT, description="APPROVE writes the source's values, REJECT keeps OpenFaith's."
    )


@dg.op(
    description="Writes the source's values of these conflicts, or keeps OpenFaith's. It can be rolled back.",
    out=dg.Out(dg.Nothing),
)
def decide_conflicts(context: dg.OpExecutionContext, config: ConflictsConfig, engine: SyncEngine) -> None:
    with acted_on(context):
        if not config.conflict_ids:
            raise UsageError("fill in `conflict_ids`: their names in `openfaith-pipeline review list`")
        decided = engine.decide_conflicts(config.conflict_ids, config.decision, f"run {context.run_id}")
        context.add_output_metadata({"sync_id": decided.sync_id, "conflicts_decided": len(decided.conflicts)})


@dg.job(
    name="resolve_conflicts",
    description="Approve or reject conflicts that wait. Give their names and the decision.",
    executor_def=EXECUTOR,
)
def resolve_conflicts() -> None:
    decide_conflicts()
