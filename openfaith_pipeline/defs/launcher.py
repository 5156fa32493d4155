"""Launch runs as Dagster does by default, and detect dead processes."""

from datetime import timedelta
from functools import cached_property
from typing import Final

import dagster as dg

from openfaith_pipeline.defs.dagster_private import CheckRunHealthResult, LaunchRunContext, RunLauncher
from openfaith_pipeline.defs.tracing import traced_launch
from openfaith_pipeline.defs.worker_health import Heartbeats

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

    @cached_property
    def heartbeats(self) -> Heartbeats:
        """Their judge, which remembers what it saw."""
        return Heartbeats(self._instance)

    @property
    def supports_resume_run(self) -> bool:
        return False


class LeaseRunLauncher(TracedRunLauncher, dg.DefaultRunLauncher):
    """Dagster's default launcher, which by itself leaves a run started for ever if its host dies."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        return self.heartbeats.health_of(run)

    def lost_start(self, run: dg.DagsterRun, waited: timedelta) -> str | None:  # noqa: ARG002 - of every launcher
        """Why a launched run will never start, or None while it may."""
        return None if waited < START_WITHIN else f"its process did not begin within {START_WITHIN.seconds} s"
