"""The daily search for the people that OpenFaith's users are."""

from typing import Final

import dagster as dg

from openfaith_pipeline.defs.database_resource import DatabaseResource
from openfaith_pipeline.defs.jobs import EXECUTOR
from openfaith_pipeline.defs.op_errors import RETRY_POLICY, acted_on
from openfaith_pipeline.sources import DEFAULT_SOURCE
from openfaith_pipeline.sync.logins import link_logins

_MOST_ERRORS: Final = 20


@dg.op(
    description="Joins the OpenFaith user who connected an org with the person of that org that the source names for"
    " the user's own token, by the edge user-is-person. A user in doubt stays without.",
    retry_policy=RETRY_POLICY,
    out=dg.Out(dg.Nothing),
)
def link_users_to_people(context: dg.OpExecutionContext, database: DatabaseResource) -> None:
    with acted_on(context):
        done = link_logins(database.database, DEFAULT_SOURCE.adapter)
    context.add_output_metadata(
        {"users_linked": len(done.linked), "users_in_doubt": len(done.doubtful), "failed": len(done.errors)}
    )
    for org_id, error in list(done.errors.items())[:_MOST_ERRORS]:
        context.log.warning(f"{org_id}: {error}")


@dg.job(
    name="link_users",
    description="Join OpenFaith's users with the people that they are, within the org that they connected.",
    executor_def=EXECUTOR,
)
def link_users_job() -> None:
    link_users_to_people()


link_users_schedule = dg.ScheduleDefinition(
    name="link_users",
    job=link_users_job,
    cron_schedule="25 4 * * *",
    description="Once a day, one request for each org whose user has no person yet.",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
