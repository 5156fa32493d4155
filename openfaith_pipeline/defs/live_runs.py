"""Runs in progress: find them, fail dead ones, wait for their end."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import dagster as dg

from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.run_tags import PARTITION_TAG, SYNC_ID_TAG
from openfaith_pipeline.defs.worker_health import GRACE, LOOK_AGAIN, Doubtful
from openfaith_pipeline.load.run_leases import silence_of

_UNDER_WAY: Final = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
_POLL_SECONDS: Final = 0.5


def find_live_run(instance: dg.DagsterInstance, org_id: str) -> dg.DagsterRun | None:
    """The org's run whose process may be alive. Runs with a dead process are failed, as the daemon would do."""
    filters = dg.RunsFilter(statuses=_UNDER_WAY, tags={PARTITION_TAG: org_id})
    return next((run for run in instance.get_runs(filters) if not end_if_dead(instance, run)), None)


def end_if_dead(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Mark the run failed if its process is gone; returns whether it was."""
    if run.status is dg.DagsterRunStatus.NOT_STARTED and _was_never_begun(instance, run):
        instance.report_run_failed(run, "the process that created it is gone")
        return True
    if run.status not in _UNDER_WAY:
        return False
    health = instance.run_launcher.check_run_worker_health(run)
    if isinstance(health, Doubtful):
        time.sleep(LOOK_AGAIN.total_seconds())
        health = instance.run_launcher.check_run_worker_health(run)
    if health.status.value == "RUNNING":
        return False
    instance.report_run_failed(run, f"{health.msg}; another run of the org begins")
    return True


def _was_never_begun(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether no process is left to begin it. The runs of a sync of many orgs wait for each other, in one process."""
    record = instance.get_run_record_by_id(run.run_id)
    is_old = record is not None and datetime.now(UTC) - record.create_timestamp > GRACE
    others = dg.RunsFilter(statuses=_UNDER_WAY, tags={SYNC_ID_TAG: run.tags.get(SYNC_ID_TAG, "")})
    return is_old and not instance.get_runs(others, limit=1)


def wait_for_end(instance: dg.DagsterInstance, runs: Iterable[dg.DagsterRun]) -> None:
    """Wait until each run has ended, or its process is found dead."""
    for run in runs:
        while (now := instance.get_run_by_id(run.run_id)) is not None and not now.is_finished:
            if end_if_dead(instance, now):
                break
            time.sleep(_POLL_SECONDS)


def has_beaten_within(database: Database, run_id: str, seconds: float) -> bool:
    """Whether the run's process sent a heartbeat within the last seconds, which proves that it is alive."""
    with database.connect() as connection:
        silence = silence_of(connection, run_id)
    return silence is not None and silence.lasts.total_seconds() < seconds
