"""Decide held deletions in Dagster's launchpad."""

from enum import StrEnum

import dagster as dg
from pydantic import Field

from openfaith_pipeline.defs.jobs import EXECUTOR
from openfaith_pipeline.defs.op_errors import acted_on
from openfaith_pipeline.defs.resources import SyncEngine
from openfaith_pipeline.defs.run_handle import current_caller
from openfaith_pipeline.errors import UsageError


class DeletionDecision(StrEnum):
    """Decision about the held rows."""

    APPROVE = "approve"
    REJECT = "reject"


class HeldDeletionConfig(dg.Config):
    """The held deletion, by its number in `openfaith-pipeline deletes list` or the check's alert, and the decision."""

    held_id: int = Field(default=0, description="Its number; 0 is none: fill it in.")
    decision: DeletionDecision = Field(
        default=DeletionDecision.REJECT, description="APPROVE marks the rows deleted, REJECT leaves them."
    )


@dg.op(
    description="Marks the rows of a held deletion deleted after confirming it, or leaves them as they are.",
    out=dg.Out(dg.Nothing),
)
def decide_held(context: dg.OpExecutionContext, config: HeldDeletionConfig, engine: SyncEngine) -> None:
    who = f"run {context.run_id}"
    with acted_on(context):
        if not config.held_id:
            raise UsageError("fill in `held_id`: its number in `openfaith-pipeline deletes list`")
        if config.decision is DeletionDecision.REJECT:
            held = current_caller().run(engine.reject_deletion(config.held_id, who))
            context.add_output_metadata({"stream": held.stream, "rows_left": held.number})
            return
        approval = current_caller().run(engine.approve_deletion(config.held_id, who))
        context.add_output_metadata(
            {
                "sync_id": approval.sync_id,
                "rows_deleted": approval.deleted,
                **{f"under: {k}": n for k, n in approval.under.items()},
            }
        )


@dg.job(
    name="decide_held_deletion",
    description="Approve or reject a held deletion. Give its number and the decision.",
    executor_def=EXECUTOR,
)
def decide_held_deletion() -> None:
    decide_held()
