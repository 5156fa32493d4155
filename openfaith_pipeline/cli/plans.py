"""`sync --plan`, `--apply` and `--discard`: preview a sync, and then apply or discard it.

Planning is not a Dagster run: nothing is materialized, and a run would claim that it was. Applying is a run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final
from uuid import uuid4

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.demo_running import run_at_source
from openfaith_pipeline.cli.progress import shown_progress
from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import OpenFaithError
from openfaith_pipeline.journal.sync_changes import Sample, StreamChanges
from openfaith_pipeline.load.plans import Plan, check_plan, discard_plan, end_planning, find_plan, give_up_old_plans
from openfaith_pipeline.load.sync_leases import lease_kept
from openfaith_pipeline.load.sync_log import SyncStart, begin_sync, finish_sync
from openfaith_pipeline.orgs.registry import Org
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.plan import OrgPlan, plan_streams
from openfaith_pipeline.sync.results import StreamResult, SyncMode

_KINDS: Final[Mapping[str, str]] = {
    "insert": "new",
    "update": "changed",
    "delete": "deleted",
    "restore": "back",
    "merge": "merged",
}


def make_plan(database: Database, org: Org, streams: Sequence[Stream], mode: SyncMode) -> tuple[str, OrgPlan]:
    """Plan a sync of the org, with progress on stderr; returns its id and its effect."""
    sync_id = str(uuid4())
    asked = {"orgs": [org.org_id], "streams": [stream.name for stream in streams], "plan": True}
    with database.connect() as connection:
        give_up_old_plans(connection)
        begin_sync(connection, SyncStart(sync_id, None, mode, "cli", asked))
    try:
        with lease_kept(database, sync_id), shown_progress(database, {org.org_id: org.name}) as shown:
            shown.watch.follow(sync_id)
            progress = shown.of(org.org_id)
            plan = run_at_source(
                database,
                [org.org_id],
                lambda: plan_streams(database, org.org_id, streams, mode=mode, sync_id=sync_id, progress=progress),
            )
    except BaseException as error:
        with database.connect() as connection:
            finish_sync(connection, sync_id, str(error) if isinstance(error, OpenFaithError) else "interrupted")
        raise
    unplanned = unplanned_of(plan)
    with database.connect() as connection:
        end_planning(connection, sync_id, f"not planned: {', '.join(unplanned)}" if unplanned else None)
    return sync_id, plan


def unplanned_of(plan: OrgPlan) -> list[str]:
    """The streams that could not be planned, except those that the source withholds."""
    return [name for name, result in plan.results.items() if result.status not in {"planned", "unavailable"}]


def plan_to_apply(database: Database, sync_id: str) -> tuple[Plan, tuple[Stream, ...]]:
    """The plan with this id and its streams; UsageError or PlanStale if it can no longer be published."""
    with database.connect() as connection:
        plan = find_plan(connection, sync_id)
        check_plan(connection, plan)
    names = {planned.stream for planned in plan.streams}
    return plan, tuple(stream for stream in STREAMS.values() if stream.name in names)


def discard(database: Database, sync_id: str) -> dict[str, Any]:
    """Discard the plan and its staged rows."""
    with database.connect() as connection:
        return {"sync_id": sync_id, "status": "discarded", "streams": discard_plan(connection, sync_id)}


def describe_plan(sync_id: str, org_id: str, plan: OrgPlan, *, show_values: bool) -> dict[str, Any]:
    """The plan in its JSON form."""
    touched = dict.fromkeys([*plan.results, *plan.changes])
    streams = {
        name: {
            **_result(plan.results.get(name)),
            "changes": {kind: plan.changes.get(name, StreamChanges()).counts.get(kind, 0) for kind in _KINDS},
            "samples": [
                _describe(sample, show_values=show_values) for sample in plan.changes.get(name, StreamChanges()).samples
            ],
        }
        for name in touched
    }
    status = "failed" if unplanned_of(plan) else "planned"
    return {"sync_id": sync_id, "status": status, "orgs": {org_id: {"status": status, "streams": streams}}}


def print_plan(sync_id: str, org: Org, plan: OrgPlan, *, show_values: bool) -> None:
    """Print the changes by stream with samples, and the commands to continue with."""
    columns = ("stream", *_KINDS.values(), "such as")
    rows = [
        [
            name,
            *(terminal.count(changes.counts.get(kind) or None) for kind in _KINDS),
            "; ".join(_in_words(sample, show_values=show_values) for sample in changes.samples),
        ]
        for name, changes in sorted(plan.changes.items())
    ]
    title = f"{org.name} ({org.org_id}): what a sync would do"
    terminal.output().print(terminal.table(columns, rows, title=title, numbers=tuple(_KINDS.values())))
    unchanged = sum(result.status == "planned" for result in plan.results.values()) - len(
        plan.changes.keys() & plan.results.keys()
    )
    terminal.say(f"{terminal.number_of(unchanged, 'stream')} would not change")
    for name, result in plan.results.items():
        if result.status != "planned":
            terminal.complain(f"{name} {result.status}: {result.error}")
        elif result.error:
            terminal.say(f"{name}: it would end incomplete: {result.error}")
    terminal.say(f"to publish it: openfaith-pipeline sync --apply {sync_id}")
    terminal.say(f"to discard it: openfaith-pipeline sync --discard {sync_id}")
    terminal.report(sync_id)


def _result(result: StreamResult | None) -> dict[str, Any]:
    """The stream's result in JSON form; `touched` if the stream changes only through other streams' records."""
    if result is None:
        return {"status": "touched"}
    described = asdict(result)
    del described["stream"], described["row_count"]
    return described


def _describe(sample: Sample, *, show_values: bool) -> dict[str, Any]:
    fields = {name: {"before": before, "after": after} for name, (before, after) in sample.fields.items()}
    return {"id": sample.record_id, "change": sample.kind, "fields": fields if show_values else list(fields)}


def _in_words(sample: Sample, *, show_values: bool) -> str:
    if sample.kind in {"delete", "merge"} or not sample.fields:
        return f"{sample.record_id} {_KINDS.get(sample.kind, sample.kind)}"
    if sample.kind == "insert" and not show_values:
        return f"{sample.record_id} new"
    told = [
        f"{name} {terminal.json_line(before)} -> {terminal.json_line(after)}" if show_values else name
        for name, (before, after) in sample.fields.items()
    ]
    return f"{sample.record_id} {_KINDS.get(sample.kind, sample.kind)} ({', '.join(told)})"
