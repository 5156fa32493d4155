"""Whether the processes that execute runs are alive, judged by their heartbeats, on whatever machine they are."""

import time
from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg

from openfaith_pipeline.defs.dagster_private import CheckRunHealthResult, WorkerStatus
from openfaith_pipeline.defs.storage import database_of
from openfaith_pipeline.load.run_leases import BEAT_EVERY, STALE_AFTER, silence_of

GRACE: Final = timedelta(seconds=30)
"""How long a started run may take to its first heartbeat: the time to import the code and reach the database."""

LOOK_AGAIN: Final = 2.5 * BEAT_EVERY
"""How long a process must stay as silent as it was found until it is taken for dead."""


class Doubtful(CheckRunHealthResult):
    """A process that was found silent once. To Dagster it is running."""


class Heartbeats:
    """Judge of the runs' processes.

    Silence alone proves nothing: the machine may have slept, or Postgres been away, and then the first look may come
    before the next heartbeat. So a process is dead when a second look finds it silent still.
    """

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._doubts: dict[str, tuple[datetime | None, float]] = {}

    def health_of(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        beat_at, doubt = self._look(run)
        if doubt is None:
            self._doubts.pop(run.run_id, None)
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        if self._is_confirmed(run.run_id, beat_at):
            self._doubts.pop(run.run_id)
            return CheckRunHealthResult(WorkerStatus.FAILED, doubt)
        return Doubtful(WorkerStatus.RUNNING, doubt)

    def _look(self, run: dg.DagsterRun) -> tuple[datetime | None, str | None]:
        """The last heartbeat, and its fault if it has one."""
        with database_of(self._instance).connect() as connection:
            silence = silence_of(connection, run.run_id)
        if silence is None:
            return None, f"no heartbeat within {GRACE.seconds} s of its start" if self._is_late(run) else None
        is_stale = silence.lasts > STALE_AFTER
        return silence.since, f"no heartbeat for {silence.lasts.total_seconds():.0f} s" if is_stale else None

    def _is_late(self, run: dg.DagsterRun) -> bool:
        record = self._instance.get_run_record_by_id(run.run_id)
        started_at = record.start_time if record else None
        return started_at is not None and datetime.now(UTC) - datetime.fromtimestamp(started_at, UTC) >= GRACE

    def _is_confirmed(self, run_id: str, beat_at: datetime | None) -> bool:
        """Whether an earlier look found the same silence, by a clock that stands still while the machine sleeps."""
        now = time.monotonic()
        seen, since = self._doubts.get(run_id, (beat_at, now))
        self._doubts[run_id] = (beat_at, since if seen == beat_at else now)
        return seen == beat_at and now - since >= LOOK_AGAIN.total_seconds()
