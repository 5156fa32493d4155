"""The run queue, with backfills last."""

from typing import Any, Final

import dagster as dg

from openfaith_pipeline.defs.dagster_private import BACKFILL_ID_TAG, PRIORITY_TAG

BACKFILL_PRIORITY: Final = "-10"


class BackfillsLastCoordinator(dg.QueuedRunCoordinator[Any]):
    """Dagster's queue, where a backfill without an explicit priority comes last."""

    def submit_run(self, context: dg.SubmitRunContext) -> dg.DagsterRun:
        run = context.dagster_run
        if BACKFILL_ID_TAG in run.tags and PRIORITY_TAG not in run.tags:
            self._instance.add_run_tags(run.run_id, {PRIORITY_TAG: BACKFILL_PRIORITY})
        return super().submit_run(context)
