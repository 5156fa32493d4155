"""`sync`: bring churches up to date, by runs of the Dagster job in this process."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer
from rich.console import Group, RenderableType

from openfaith_pipeline.catalog.source import Product
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.cli import plans, terminal
from openfaith_pipeline.cli.catalog import product_named
from openfaith_pipeline.cli.periods import parse_period
from openfaith_pipeline.cli.progress import waited_of
from openfaith_pipeline.cli.running import IfBusy, Terms, run_shown
from openfaith_pipeline.connections.account import check_answering
from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.errors import UnknownStream, UsageError
from openfaith_pipeline.inbox.requests import check_key
from openfaith_pipeline.orgs.registry import Org, get_org, list_orgs
from openfaith_pipeline.settings import load_settings
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.results import StreamResult, SyncMode
from openfaith_pipeline.sync.stream_selection import streams_between_polls, streams_due_for_reconcile

if TYPE_CHECKING:
    from openfaith_pipeline.defs.reports import OrgReport


OrgIds = Annotated[list[str] | None, typer.Argument(metavar="ORG_ID", help="As `org list` shows them.")]
EveryOrg = Annotated[bool, typer.Option("--all", help="Every connected org that is not paused.")]
Products = Annotated[
    list[Product] | None,
    typer.Option(
        "--product",
        "-p",
        metavar="PRODUCT",
        parser=product_named,
        help="Only the streams of this product; may be repeated.",
    ),
]
StreamNames = Annotated[
    list[str] | None,
    typer.Option("--stream", "-s", metavar="STREAM", help="Only this stream, such as people.emails; may be repeated."),
]
Mode = Annotated[
    SyncMode,
    typer.Option(
        "--mode",
        help="incremental: what changed since the last sync. reconcile: everything, to find deletions and what the"
        " API does not report as changed. full_refresh: everything, from the beginning.",
    ),
]

WhenBusy = Annotated[
    IfBusy,
    typer.Option(
        "--if-busy",
        help="When the org is being synced: refuse (exit 1); wait for the end of that and then sync; or join, to end"
        " with what that brings if it reads at least as much.",
    ),
]
IdempotencyKey = Annotated[
    str | None,
    typer.Option("--idempotency-key", metavar="KEY", help="Asked again with the same key, it is the same sync."),
]
Quick = Annotated[
    bool,
    typer.Option(
        "--quick",
        help="Only what costs a request or two to ask for, as scheduled syncs do between polls: streams that tell what"
        " changed, if they feed the OpenFaith tables, tell of mergers, or changed within a day.",
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
MakePlan = Annotated[
    bool, typer.Option("--plan", help="Fetch and compare, show what would change, and publish nothing.")
]
ShowValues = Annotated[
    bool, typer.Option("--show-values", help="With --plan: the changed values too, which are people's data.")
]
Apply = Annotated[
    str | None, typer.Option("--apply", metavar="SYNC_ID", help="Publish what a plan has staged, fetching nothing.")
]
Discard = Annotated[str | None, typer.Option("--discard", metavar="SYNC_ID", help="Give a plan up.")]

NO_REASON: Final = "its process ended without a word"


def sync(  # noqa: PLR0913, PLR0917 - the verb's options
    org_ids: OrgIds = None,
    every_org: EveryOrg = False,
    product: Products = None,
    stream: StreamNames = None,
    mode: Mode = SyncMode.INCREMENTAL,
    if_busy: WhenBusy = IfBusy.REFUSE,
    idempotency_key: IdempotencyKey = None,
    quick: Quick = False,
    rolling: Rolling = False,
    within: Within = None,
    plan: MakePlan = False,
    show_values: ShowValues = False,
    apply: Apply = None,
    discard: Discard = None,
    as_json: terminal.JsonOption = False,
    verbose: terminal.VerboseOption = False,
) -> None:
    """Sync churches from Planning Center into the raw tables, and from those into the OpenFaith tables.

    What an interrupted sync had fetched is kept: the next one goes on from there.

    With --plan nothing is published: it shows what would be, and ends with the plan's id. Within 12 hours, and as long
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
    is_chosen = bool(org_ids or every_org or product or stream or quick or mode is not SyncMode.INCREMENTAL)
    _check_options(plan=plan, show_values=show_values, apply=apply, discard=discard, is_chosen=is_chosen)
    _check_choices(mode, quick=quick, rolling=rolling, within=within, is_else=bool(product or stream or plan))
    period = parse_period(within or "7d", "--within")
    if not period:
        raise UsageError("--within takes a time in which every stream can be read once, such as 7d")
    check_key(idempotency_key)
    with open_database(load_settings()) as database:
        if discard:
            _discard(database, discard, as_json=as_json)
        if apply:
            _apply(database, apply, as_json=as_json, is_verbose=verbose)
        orgs = choose_orgs(database, org_ids or [], every_org=every_org)
        if plan:
            _plan(database, orgs, streams, mode, show_values=show_values, as_json=as_json)
        asyncio.run(check_answering(database, [org.org_id for org in orgs]))
        choices = _choose(database, orgs, period if rolling else None) if quick or rolling else {}
        terms = Terms(if_busy, idempotency_key, choices)
        sync_id, reports = run_shown(database, orgs, streams, mode=mode, is_verbose=verbose, terms=terms)
    _report(orgs, sync_id, reports, as_json=as_json)


