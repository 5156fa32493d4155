"""Launch runs as Dagster does by default, and detect dead processes."""

from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg

from openfaith_pipeline.defs.dagster_private import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus
from openfaith_pipeline.defs.storage import database_of
from openfaith_pipeline.defs.tracing import traced_launch
from openfaith_pipeline.load.run_leases import STALE_AFTER, silence_of

GRACE: Final = timedelta(seconds=30)
"""How long a started run may take to its first heartbeat: the time to import the code and reach the database."""


START_WITHIN: Final = timedelta(seconds=120)
"""How long the process of a launched run may take to begin."""


class TracedRunLauncher(RunLauncher[dg.DagsterInstance]):
    """A mixin that precedes the launcher it is combined with, and makes each launch a span.

    A run whose process is gone is failed, and Dagster's retry continues its sync from the last committed page; the run
    itself is not resumed.
    """

    def launch_run(self, context: LaunchRunContext) -> None:
        with traced_launch(self._instance, context.dagster_run):
            super().launch_run(context)  # type: ignore[safe-super] # of the launcher after this one

    @property
    def supports_resume_run(self) -> bool:
        return False


class LeaseRunLauncher(TracedRunLauncher, dg.DefaultRunLauncher):
    """Dagster's default launcher, which by itself leaves a run started for ever if its host dies."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        return lease_health(self._instance, run)

    def lost_start(self, run: dg.DagsterRun, waited: timedelta) -> str | None:  # noqa: ARG002 - of every launcher
        """Why a launched run will never start, or None while it may."""
        return None if waited < START_WITHIN else f"its process did not begin within {START_WITHIN.seconds} s"


def lease_health(instance: dg.DagsterInstance, run: dg.DagsterRun) -> CheckRunHealthResult:
    """Whether the process that executes the run still sends heartbeats, on whatever machine."""
    with database_of(instance).connect() as connection:
        silence = silence_of(connection, run.run_id)
    if silence is None:
        return _health_before_first_beat(instance, run)
    if silence > STALE_AFTER:
        return CheckRunHealthResult(WorkerStatus.FAILED, f"no heartbeat for {silence.total_seconds():.0f} s")
    return CheckRunHealthResult(WorkerStatus.RUNNING)


def _health_before_first_beat(instance: dg.DagsterInstance, run: dg.DagsterRun) -> CheckRunHealthResult:
    record = instance.get_run_record_by_id(run.run_id)
    started_at = record.start_time if record else None
    if started_at is None or datetime.now(UTC) - datetime.fromtimestamp(started_at, UTC) < GRACE:
        return CheckRunHealthResult(WorkerStatus.RUNNING)
    return CheckRunHealthResult(WorkerStatus.FAILED, f"no heartbeat within {GRACE.seconds} s of its start")
