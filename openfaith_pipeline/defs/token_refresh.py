"""The hourly refresh of OAuth tokens, so that no sync begins with one about to expire."""

from typing import Final

import dagster as dg

from openfaith_pipeline.connections.oauth_tokens import due_tokens, refresh_due_tokens
from openfaith_pipeline.defs.database_resource import DatabaseResource
from openfaith_pipeline.defs.failed import failed_for_all
from openfaith_pipeline.defs.jobs import EXECUTOR
from openfaith_pipeline.defs.op_errors import RETRY_POLICY, acted_on
from openfaith_pipeline.orgs.naming import names_of

_FAILURES_TOLD: Final = 20


@dg.op(
    description="Refreshes every token that would expire before the next hourly refresh.",
    retry_policy=RETRY_POLICY,
    out=dg.Out(dg.Nothing),
)
def refresh_tokens(context: dg.OpExecutionContext, database: DatabaseResource) -> None:
    with acted_on(context):
        outcomes = refresh_due_tokens(database.database)
    failures = {org_id: error for org_id, error in outcomes.items() if error}
    context.add_output_metadata({"refreshed": len(outcomes) - len(failures), "failed": len(failures)})
    for org_id, error in list(failures.items())[:_FAILURES_TOLD]:
        context.log.warning(f"{org_id}: {error}")
    if failures and len(failures) == len(outcomes) > 1:
        # A single failure is retried by each sync, and a dead connection has an alert; if all fail, the cause is
        # elsewhere.
        with database.connect() as connection:
            names = names_of(connection, failures)
        raise failed_for_all(f"None of {len(outcomes)} tokens could be refreshed.", failures, names)


@dg.job(name="token_refresh", description="Keeps OAuth connections alive.", executor_def=EXECUTOR)
def token_refresh_job() -> None:
    refresh_tokens()


@dg.schedule(
    job=token_refresh_job,
    name="token_refresh",
    cron_schedule="7 * * * *",
    description="Refreshes OAuth tokens each hour; nothing is started where none is due.",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def token_refresh_schedule(
    context: dg.ScheduleEvaluationContext,  # noqa: ARG001 - the form that Dagster calls
    database: DatabaseResource,
) -> dg.RunRequest | dg.SkipReason:
    due = due_tokens(database.database)
    return dg.RunRequest() if due else dg.SkipReason("No token is due.")