def _check_options(*, plan: bool, show_values: bool, apply: str | None, discard: str | None, is_chosen: bool) -> None:
    if plan + (apply is not None) + (discard is not None) > 1:
        raise UsageError("give one of --plan, --apply and --discard")
    if show_values and not plan:
        raise UsageError("--show-values goes with --plan")
    if is_chosen and (apply is not None or discard is not None):
        raise UsageError("a plan knows its org, streams and mode: give --apply or --discard alone")


def _check_choices(mode: SyncMode, *, quick: bool, rolling: bool, within: str | None, is_else: bool) -> None:
    """is_else: whether the streams are chosen otherwise, or planned."""
    if rolling and (mode is not SyncMode.RECONCILE or is_else):
        raise UsageError("--rolling goes with --mode reconcile and chooses the streams itself")
    if quick and (mode is not SyncMode.INCREMENTAL or rolling or is_else):
        raise UsageError("--quick chooses the streams itself, and reads what changed: give no other choice with it")
    if within and not rolling:
        raise UsageError("--within goes with --rolling")


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
    asyncio.run(check_answering(database, [org.org_id]))
    sync_id, plan = plans.make_plan(database, org, streams, mode)
    if as_json:
        terminal.print_json(plans.describe_plan(sync_id, org.org_id, plan, show_values=show_values))
    else:
        plans.print_plan(sync_id, org, plan, show_values=show_values)
    raise typer.Exit(1 if plans.unplanned_of(plan) else 0)


def _apply(database: Database, sync_id: str, *, as_json: bool, is_verbose: bool) -> NoReturn:
    plan, streams = plans.plan_to_apply(database, sync_id)
    with database.connect() as connection:
        orgs = [get_org(connection, org_id) for org_id in dict.fromkeys(each.org_id for each in plan.streams)]
    _, reports = run_shown(database, orgs, streams, mode=SyncMode(plan.mode), sync_id=sync_id, is_verbose=is_verbose)
    _report(orgs, sync_id, reports, as_json=as_json)


def _discard(database: Database, sync_id: str, *, as_json: bool) -> NoReturn:
    discarded = plans.discard(database, sync_id)
    if as_json:
        terminal.print_json(discarded)
    else:
        terminal.report(f"discarded {sync_id}")
    raise typer.Exit(0)


def _report(orgs: Sequence[Org], sync_id: str, reports: Mapping[str, "OrgReport"], *, as_json: bool) -> NoReturn:
    if as_json:
        terminal.print_json(describe_sync(sync_id, reports))
    else:
        for org in orgs:
            terminal.output().print(tabulate_report(org, reports[org.org_id]), "")
    raise typer.Exit(complain_of_failures(reports))


def choose_streams(products: Collection[Product], names: Collection[str]) -> tuple[Stream, ...]:
    """The streams of these products and of these names, all when neither is given; UnknownStream for what is not."""
    for name in names:
        if name not in STREAMS:
            near = get_close_matches(name, STREAMS, n=1)
            hint = f"did you mean {near[0]}?" if near else "`openfaith-pipeline catalog` lists them"
            raise UnknownStream(f"there is no stream {name!r}; {hint}")
    everything = not products and not names
    return tuple(
        stream for stream in STREAMS.values() if everything or stream.product in products or stream.name in names
    )


