"""Schedules. Each can be switched off in the UI; an org's pause and settings apply as well."""

from collections.abc import Iterator
from typing import Final

import dagster as dg

from openfaith_pipeline.defs.resources import SyncEngine
from openfaith_pipeline.defs.sweeps import CLAIMING_TAG, SHARD_TAG, sweep_job
from openfaith_pipeline.orgs.turns import Kind

_PRIORITIES: Final = {Kind.INCREMENTAL: "0", Kind.RECONCILE: "-5"}
_UNFINISHED: Final = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


@dg.schedule(
    job=sweep_job,
    name="incremental",
    cron_schedule="* * * * *",
    description="Syncs each org every 15 minutes, or as often as its settings say, at an offset of its own: checks each"
    " minute whether one is due, and starts a sweep if none is running that will take it.",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def incremental_schedule(
    context: dg.ScheduleEvaluationContext, engine: SyncEngine
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    yield from _sweeps(context, engine, Kind.INCREMENTAL)


@dg.schedule(
    job=sweep_job,
    name="reconcile",
    cron_schedule="*/10 5-12 * * *",
    description="Reads a share of each org's streams whole, at night (UTC 6 to 11) at an offset of its own: finds"
    " deletions and changes that the API does not report. Each stream's turn comes within 7 days, or as the org's"
    " settings say.",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def reconcile_schedule(
    context: dg.ScheduleEvaluationContext, engine: SyncEngine
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    yield from _sweeps(context, engine, Kind.RECONCILE)


def _sweeps(
    context: dg.ScheduleEvaluationContext, engine: SyncEngine, kind: Kind
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    due = engine.count_due(kind)
    if not due:
        yield dg.SkipReason("No org is due.")
        return
    idle = [shard for shard in range(engine.sweeps_at_once) if not _is_swept(context.instance, kind, shard)]
    if not idle:
        yield dg.SkipReason(f"{due} orgs are due; running sweeps will take them.")
    for shard in idle:
        yield dg.RunRequest(
            run_key=f"{kind.value}-{shard}-{context.scheduled_execution_time.isoformat()}",
            run_config={"ops": {"sweep_orgs": {"config": {"kind": kind.name}}}},
            tags={SHARD_TAG: f"{kind.value}-{shard}", "dagster/priority": _PRIORITIES[kind]},
        )


def _is_swept(instance: dg.DagsterInstance, kind: Kind, shard: int) -> bool:
    """Whether a sweep for this shard is queued or running and still claims orgs."""
    filters = dg.RunsFilter(statuses=_UNFINISHED, tags={SHARD_TAG: f"{kind.value}-{shard}"})
    return any(run.tags.get(CLAIMING_TAG) != "false" for run in instance.get_runs(filters))
