"""`deletes`: deletions that exceed a guard and wait for a decision."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.completion import complete_org, complete_stream
from openfaith_pipeline.cli.demo_running import run_at_source
from openfaith_pipeline.cli.org_names import OnlyOrg, only_org_id
from openfaith_pipeline.cli.selection import choose_streams
from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.orgs.registry import get_org
from openfaith_pipeline.review.delete_guards import ANY, Guard, list_guards, reset_guard, set_guard
from openfaith_pipeline.review.held_deletions import (
    HeldDeletion,
    held_rows,
    ids_of,
    list_held,
    waiting_deletion,
)
from openfaith_pipeline.settings import load_settings
from openfaith_pipeline.sync.deletion_approval import approve_deletion, reject_deletion

_IDS_SHOWN = 20

deletes_app = typer.Typer(no_args_is_help=True, help="Deletions so large that they wait for a person's decision.")

WithDecided = Annotated[bool, typer.Option("--all", help="Include decided ones.")]
ShowRecords = Annotated[
    bool, typer.Option("--show-records", help="Show the records themselves, which contain personal data.")
]
HeldId = Annotated[int, typer.Argument(metavar="HELD", help="Its number, as `deletes list` shows it.", min=1)]
GuardOrg = Annotated[
    str | None,
    typer.Option("--org", metavar="ORG", autocompletion=complete_org, help="For this org; for all if omitted."),
]
GuardStream = Annotated[
    str | None,
    typer.Option(
        "--stream",
        "-s",
        metavar="STREAM",
        autocompletion=complete_stream,
        help="For this stream; for all if omitted.",
    ),
]


@deletes_app.command("list")
def show(
    org: OnlyOrg = None,
    with_decided: WithDecided = False,
    show_records: ShowRecords = False,
    as_json: terminal.JsonOption = False,
) -> None:
    """List the deletions that are held: how many rows of which stream Planning Center no longer lists, which, and since
    when.

    Their rows are as they were until one is approved. A later reconcile that misses less lets it lapse.

    \b
    Examples:
      openfaith-pipeline deletes list
      openfaith-pipeline deletes list "Cedar Hollow Chapel" --show-records
      openfaith-pipeline deletes list org_01k5t0w2m1e9qv4y8z3n7b6c5d --all --json

    \b
    Exit codes: 0 listed; 1 the database does not answer; 2 no such org.
    """
    with open_database(load_settings()) as database, database.connect() as connection:
        held = list_held(connection, only_org_id(connection, org), with_decided=with_decided)
        ids = {each.id: ids_of(connection, each.id) for each in held}
        records = {each.id: held_rows(connection, each, ids[each.id]) for each in held} if show_records else {}
    if as_json:
        terminal.print_json([_described(each, ids[each.id], records.get(each.id)) for each in held])
        return
    columns = ("held", "org", "stream", "rows", "of", "since", "decision")
    go = ("decision", "of", "org")
    table = terminal.table(columns, map(_row, held), numbers=("held", "rows", "of"), first_to_go=go)
    terminal.output().print(table)
    for each in held:
        _print_records(each, ids[each.id], records.get(each.id))
    if not held:
        terminal.say("no deletion is held")


@deletes_app.command("approve")
def approve(held_id: HeldId, yes: terminal.YesOption = False, as_json: terminal.JsonOption = False) -> None:
    """Mark the held rows deleted, after asking Planning Center for them again, and with them their children.

    It shows which rows they are and asks first; --yes answers.

    Exactly the rows that were held are marked, in one transaction, and the OpenFaith tables follow. It is a sync of its
    own, which can be rolled back.

    \b
    Examples:
      openfaith-pipeline deletes approve 3
      openfaith-pipeline deletes approve 3 --yes --json

    \b
    Exit codes: 0 done; 1 not confirmed, records are there again, the stream is being synced, or something does not
    answer; 2 no deletion of that number is held.
    """
    with open_database(load_settings()) as database:
        if not yes:
            _ask(database, held_id)
        with database.connect() as connection:
            org_id = waiting_deletion(connection, held_id).org_id
        approval = run_at_source(database, [org_id], lambda: approve_deletion(database, held_id, terminal.who()))
    if as_json:
        terminal.print_json(asdict(approval))
        return
    told = [f"{count} of {name}" for name, count in approval.under.items()]
    with_them = f", and with them {', '.join(told)}" if told else ""
    terminal.report(f"marked {terminal.number_of(approval.deleted, 'row')} deleted{with_them}")
    terminal.say(f"as sync {approval.sync_id}")


@deletes_app.command("reject")
def reject(held_id: HeldId, as_json: terminal.JsonOption = False) -> None:
    """Keep the held rows. A reconcile that still misses them holds them again.

    Exit codes: 0 done; 1 the database does not answer; 2 there is no held deletion of that number.
    """
    with open_database(load_settings()) as database:
        held = asyncio.run(reject_deletion(database, held_id, terminal.who()))
    if as_json:
        terminal.print_json({**asdict(held), "decision": "rejected"})
        return
    terminal.report(f"kept {terminal.number_of(held.number, 'row')} of {held.stream}")


@deletes_app.command("guard")
def guard(
    org: GuardOrg = None,
    stream: GuardStream = None,
    share: Annotated[float | None, typer.Option("--share", help="Share of the stream's rows, from 0 to 1.")] = None,
    number: Annotated[int | None, typer.Option("--number", help="Of rows.")] = None,
    reset: Annotated[
        bool, typer.Option("--reset", help="Remove this guard, so that the next more general one applies.")
    ] = False,
    as_json: terminal.JsonOption = False,
) -> None:
    """Show or set guards: a deletion of more rows than both the share and the number is held.

    The most specific guard applies: for the org's stream, the stream, the org, or all.

    Examples:
      openfaith-pipeline deletes guard
      openfaith-pipeline deletes guard --stream people.list_results --share 0.8 --number 500
      openfaith-pipeline deletes guard --stream giving.donations --share 0 --number 0

    Exit codes: 0 shown or set; 1 the database does not answer; 2 wrong usage, no such org or stream.
    """
    if (share is None) != (number is None) or (reset and share is not None):
        raise UsageError("pass --share and --number together to set a guard, or --reset, or none of them to see all")
    if stream:
        choose_streams((), [stream])
    with open_database(load_settings()) as database, database.connect() as connection:
        org_id = only_org_id(connection, org)
        if share is not None and number is not None:
            set_guard(connection, Guard(org_id or ANY, stream or ANY, share, number))
        elif reset:
            reset_guard(connection, org_id or ANY, stream or ANY)
        guards = list_guards(connection)
    if as_json:
        terminal.print_json([asdict(each) for each in guards])
        return
    rows = ([each.org_id, each.stream, f"{each.largest_share:g}", str(each.largest_number)] for each in guards)
    terminal.output().print(terminal.table(("org", "stream", "share", "number"), rows, numbers=("share", "number")))


def _ask(database: Database, held_id: int) -> None:
    with database.connect() as connection:
        held = waiting_deletion(connection, held_id)
        org, ids = get_org(connection, held.org_id), ids_of(connection, held_id)
    _print_records(held, ids, None)
    rows = terminal.number_of(held.number, "row")
    terminal.confirm(f"Mark {rows} of {held.row_count:,} of {held.stream} of {org.name} deleted?")


def _print_records(held: HeldDeletion, ids: Sequence[str], records: Sequence[Mapping[str, Any]] | None) -> None:
    """The ids, enough of them to recognize the records; or the records themselves, which are personal data."""
    if records is not None:
        for record in records:
            terminal.report(f"{held.id}: {held.stream} {terminal.json_line(record)}")
        return
    more = f" and {len(ids) - _IDS_SHOWN} more" if len(ids) > _IDS_SHOWN else ""
    terminal.say(f"{held.id}: {held.stream} {', '.join(ids[:_IDS_SHOWN])}{more}")


def _described(held: HeldDeletion, ids: Sequence[str], records: Sequence[Mapping[str, Any]] | None) -> dict[str, Any]:
    described = {**asdict(held), "ids": list(ids)}
    return described if records is None else {**described, "records": list(records)}


def _row(held: HeldDeletion) -> list[str]:
    decision = f"{held.decision} {terminal.moment(held.decided_at)}" if held.decision else ""
    counts = [terminal.count(held.number), terminal.count(held.row_count)]
    return [str(held.id), held.org_id, held.stream, *counts, terminal.moment(held.held_at), decision]
