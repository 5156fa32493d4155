"""A person's word on a held deletion, given in Dagster's launchpad."""

from enum import StrEnum

import dagster as dg

from openfaith_pipeline.defs.jobs import EXECUTOR
from openfaith_pipeline.defs.op_errors import acted_on
from openfaith_pipeline.defs.resources import SyncEngine
from openfaith_pipeline.defs.run_handle import current_caller


class DeletionDecision(StrEnum):
    """What is to become of the held rows."""

    APPROVE = "approve"
    REJECT = "reject"


class HeldDeletionConfig(dg.Config):
    """Which held deletion, by its number in `openfaith-pipeline deletes list` or the check's alert, and what of it."""

    held_id: int
    decision: DeletionDecision


@dg.op(
    description="Marks the rows of a held deletion deleted once it is confirmed, or leaves them as they are.",
    out=dg.Out(dg.Nothing),
)
def decide_held(context: dg.OpExecutionContext, config: HeldDeletionConfig, engine: SyncEngine) -> None:
    who = f"run {context.run_id}"
    with acted_on(context):
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
    description="Approve or reject a deletion that is so large that it is held. Give its number and the decision.",
    executor_def=EXECUTOR,
)
def decide_held_deletion() -> None:
    decide_held()
