"""`rollback`: undo a sync."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.org_names import OrgOption, only_org_id
from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.errors import RollbackRefused
from openfaith_pipeline.orgs.naming import names_of
from openfaith_pipeline.orgs.recent_syncs import find_sync_id
from openfaith_pipeline.orgs.registry import list_orgs
from openfaith_pipeline.settings import load_settings
from openfaith_pipeline.sync.rollback import OnConflict, OrgRollback, RollbackOrder, foresee_rollback, roll_back

SyncId = Annotated[str, typer.Argument(metavar="SYNC_ID", help="As `syncs list` shows it, or a unique beginning.")]
Conflicts = Annotated[
    OnConflict,
    typer.Option(
        "--on-conflict",
        help="Rows that later syncs or people have changed. refuse: undo nothing and name them. keep: leave them as"
        " they are. overwrite: restore them to their state before the sync.",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be undone, and undo nothing.")]

_NUMBERS = ("restored", "removed", "returned", "kept")


def rollback(
    sync_id: SyncId,
    org: OrgOption = None,
    on_conflict: Conflicts = OnConflict.REFUSE,
    dry_run: DryRun = False,
    yes: terminal.YesOption = False,
    as_json: terminal.JsonOption = False,
) -> None:
    """Undo a finished sync exactly: raw tables, links, OpenFaith tables, and how far its streams had come.

    It shows its changes in advance, by church and table, and asks; --yes answers. The next sync of these streams reads
    these changes again. A rollback is a sync too, with an id of its own, and can be rolled back.

    \b
    Examples:
      openfaith-pipeline rollback 3f0c5a52-7f0e-4a06-b3b6-0a1f9a6b1c55
      openfaith-pipeline rollback 3f0c5a52 --org "Cedar Hollow Chapel" --dry-run
      openfaith-pipeline rollback 3f0c5a52-7f0e-4a06-b3b6-0a1f9a6b1c55 --on-conflict keep --yes --json

    \b
    Exit codes: 0 undone, or shown; 1 refused, not confirmed, or the sync still runs; 2 no such sync or org, or nothing
    of it is left to undo.
    """
    settings = load_settings()
    with open_database(settings) as database:
        order, names = _order(database, sync_id, org, on_conflict)
        if dry_run or not yes:
            foreseen = _named_when_refused(lambda: foresee_rollback(database, order, tell=_whisper), as_json=as_json)
            if not (dry_run and as_json):
                _print(f"{order.sync_id}: what would be undone", foreseen, names, to_stderr=not dry_run)
            if dry_run:
                if as_json:
                    terminal.print_json({**_describe(order, foreseen), "rollback_id": None})
                return
            rows = terminal.number_of(sum(each.rows for each in foreseen), "row")
            churches = names[foreseen[0].org_id] if len(foreseen) == 1 else terminal.number_of(len(foreseen), "org")
            terminal.confirm(f"Undo {rows} of {churches}?")
        undone = _named_when_refused(lambda: roll_back(database, order, tell=terminal.say), as_json=as_json)
        _report_to_dagster(database, order, undone)
    if as_json:
        terminal.print_json(_describe(order, undone))
        return
    _print(f"{order.sync_id} is rolled back by {order.rollback_id}", undone, names)


def _order(
    database: Database, sync_id: str, org: str | None, on_conflict: OnConflict
) -> tuple[RollbackOrder, dict[str, str]]:
    """The order, and the names of all orgs by id."""
    with database.connect() as connection:
        org_id = only_org_id(connection, org)
        names = {each.org_id: each.name for each in list_orgs(connection)}
        whole_id = find_sync_id(connection, sync_id)
    return RollbackOrder(whole_id, on_conflict, org_ids=[org_id] if org_id else None), names


def _named_when_refused(act: Callable[[], list[OrgRollback]], *, as_json: bool) -> list[OrgRollback]:
    """Call `act` and return its result; if it is refused, the JSON contains the conflicting rows."""
    try:
        return act()
    except RollbackRefused as refused:
        if not as_json:
            raise
        terminal.complain(str(refused))
        problem = {"type": type(refused).__name__, "message": str(refused), "conflicts": refused.conflicts}
        terminal.print_json({"error": problem})
        raise typer.Exit(1) from None


def _report_to_dagster(database: Database, order: RollbackOrder, undone: Sequence[OrgRollback]) -> None:
    from openfaith_pipeline.defs.compensation import report_rollback
    from openfaith_pipeline.defs.instance import open_instance

    with database.connect() as connection:
        names = names_of(connection, [org.org_id for org in undone])
    with open_instance(database.settings, database) as instance:
        report_rollback(instance, order, undone, names)


def _print(title: str, undone: Sequence[OrgRollback], names: dict[str, str], *, to_stderr: bool = False) -> None:
    rows = [
        [names.get(org.org_id, org.org_id), table, *(terminal.count(number) for number in asdict(done).values())]
        for org in undone
        for table, done in org.tables.items()
        if any(asdict(done).values())
    ]
    table = terminal.table(("church", "table", *_NUMBERS), rows, title=title, numbers=_NUMBERS)
    (terminal.messages() if to_stderr else terminal.output()).print(table)


def _whisper(_line: str) -> None:
    """Discard a line: a dry run prints nothing."""


def _describe(order: RollbackOrder, undone: Sequence[OrgRollback]) -> dict[str, Any]:
    return {
        "sync_id": order.sync_id,
        "rollback_id": order.rollback_id,
        "orgs": {
            org.org_id: {
                "rows": org.rows,
                "kept": org.kept,
                "streams": org.streams,
                "tables": {table: asdict(done) for table, done in org.tables.items()},
            }
            for org in undone
        },
    }
