"""A job for each workflow with activities: one op for each activity, in order."""

from itertools import pairwise
from typing import Any, Final

import dagster as dg

from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.database_resource import DatabaseResource
from openfaith_pipeline.defs.failed import Failed
from openfaith_pipeline.defs.op_errors import acted_on
from openfaith_pipeline.defs.run_tags import REQUEST_TAG
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.inbox.lifecycle import take_request
from openfaith_pipeline.workflows.definition import Activity, ActivityFailed, Workflow
from openfaith_pipeline.workflows.execution import ActivityToRetry, Executor
from openfaith_pipeline.workflows.registry import WORKFLOWS

_AFTER: Final = "after"


def _begin(database: Database, run: dg.DagsterRun) -> Executor:
    """The executor for the run's request. Raises UsageError, RequestCanceled."""
    request_id = run.tags.get(REQUEST_TAG)
    if request_id is None:
        raise UsageError(f"a run of {run.job_name} needs a request; make one: POST /workflows/{run.job_name}")
    with database.connect() as connection:
        take_request(connection, request_id, run.run_id)
    return Executor(database, request_id)


def _job(workflow: Workflow[Any]) -> dg.JobDefinition:
    ops = [_op(workflow, activity) for activity in workflow.activities]
    dependencies = {after.name: {_AFTER: dg.DependencyDefinition(before.name)} for before, after in pairwise(ops)}
    graph = dg.GraphDefinition(
        name=workflow.name, description=workflow.description, node_defs=ops, dependencies=dependencies
    )
    return graph.to_job(executor_def=dg.in_process_executor, tags={"openfaith/workflow": workflow.name})


def _op(workflow: Workflow[Any], activity: Activity[Any]) -> dg.OpDefinition:
    is_first = activity is workflow.activities[0]

    @dg.op(
        name=f"{workflow.name}_{activity.name}",
        description=(activity.do.__doc__ or "").strip() or None,
        ins={} if is_first else {_AFTER: dg.In(dg.Nothing)},
        out=dg.Out(dg.Nothing),
    )
    def carry_out(context: dg.OpExecutionContext, database: DatabaseResource) -> None:
        with acted_on(context):
            _carry_out(context, _begin(database.database, context.run), activity)

    return carry_out


def _carry_out(context: dg.OpExecutionContext, executor: Executor, activity: Activity[Any]) -> None:
    try:
        executor.run(activity.name)
    except ActivityToRetry as trouble:
        context.log.warning(f"{trouble}; retry in {trouble.wait.total_seconds():.0f} s")
        # The executor limits the attempts, counting over all runs; Dagster only has to allow them.
        raise dg.RetryRequested(activity.retry.attempts, trouble.wait.total_seconds()) from trouble
    except ActivityFailed as failure:
        raise Failed(str(failure)) from failure


WORKFLOW_JOBS: Final = tuple(_job(workflow) for workflow in WORKFLOWS.values() if not workflow.is_sync)