def _choose(database: Database, orgs: Sequence[Org], period: timedelta | None) -> dict[str, list[Stream]]:
    """By org, the streams of a quick sync; or, with a period, those that a rolling reconcile is to read now."""
    choices: dict[str, list[Stream]] = {}
    with database.connect() as connection:
        now = datetime.now(UTC)
        for org in orgs:
            if period:
                names = set(streams_due_for_reconcile(connection, org.org_id, period, now))
            else:
                names = streams_between_polls(connection, org.org_id, now)
            choices[org.org_id] = [stream for stream in STREAMS.values() if stream.name in names]
    return choices


def describe_sync(sync_id: str, reports: Mapping[str, "OrgReport"]) -> dict[str, Any]:
    """The sync as JSON shows it. Each org has a run of its own; `run_id` is it when there is one org."""
    run_ids = [report.run_id for report in reports.values()]
    return {
        "sync_id": sync_id,
        "run_id": run_ids[0] if len(run_ids) == 1 else None,
        "orgs": {
            org_id: {
                "status": report.status,
                "run_id": report.run_id,
                "error": report.error,
                "streams": {name: _without(asdict(result), "stream") for name, result in report.streams.items()},
                "tables": {name: _without(asdict(result), "table") for name, result in report.tables.items()},
            }
            for org_id, report in reports.items()
        },
    }


def tabulate_report(org: Org, report: "OrgReport") -> RenderableType:
    """One org's streams, one row each but for those without records, and what they cost."""
    numbers = ("rows", "new", "changed", "unchanged", "deleted", "requests", "waited", "took")
    told = [result for result in report.streams.values() if not is_empty(result)]
    rows = [
        [
            result.stream,
            terminal.count(result.row_count),
            terminal.count(result.inserted),
            terminal.count(result.updated),
            terminal.count(result.unchanged),
            terminal.count(result.deleted),
            terminal.count(result.requests),
            terminal.duration(waited_of(result)),
            terminal.duration(result.seconds),
            _remark(result),
        ]
        for result in sorted(told, key=lambda result: result.stream)
    ]
    title = f"{org.name} ({org.org_id}): {report.status}"
    listing = terminal.table(("stream", *numbers, ""), rows, title=title, numbers=numbers)
    untold = len(report.streams) - len(told)
    return Group(listing, f"and {terminal.number_of(untold, 'stream')} without records") if untold else listing


def is_empty(result: StreamResult) -> bool:
    """Whether the stream was synced and has no records at all."""
    return result.status == "succeeded" and not result.row_count and not result.deleted and not result.quarantined


def complain_of_failures(reports: Mapping[str, "OrgReport"]) -> int:
    """Name on stderr what was not synced; the exit code."""
    failures = 0
    for org_id, report in reports.items():
        unsynced = [result for result in report.streams.values() if result.is_unsynced]
        for result in unsynced:
            terminal.complain(f"{org_id}: {result.stream} {result.status}: {result.error or NO_REASON}")
        if report.status != "succeeded" and not unsynced:
            terminal.complain(f"{org_id}: {report.status}: {report.error or NO_REASON}")
        withheld = [result for result in report.streams.values() if result.is_withheld]
        for result in withheld:
            terminal.say(f"{org_id}: {result.stream} is {result.status}: {result.error}")
        refused = [result for result in withheld if result.status == "unavailable"]
        is_empty = bool(refused) and len(refused) == len(report.streams)
        failures += bool(unsynced) or report.status != "succeeded" or is_empty
    return 1 if failures else 0


def choose_orgs(database: Database, org_ids: Sequence[str], *, every_org: bool) -> list[Org]:
    """The orgs named, or with `every_org` all that are not paused; UsageError for neither, both, or none there."""
    if every_org == bool(org_ids):
        raise UsageError("name the orgs to sync, or give --all; `openfaith-pipeline org list` shows them")
    with database.connect() as connection:
        if not every_org:
            return [get_org(connection, org_id) for org_id in dict.fromkeys(org_ids)]
        orgs = [org for org in list_orgs(connection) if org.paused_at is None]
    if not orgs:
        raise UsageError("no church is connected and not paused; see: openfaith-pipeline org add --help")
    return orgs


def _remark(result: StreamResult) -> str:
    remarks = [] if result.status == "succeeded" else [result.status]
    if result.held:
        remarks.append(f"{result.held} held from deletion")
    if result.merged:
        remarks.append(f"{result.merged} merged")
    if result.caught:
        remarks.append(f"{result.caught} without a new {STREAMS[result.stream].cursor}")
    if result.quarantined:
        remarks.append(f"{result.quarantined} quarantined")
    return ", ".join(remarks)


def _without(values: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != name}
