"""The daily maintenance job."""

from dataclasses import asdict

import dagster as dg

from openfaith_pipeline.defs.database_resource import DatabaseResource
from openfaith_pipeline.defs.jobs import EXECUTOR
from openfaith_pipeline.defs.op_errors import RETRY_POLICY, acted_on
from openfaith_pipeline.privacy.unreclaimed import finish_erasures
from openfaith_pipeline.sync.maintenance import maintain


@dg.op(
    description="Creates the journal's next months, drops those past retention, gives up abandoned syncs, and"
    " deletes old runs and events, except the newest of each asset's partition."
    " Rewrites tables that an erasure has left.",
    retry_policy=RETRY_POLICY,
    out=dg.Out(dg.Nothing),
)
def keep_in_order(context: dg.OpExecutionContext, database: DatabaseResource) -> None:
    with acted_on(context):
        kept = maintain(database.database)
        finished = finish_erasures(database.database)
    context.add_output_metadata({**asdict(kept), "erasures_finished": len(finished)})


@dg.job(name="maintenance", description="Daily maintenance.", executor_def=EXECUTOR)
def maintenance_job() -> None:
    keep_in_order()


maintenance_schedule = dg.ScheduleDefinition(
    name="maintenance",
    job=maintenance_job,
    cron_schedule="40 3 * * *",
    description="Runs maintenance once a day.",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
