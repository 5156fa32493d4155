"""Runs that were launched and did not begin: lost, or only waiting.

Dagster fails each run that has not begun within a fixed time, also one that waits for a slot of a busy worker, or for
its turn in a process that syncs many orgs; and it would do so to each retry. Here the launcher is asked.
"""

from datetime import UTC, datetime, timedelta

import dagster as dg

from openfaith_pipeline.defs.dagster_private import JobFailureData, RunFailureReason
from openfaith_pipeline.defs.launcher import START_WITHIN
from openfaith_pipeline.defs.live_runs import end_if_dead

_NOT_BEGUN = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.NOT_STARTED]


def fail_lost_starts(instance: dg.DagsterInstance) -> int:
    """Fail the runs that will never start, so that they are retried; returns their number."""
    return sum(
        _fail_if_lost(instance, record) for record in instance.get_run_records(dg.RunsFilter(statuses=_NOT_BEGUN))
    )


def _fail_if_lost(instance: dg.DagsterInstance, record: dg.RunRecord) -> bool:
    run = record.dagster_run
    waited = datetime.now(UTC) - record.update_timestamp
    if run.status is dg.DagsterRunStatus.NOT_STARTED:
        return waited > START_WITHIN and end_if_dead(instance, run)
    reason = _lost_start(instance, run, waited)
    if reason:
        failure = JobFailureData(error=None, failure_reason=RunFailureReason.START_TIMEOUT)
        instance.report_run_failed(run, reason, failure)
    return reason is not None


def _lost_start(instance: dg.DagsterInstance, run: dg.DagsterRun, waited: timedelta) -> str | None:
    """Why the run will never start, according to the launcher if it is one of ours."""
    judge = getattr(instance.run_launcher, "lost_start", None)
    return judge(run, waited) if judge else None
