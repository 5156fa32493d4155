"""Run launcher for Kubernetes: each run is a pod of a Job of its own."""

from datetime import timedelta
from typing import Final

import dagster as dg
from dagster_k8s import K8sRunLauncher

from openfaith_pipeline.defs.dagster_private import CheckRunHealthResult, WorkerStatus
from openfaith_pipeline.defs.launcher import START_WITHIN, TracedRunLauncher

_PENDING_AT_MOST: Final = timedelta(hours=1)
"""A pod may wait for a node that is being added; one whose image cannot be pulled waits for ever."""


class PodRunLauncher(TracedRunLauncher, K8sRunLauncher):
    """Dagster's launcher with heartbeats, as in our other launchers: the loss of a node may go unnoticed for minutes.

    A run is not resumed in the same place: for that, each run's pod would need the right to make pods.
    """

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        by_kubernetes = super().check_run_worker_health(run)
        is_over = by_kubernetes.status in {WorkerStatus.FAILED, WorkerStatus.SUCCESS}
        return by_kubernetes if is_over else self.heartbeats.health_of(run)  # its API may be away for a while

    def lost_start(self, run: dg.DagsterRun, waited: timedelta) -> str | None:
        """Why the run's pod will never start. One that waits for a node is not lost."""
        if waited < START_WITHIN:
            return None
        health = super().check_run_worker_health(run)
        if health.status in {WorkerStatus.FAILED, WorkerStatus.SUCCESS}:
            return f"its pod ended before it began: {health.msg or health.status.value}"
        return f"its pod did not begin within {_PENDING_AT_MOST}" if waited > _PENDING_AT_MOST else None
