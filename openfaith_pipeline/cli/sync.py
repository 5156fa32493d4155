"""`sync`: update churches, by runs of the Dagster job in this process."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.cli import plans, terminal
from openfaith_pipeline.cli.demo_running import demo_answers, run_at_source
from openfaith_pipeline.cli.org_names import OrgNames
from openfaith_pipeline.cli.periods import parse_period
from openfaith_pipeline.cli.running import IfBusy, Show, Terms, run_shown
from openfaith_pipeline.cli.selection import (
    EveryOrg,
    Products,
    StreamNames,
    choose_by_time,
    choose_orgs,
    choose_streams,
)
from openfaith_pipeline.cli.sync_report import complain_of_failures, describe_sync, print_end
from openfaith_pipeline.connections.account import check_answering
from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.inbox.requests import check_key
from openfaith_pipeline.orgs.registry import Org, get_org
from openfaith_pipeline.settings import load_settings
from openfaith_pipeline.sources import DEFAULT_SOURCE
from openfaith_pipeline.sync.results import SyncMode

if TYPE_CHECKING:
    from openfaith_pipeline.defs.reports import OrgReport
    from openfaith_pipeline.defs.sync_orders import SyncInterrupted

Mode = Annotated[
    SyncMode,
    typer.Option(
        "--mode",
        help="incremental: changes since the last sync. reconcile: everything, to find deletions and changes that the"
        " API does not report. full_refresh: everything, from the beginning.",
    ),
]

WhenBusy = Annotated[
    IfBusy,
    typer.Option(
        "--if-busy",
        help="If the org is being synced: refuse (exit 1); wait for the end of that sync and then sync; or join it, and"
        " return its result if it reads at least as much.",
    ),
]
IdempotencyKey = Annotated[
    str | None,
    typer.Option("--idempotency-key", metavar="KEY", help="A second sync with the same key is the same sync."),
]
Quick = Annotated[
    bool,
    typer.Option(
        "--quick",
        help="Only streams that cost a request or two, as in scheduled syncs between polls: those with a cursor that"
        " feed OpenFaith's people, have mergers, or changed within a day.",
    ),
]
Rolling = Annotated[
    bool,
    typer.Option("--rolling", help="With --mode reconcile: only the streams that have waited longest for one."),
]
Within = Annotated[
    str | None,
    typer.Option(
        "--within",
        metavar="PERIOD",
        show_default="7d",
        help="With --rolling, once a day: each stream once in this time.",
    ),
]
MakePlan = Annotated[bool, typer.Option("--plan", help="Fetch and compare, show the changes, and publish nothing.")]
ShowValues = Annotated[
    bool, typer.Option("--show-values", help="With --plan: also show the changed values, which are personal data.")
]
Apply = Annotated[
    str | None, typer.Option("--apply", metavar="SYNC_ID", help="Publish a plan's staged rows, without fetching.")
]
Discard = Annotated[str | None, typer.Option("--discard", metavar="SYNC_ID", help="Discard a plan.")]
Anew = Annotated[
    bool, typer.Option("--anew", help="Begin a new sync, even if the same one was interrupted within the last hour.")
]


def sync(  # noqa: PLR0913, PLR0917 - the verb's options
    orgs: OrgNames = None,
    every_org: EveryOrg = False,
    product: Products = None,
    stream: StreamNames = None,
    mode: Mode = SyncMode.INCREMENTAL,
    if_busy: WhenBusy = IfBusy.REFUSE,
    idempotency_key: IdempotencyKey = None,
    anew: Anew = False,
    quick: Quick = False,
    rolling: Rolling = False,
    within: Within = None,
    plan: MakePlan = False,
    show_values: ShowValues = False,
    apply: Apply = None,
    discard: Discard = None,
    as_json: terminal.JsonOption = False,
    verbose: terminal.VerboseOption = False,
    dagster_log: terminal.DagsterLogOption = False,
) -> None:
    """Sync churches from Planning Center into the raw tables, and from those into the OpenFaith tables.

    The pages of an interrupted sync are kept. The same command within an hour continues that sync: streams that it
    had finished are not read again.

    With --plan nothing is published: it shows the changes, and ends with the plan's id. Within 12 hours, and as long
    as nothing else has changed its streams, --apply publishes exactly that.

    \b
    Examples:
      openfaith-pipeline sync org_01k5t0w2m1e9qv4y8z3n7b6c5d
      openfaith-pipeline sync --all --json
      openfaith-pipeline sync org_01k5t0w2m1e9qv4y8z3n7b6c5d --quick
      openfaith-pipeline sync org_01k5t0w2m1e9qv4y8z3n7b6c5d --stream people.emails --mode reconcile
      openfaith-pipeline sync --all --mode reconcile --rolling --within 7d --if-busy wait
      openfaith-pipeline sync org_01k5t0w2m1e9qv4y8z3n7b6c5d --idempotency-key 2026-01-31 --if-busy join
      openfaith-pipeline sync org_01k5t0w2m1e9qv4y8z3n7b6c5d --mode reconcile --plan
      openfaith-pipeline sync --apply 0b5e4a3c-2f3f-4a8e-9b5f-6f1f0a9f4f52

    \b
    Exit codes: 0 all was synced; 1 something was not, named on stderr; 2 wrong usage, or the plan can no longer be
    applied; 130 interrupted.
    """
    streams = choose_streams(product or (), stream or ())
    is_chosen = bool(orgs or every_org or product or stream or quick or mode is not SyncMode.INCREMENTAL)
    is_sync = bool(anew or idempotency_key or if_busy is not IfBusy.REFUSE)
    _check_options(plan=plan, show_values=show_values, apply=apply, discard=discard, of=(is_chosen, is_sync))
    _check_choices(mode, quick=quick, rolling=rolling, within=within, is_else=bool(product or stream or plan))
    period = parse_period(within or "7d", "--within")
    if not period:
        raise UsageError("--within takes a time in which every stream can be read once, such as 7d")
    check_key(idempotency_key)
    show = Show(every_stream=verbose, dagster_log=dagster_log)
    with open_database(load_settings()) as database:
        if discard:
            _discard(database, discard, as_json=as_json)
        if apply:
            _apply(database, apply, show, as_json=as_json)
        chosen = choose_orgs(database, orgs or [], every_org=every_org)
        org_ids = [org.org_id for org in chosen]
        with demo_answers(database, org_ids):
            if plan:
                _plan(database, chosen, streams, mode, show_values=show_values, as_json=as_json)
            _check_answering(database, org_ids)
            choices = choose_by_time(database, chosen, period if rolling else None) if quick or rolling else {}
            terms = Terms(if_busy, idempotency_key, choices, anew)
            run_and_report(database, chosen, streams, mode, show, terms, as_json=as_json)


def run_and_report(
    database: Database,
    orgs: Sequence[Org],
    streams: Sequence[Stream],
    mode: SyncMode,
    show: Show,
    terms: Terms,
    *,
    as_json: bool,
) -> NoReturn:
    """Sync and say how it ended, even if a person ended it, by output and exit code."""
    from openfaith_pipeline.defs.sync_orders import SyncInterrupted

    try:
        sync_id, reports = run_shown(database, orgs, streams, mode=mode, show=show, terms=terms)
    except SyncInterrupted as interrupted:
        _report_interrupted(orgs, interrupted, as_json=as_json)
    _report(orgs, sync_id, reports, show, as_json=as_json)


def _check_options(
    *, plan: bool, show_values: bool, apply: str | None, discard: str | None, of: tuple[bool, bool]
) -> None:
    """Raise UsageError for options that exclude each other.

    of: whether others choose an org, streams or a mode, and whether others say how a sync begins.
    """
    is_chosen, is_sync = of
    if plan + (apply is not None) + (discard is not None) > 1:
        raise UsageError("give one of --plan, --apply and --discard")
    if show_values and not plan:
        raise UsageError("--show-values goes with --plan")
    if is_chosen and (apply is not None or discard is not None):
        raise UsageError("a plan has its own org, streams and mode: pass --apply or --discard without other choices")
    if is_sync and (plan or apply is not None or discard is not None):
        raise UsageError("--if-busy, --idempotency-key and --anew are of a sync, and not of a plan")


def _check_choices(mode: SyncMode, *, quick: bool, rolling: bool, within: str | None, is_else: bool) -> None:
    """Raise UsageError for options that exclude each other. is_else: other options select streams, or it is a plan."""
    if rolling and (mode is not SyncMode.RECONCILE or is_else):
        raise UsageError("--rolling goes with --mode reconcile and chooses the streams itself")
    if quick and (mode is not SyncMode.INCREMENTAL or rolling or is_else):
        raise UsageError("--quick chooses the streams itself and reads changes only: pass it alone")
    if within and not rolling:
        raise UsageError("--within goes with --rolling")


def _check_answering(database: Database, org_ids: Sequence[str]) -> None:
    run_at_source(database, org_ids, lambda: check_answering(database, org_ids, adapter=DEFAULT_SOURCE.adapter))


def _plan(
    database: Database,
    orgs: Sequence[Org],
    streams: Sequence[Stream],
    mode: SyncMode,
    *,
    show_values: bool,
    as_json: bool,
) -> NoReturn:
    if len(orgs) != 1:
        raise UsageError("plan one org at a time: openfaith-pipeline sync ORG_ID --plan")
    [org] = orgs
    _check_answering(database, [org.org_id])
    sync_id, plan = plans.make_plan(database, org, streams, mode)
    if as_json:
        terminal.print_json(plans.describe_plan(sync_id, org.org_id, plan, show_values=show_values))
    else:
        plans.print_plan(sync_id, org, plan, show_values=show_values)
    raise typer.Exit(1 if plans.unplanned_of(plan) else 0)


def _apply(database: Database, sync_id: str, show: Show, *, as_json: bool) -> NoReturn:
    plan, streams = plans.plan_to_apply(database, sync_id)
    with database.connect() as connection:
        orgs = [get_org(connection, org_id) for org_id in dict.fromkeys(each.org_id for each in plan.streams)]
    _, reports = run_shown(database, orgs, streams, mode=SyncMode(plan.mode), sync_id=sync_id, show=show)
    _report(orgs, sync_id, reports, show, as_json=as_json)


def _discard(database: Database, sync_id: str, *, as_json: bool) -> NoReturn:
    discarded = plans.discard(database, sync_id)
    if as_json:
        terminal.print_json(discarded)
    else:
        terminal.report(f"discarded {sync_id}")
    raise typer.Exit(0)


def _report(
    orgs: Sequence[Org], sync_id: str, reports: Mapping[str, "OrgReport"], show: Show, *, as_json: bool
) -> NoReturn:
    if as_json:
        terminal.print_json(describe_sync(sync_id, reports))
    else:
        print_end(sync_id, orgs, reports, every_stream=show.every_stream)
    raise typer.Exit(complain_of_failures(reports))


def _report_interrupted(orgs: Sequence[Org], interrupted: "SyncInterrupted", *, as_json: bool) -> NoReturn:
    """Report the finished part, and that the same command continues."""
    if as_json:
        terminal.print_json(describe_sync(interrupted.sync_id, interrupted.reports))
    for org in orgs:
        done = [each for each in interrupted.reports[org.org_id].streams.values() if each.status == "succeeded"]
        rows = terminal.number_of(sum(result.fetched for result in done), "row")
        terminal.say(f"{org.name}: done so far: {terminal.number_of(len(done), 'stream')} with {rows}")
    terminal.say(
        f"sync {interrupted.sync_id} was interrupted; fetched pages are kept, and the same command continues from there"
    )
    raise typer.Exit(130)
