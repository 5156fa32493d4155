"""Run launcher for many machines: each run is a Celery task for any worker; dead workers are detected."""

import dagster as dg
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

from openfaith_pipeline.defs.dagster_private import CheckRunHealthResult, LaunchRunContext
from openfaith_pipeline.defs.launcher import lease_health
from openfaith_pipeline.defs.tracing import traced_launch


class LeaseCeleryRunLauncher(CeleryRunLauncher):
    """Dagster's Celery launcher, which by itself considers the run of a killed worker running for ever.

    A run whose worker is gone is failed through its lease, as with the default launcher, and Dagster's retry goes to
    another worker, where the sync continues from its last committed page. Resuming the same run is not supported:
    Dagster's call for it fails.
    """

    def launch_run(self, context: LaunchRunContext) -> None:
        with traced_launch(self._instance, context.dagster_run):
            super().launch_run(context)

    @property
    def supports_resume_run(self) -> bool:
        return False

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        return lease_health(self._instance, run)

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
