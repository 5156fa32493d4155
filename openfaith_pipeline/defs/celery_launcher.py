"""Runs on many machines: each is a Celery task that any worker takes, and is noticed when its worker has died."""

import dagster as dg
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

from openfaith_pipeline.defs.dagster_private import CheckRunHealthResult
from openfaith_pipeline.defs.launcher import lease_health


class LeaseCeleryRunLauncher(CeleryRunLauncher):
    """Dagster's launcher over Celery, which by itself believes a killed worker to be running for ever.

    A run whose worker is gone is failed by its lease, as with the usual launcher, and Dagster's retry of it goes to
    another worker, where the sync continues from its last committed page. Resuming the same run is not offered: what
    Dagster calls for it fails.
    """

    @property
    def supports_resume_run(self) -> bool:
        return False

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        return lease_health(self._instance, run)

    def terminate(self, run_id: str) -> bool:
        """Say first that the run is to end, so that its worker does not take the signal for a failure to retry."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        task_id = run.tags.get(DAGSTER_CELERY_TASK_ID_TAG)
        if task_id:
            self.celery.AsyncResult(task_id).revoke(terminate=True, signal="SIGTERM")
        return True
