"""Maintenance as a job, once a day."""

from dataclasses import asdict

import dagster as dg

from openfaith_pipeline.defs.jobs import EXECUTOR
from openfaith_pipeline.defs.storage import database_of
from openfaith_pipeline.sync.maintenance import maintain


@dg.op(
    description="Makes the journal's next months, drops those past retention, gives up syncs nobody continued, and"
    " forgets old runs with their events, but for the newest of each asset's partition.",
    out=dg.Out(dg.Nothing),
)
def keep_in_order(context: dg.OpExecutionContext) -> None:
    context.add_output_metadata(asdict(maintain(database_of(context.instance))))


@dg.job(name="maintenance", description="What is to be done once a day.", executor_def=EXECUTOR)
def maintenance_job() -> None:
    keep_in_order()


maintenance_schedule = dg.ScheduleDefinition(
    name="maintenance",
    job=maintenance_job,
    cron_schedule="40 3 * * *",
    description="Maintenance, once a day.",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
