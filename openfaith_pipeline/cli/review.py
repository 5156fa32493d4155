"""`review`: everything that waits for a person's decision."""

from collections.abc import Sequence
from typing import Annotated

import typer

from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.org_names import OnlyOrg, only_org_id
from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.review.conflicts import Decision, list_conflicts
from openfaith_pipeline.review.items import Item, Kind, get_items, list_items
from openfaith_pipeline.settings import load_settings
from openfaith_pipeline.sync.review_decision import Outcome, decide_items, described

review_app = typer.Typer(
    no_args_is_help=True, help="Everything that waits for a decision: held deletions, conflicts, quarantine."
)

OnlyKind = Annotated[list[Kind] | None, typer.Option("--kind", help="Only of this kind; may be given several times.")]
WithDecided = Annotated[bool, typer.Option("--all", help="Include decided ones.")]
ShowRecords = Annotated[
    bool, typer.Option("--show-records", help="Show the values and records themselves, which are personal data.")
]
ItemName = Annotated[str, typer.Argument(metavar="ITEM", help="Its name in `review list`, such as conflict-7.")]
ItemNames = Annotated[
    list[str] | None, typer.Argument(metavar="ITEM", help="Their names in `review list`, such as conflict-7.")
]
ConflictsOf = Annotated[
    str | None, typer.Option("--conflicts-of", metavar="ORG", help="All conflicts of this church that wait.")
]


@review_app.command("list")
def show_all(
    org: OnlyOrg = None,
    kind: OnlyKind = None,
    with_decided: WithDecided = False,
    show_records: ShowRecords = False,
    as_json: terminal.JsonOption = False,
) -> None:
    """List the items waiting for a decision, oldest first: name, rows concerned, reason and since when.

    \b
    Examples:
      openfaith-pipeline review list
      openfaith-pipeline review list "Cedar Hollow Chapel" --kind conflict --show-records
      openfaith-pipeline review list --all --json

    \b
    Exit codes: 0 listed; 1 the database does not answer; 2 no such org.
    """
    with open_database(load_settings()) as database, database.connect() as connection:
        org_id = only_org_id(connection, org)
        items = list_items(connection, org_id, kinds=kind or tuple(Kind), with_decided=with_decided)
    if as_json:
        terminal.print_json([item.described(with_values=show_records) for item in items])
        return
    columns = ("item", "org", "about", "reason", "since", "decision")
    table = terminal.table(columns, map(_row, items), first_to_go=("decision", "org", "reason"))
    terminal.output().print(table)
    if show_records:
        for item in items:
            terminal.report(f"{item.id}: {terminal.json_line(item.described(with_values=True)['details'])}")
    if not items:
        terminal.say("nothing waits for a decision")


@review_app.command("show")
def show_one(name: ItemName, as_json: terminal.JsonOption = False) -> None:
    """Show all that is known of one item: of a conflict both values and the last synced one, who and when.

    They are personal data.

    \b
    Example:
      openfaith-pipeline review show conflict-7

    \b
    Exit codes: 0 shown; 1 the database does not answer; 2 there is no such item.
    """
    with open_database(load_settings()) as database, database.connect() as connection:
        [item] = get_items(connection, [name])
    if as_json:
        terminal.print_json(item.described(with_values=True))
        return
    terminal.report(f"{item.id} of {item.org_id}: {item.about}: {item.reason}")
    rows = [[name, terminal.json_line(value)] for name, value in item.details.items() if value is not None]
    terminal.output().print(terminal.table(("", "value"), rows))


@review_app.command("approve")
def approve(
    names: ItemNames = None,
    conflicts_of: ConflictsOf = None,
    yes: terminal.YesOption = False,
    as_json: terminal.JsonOption = False,
) -> None:
    """Let the source have its way: a conflict takes its value, held rows are marked deleted, a quarantined record is
    loaded if it fits now.

    It shows the items and asks first; --yes answers. All conflicts are decided at once. Each change is a sync of its
    own, which can be rolled back.

    \b
    Examples:
      openfaith-pipeline review approve conflict-7 conflict-8
      openfaith-pipeline review approve deletion-3 --yes --json
      openfaith-pipeline review approve --conflicts-of "Cedar Hollow Chapel"

    \b
    Exit codes: 0 done; 1 not confirmed, an item waits on, named on stderr, or something does not answer; 2 no such item
    waits, or a value was changed since it was shown.
    """
    _decide(names or (), conflicts_of, Decision.APPROVE, is_sure=yes, as_json=as_json)


@review_app.command("reject")
def reject(
    names: ItemNames = None,
    conflicts_of: ConflictsOf = None,
    yes: terminal.YesOption = False,
    as_json: terminal.JsonOption = False,
) -> None:
    """Leave things as they are: a conflict keeps OpenFaith's value, held rows stay, a quarantined record is left out.

    The same source value does not raise the conflict again; a new one does. A reconcile that still misses the held
    rows holds them again.

    \b
    Examples:
      openfaith-pipeline review reject conflict-7
      openfaith-pipeline review reject deletion-3 quarantine-12 --yes

    \b
    Exit codes: 0 done; 1 not confirmed, or something does not answer; 2 no such item waits.
    """
    _decide(names or (), conflicts_of, Decision.REJECT, is_sure=yes, as_json=as_json)


def _decide(
    names: Sequence[str], conflicts_of: str | None, decision: Decision, *, is_sure: bool, as_json: bool
) -> None:
    with open_database(load_settings()) as database:
        items = _chosen(database, names, conflicts_of)
        if not is_sure:
            for item in items:
                terminal.say(f"{item.id}: {item.about}: {item.reason}")
            terminal.confirm(f"{decision.capitalize()} {terminal.number_of(len(items), 'item')}?")
        outcomes = decide_items(database, [item.id for item in items], decision, terminal.who())
    if as_json:
        terminal.print_json([described(outcome) for outcome in outcomes])
    else:
        _print(outcomes, decision)
    for outcome in outcomes:
        if outcome.problem:
            terminal.complain(f"{outcome.id}: {outcome.problem}")
    raise typer.Exit(1 if any(outcome.problem for outcome in outcomes) else 0)


def _chosen(database: Database, names: Sequence[str], conflicts_of: str | None) -> list[Item]:
    if bool(names) == bool(conflicts_of):
        raise UsageError("name the items, such as conflict-7, or pass --conflicts-of")
    with database.connect() as connection:
        if org_id := only_org_id(connection, conflicts_of):
            names = [conflict.id for conflict in list_conflicts(connection, org_id)]
        if not names:
            raise UsageError("no conflict of this church is waiting for a decision")
        return get_items(connection, names)


def _print(outcomes: Sequence[Outcome], decision: Decision) -> None:
    done = [outcome for outcome in outcomes if not outcome.problem]
    word = "approved" if decision is Decision.APPROVE else "rejected"
    for outcome in done:
        by = f": sync {outcome.sync_id}" if outcome.sync_id else ""
        terminal.report(f"{word} {outcome.id}{by}")


def _row(item: Item) -> list[str]:
    return [item.id, item.org_id, item.about, item.reason, terminal.moment_and_age(item.since), item.decision or ""]
