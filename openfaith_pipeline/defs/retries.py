"""Retries of crashed runs, including those that Dagster promises but never launches.

Dagster's retry daemon looks once at each failure. It skips a run whose status is not written yet, and if the code
server is unreachable at that moment it gives the run up for good. Its cursor shows that it has looked: a failure before
the cursor without a following run is lost, and is run again by the sensor that calls this module.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg

from openfaith_pipeline.defs.asset_metadata import asset_key
from openfaith_pipeline.defs.dagster_private import (
    BACKFILL_ID_TAG,
    BACKFILL_TAGS,
    BULK_ACTION_TERMINAL_STATUSES,
    IMPLICIT_ASSET_JOB_NAME,
    MAX_RETRIES_TAG,
    PARENT_RUN_ID_TAG,
    RETRY_NUMBER_TAG,
    ROOT_RUN_ID_TAG,
    RUN_FAILURE_REASON_TAG,
    TAGS_TO_MAYBE_OMIT_ON_RETRY,
    RunFailureReason,
    auto_reexecution_should_retry_run,
    check,
)
from openfaith_pipeline.defs.jobs import SYNC_JOB
from openfaith_pipeline.defs.run_tags import PARTITION_TAG, SYNC_ID_TAG, TRIGGER_TAG, sync_id_of, trigger_of
from openfaith_pipeline.defs.selections import checks_of
from openfaith_pipeline.defs.workflow_jobs import WORKFLOW_JOBS
from openfaith_pipeline.sources import STREAMS

LOOKED_BACK: Final = timedelta(hours=6)
"""Maximum age of a failure to retry: older ones have been followed by scheduled syncs."""

_JOBS: Final = {
    IMPLICIT_ASSET_JOB_NAME: SYNC_JOB.name,
    SYNC_JOB.name: SYNC_JOB.name,
    **{job.name: job.name for job in WORKFLOW_JOBS},
}
_CURSOR: Final = f"EVENT_LOG_CONSUMER_CURSOR-{dg.DagsterEventType.RUN_FAILURE.value}"


def is_retried(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether a failed run has been or will be followed by another."""
    return _is_followed(instance, run) or _is_to_be_followed(instance, run)


def _is_followed(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    return bool(instance.get_run_ids(dg.RunsFilter(tags={PARENT_RUN_ID_TAG: run.run_id}), limit=1))


def _is_to_be_followed(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether it crashed, and has been retried less often than the instance allows."""
    if run.remote_job_origin is None:  # from the command line, whose user will run it again
        return False
    reason = run.tags.get(RUN_FAILURE_REASON_TAG)
    if not auto_reexecution_should_retry_run(instance, run, RunFailureReason(reason) if reason else None):
        return False
    backfill_id = run.tags.get(BACKFILL_ID_TAG)
    backfill = instance.get_backfill(backfill_id) if backfill_id else None
    return backfill_id is None or (backfill is not None and backfill.status not in BULK_ACTION_TERMINAL_STATUSES)


def lost_retries(instance: dg.DagsterInstance) -> Iterator[dg.RunRequest]:
    """Run requests for recent failures that Dagster will no longer retry."""
    passed = instance.daemon_cursor_storage.get_cursor_values({_CURSOR}).get(_CURSOR)
    if passed is None:
        return
    partitions = {None, *instance.get_dynamic_partitions("org")}
    filters = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=datetime.now(UTC) - LOOKED_BACK)
    for run in instance.get_runs(filters):
        if (
            run.job_name in _JOBS
            and run.tags.get(PARTITION_TAG) in partitions
            and _is_to_be_followed(instance, run)
            and _is_passed_over(instance, run, int(passed))
            and not _is_followed(instance, run)
        ):
            yield _repeated(instance, run)


def _is_passed_over(instance: dg.DagsterInstance, run: dg.DagsterRun, cursor: int) -> bool:
    failures = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE).records
    return bool(failures) and max(record.storage_id for record in failures) <= cursor


def _checks(run: dg.DagsterRun) -> list[dg.AssetCheckKey] | None:
    """The checks that the run selected; if it selected assets only, the checks of its streams."""
    if run.asset_check_selection is not None:
        return sorted(run.asset_check_selection)
    if run.asset_selection is None:
        return None
    return sorted(checks_of([stream for stream in STREAMS.values() if asset_key(stream) in run.asset_selection]))


def _repeated(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.RunRequest:
    """The same run again, for the same request: the sync continues from its last committed page.

    To Dagster it is a first run, since a sensor cannot name a parent, so its number of remaining retries is set.
    """
    tags = {tag: value for tag, value in run.tags.items() if tag not in TAGS_TO_MAYBE_OMIT_ON_RETRY - BACKFILL_TAGS}
    group = list(check.not_none(instance.get_run_group(run.run_id))[1])
    allowed = int(run.tags.get(MAX_RETRIES_TAG, instance.run_retries_max_retries))
    return dg.RunRequest(
        run_key=f"retry of {run.run_id}",
        job_name=_JOBS[run.job_name],
        asset_selection=sorted(run.asset_selection) if run.asset_selection else None,
        asset_check_keys=_checks(run),
        partition_key=run.tags.get(PARTITION_TAG),
        run_config=run.run_config,
        tags={
            **tags,
            PARENT_RUN_ID_TAG: run.run_id,
            ROOT_RUN_ID_TAG: run.get_root_run_id() or run.run_id,
            RETRY_NUMBER_TAG: str(len(group)),
            MAX_RETRIES_TAG: str(allowed - len(group)),
            SYNC_ID_TAG: sync_id_of(run, instance),
            TRIGGER_TAG: trigger_of(run),
        },
    )
