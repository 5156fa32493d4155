"""Run launcher for many machines: each run is a Celery task for any worker; dead workers are detected."""

from datetime import timedelta
from typing import Any, Final

import dagster as dg
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

from openfaith_pipeline.defs.celery_config import CONFIG, QUEUE, declare_queue
from openfaith_pipeline.defs.dagster_private import CheckRunHealthResult
from openfaith_pipeline.defs.launcher import START_WITHIN, TracedRunLauncher
from openfaith_pipeline.defs.storage import database_of
from openfaith_pipeline.load.run_workers import time_with_room
from openfaith_pipeline.settings import load_settings

_ROOM_FOR: Final = timedelta(seconds=30)
"""For how long a worker must have had a free slot until a run that did not begin is taken to be lost."""


class LeaseCeleryRunLauncher(TracedRunLauncher, CeleryRunLauncher):
    """Dagster's Celery launcher, which by itself considers the run of a killed worker running for ever.

    A run whose worker is gone is failed through its lease, as with the default launcher, and Dagster's retry goes to
    another worker. Dagster's call that resumes the same run would fail.
    """

    def __init__(self, broker: str | None = None, **options: Any) -> None:
        configured = load_settings().celery_broker
        broker = broker or (configured.get_secret_value() if configured else None)
        super().__init__(**{**options, "broker": broker, "default_queue": QUEUE, "config_source": CONFIG})
        declare_queue(self.celery)

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        return self.heartbeats.health_of(run)

    def terminate(self, run_id: str) -> bool:
        """Record the termination first, so that the worker does not take the signal for a failure to retry."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        task_id = run.tags.get(DAGSTER_CELERY_TASK_ID_TAG)
        if task_id:
            self.celery.AsyncResult(task_id).revoke(terminate=True, signal="SIGTERM")
        return True

    def lost_start(self, run: dg.DagsterRun, waited: timedelta) -> str | None:  # noqa: ARG002 - of every launcher
        """Why the run will not begin: the broker lost it. A run that waits for a free slot is not lost."""
        if waited < START_WITHIN:
            return None
        with database_of(self._instance).connect() as connection:
            room = time_with_room(connection)
        if room is None or room < _ROOM_FOR:
            return None
        return f"the broker lost it: {waited.total_seconds():.0f} s after it was sent, workers have room for more runs"

    def get_run_worker_debug_info(self, run: dg.DagsterRun, include_container_logs: bool | None = True) -> None:
        """Return nothing: Dagster's own method queries the result backend, and there is none."""
