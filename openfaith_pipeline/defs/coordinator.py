"""The run queue: as many runs as there are slots for, some of them not for runs of one org, and backfills last."""

import time
from typing import Any, Final

import dagster as dg

from openfaith_pipeline.defs.dagster_private import BACKFILL_ID_TAG, PRIORITY_TAG, RunQueueConfig
from openfaith_pipeline.defs.run_tags import PARTITION_TAG
from openfaith_pipeline.defs.storage import database_of
from openfaith_pipeline.load.run_workers import slots_of_workers
from openfaith_pipeline.settings import load_settings

BACKFILL_PRIORITY: Final = "-10"
RUNS_AT_ONCE: Final = 4
"""On one machine, without a broker."""

_KEPT_SLOTS: Final = 2  # for a sweep, and for a verification, which may itself wait for a source

_LOOK_EVERY_SECONDS: Final = 2.0  # as often as workers report their slots


class BackfillsLastCoordinator(dg.QueuedRunCoordinator[Any]):
    """Dagster's queue, with one run at a time for each org, where a backfill without an explicit priority comes last.

    A run is launched only when a slot is free for it. Waiting runs stay in the queue: a run that waited at the broker
    could not be told from one that the broker has lost.

    Runs of one org never take all slots: while its source is down, each is busy for a quarter of an hour, and the sweep
    of all the others, deliveries and reports would wait for it.
    """

    _slots: tuple[float, int] | None = None

    def submit_run(self, context: dg.SubmitRunContext) -> dg.DagsterRun:
        run = context.dagster_run
        if BACKFILL_ID_TAG in run.tags and PRIORITY_TAG not in run.tags:
            self._instance.add_run_tags(run.run_id, {PRIORITY_TAG: BACKFILL_PRIORITY})
        return super().submit_run(context)

    def get_run_queue_config(self) -> RunQueueConfig:
        most, config = self._runs_at_once(), super().get_run_queue_config()
        one_of_each = {"key": PARTITION_TAG, "value": {"applyLimitPerUniqueValue": True}, "limit": 1}
        of_all = {"key": PARTITION_TAG, "limit": most - min(_KEPT_SLOTS, max(0, most - 2))}
        limits = [*config.tag_concurrency_limits, one_of_each, of_all]
        return config._replace(max_concurrent_runs=most, tag_concurrency_limits=limits)

    def _runs_at_once(self) -> int:
        settings = load_settings()
        if settings.celery_broker is None:
            return settings.runs_at_once or RUNS_AT_ONCE
        slots = self._slots_now()
        return min(slots, settings.runs_at_once or slots)

    def _slots_now(self) -> int:
        now = time.monotonic()
        if self._slots is None or now - self._slots[0] >= _LOOK_EVERY_SECONDS:
            with database_of(self._instance).connect() as connection:
                self._slots = now, slots_of_workers(connection)
        return self._slots[1]
