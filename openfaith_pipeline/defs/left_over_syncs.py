"""Syncs recorded as running that nobody works on: the process was killed, or had no time to record its end.

A run that ends by itself or is terminated records how its syncs ended. One that was killed leaves them running; Dagster
notices, and marks the run.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import dagster as dg
from psycopg import Connection

from openfaith_pipeline.defs.reports import runs_of
from openfaith_pipeline.defs.retries import is_retried
from openfaith_pipeline.load.sync_log import RunningSync, end_left_over, running_syncs

GRACE: Final = timedelta(seconds=30)
"""After the end of its run a sync may still be recorded by the process that began it, and a lease runs out in less."""


def end_left_over_syncs(instance: dg.DagsterInstance, connection: Connection[Any]) -> int:
    """End the syncs whose runs have all ended and are not retried; returns their number. A later attempt continues."""
    return sum(_end(instance, connection, sync) for sync in running_syncs(connection))


def _end(instance: dg.DagsterInstance, connection: Connection[Any], sync: RunningSync) -> bool:
    runs = _runs_at(instance, sync)
    if not runs or not all(run.is_finished for run in runs):
        return False
    newest = runs[0]
    if _has_just_ended(instance, newest) or (newest.is_failure and is_retried(instance, newest)):
        return False
    how = "was terminated" if newest.status is dg.DagsterRunStatus.CANCELED else "ended before it did"
    return end_left_over(connection, sync, f"interrupted: run {newest.run_id} {how}")


def _has_just_ended(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    record = instance.get_run_record_by_id(run.run_id)
    return record is not None and datetime.now(UTC) - record.update_timestamp < GRACE


def _runs_at(instance: dg.DagsterInstance, sync: RunningSync) -> list[dg.DagsterRun]:
    """The runs that are attempts at the sync, newest first; a sweep's run does not name its syncs."""
    last = instance.get_run_by_id(sync.run_id) if sync.run_id else None
    named = runs_of(instance, sync.sync_id)
    return named if last is None or last.run_id in {run.run_id for run in named} else [last, *named]
