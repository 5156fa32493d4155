"""`rollback`: take back what a sync did."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from openfaith_pipeline.cli import terminal
from openfaith_pipeline.database import open_database
from openfaith_pipeline.errors import RollbackRefused
from openfaith_pipeline.settings import load_settings
from openfaith_pipeline.sync.rollback import OnConflict, OrgRollback, RollbackOrder, roll_back

SyncId = Annotated[str, typer.Argument(metavar="SYNC_ID", help="As `sync --json`, `history` and Dagster show it.")]
Conflicts = Annotated[
    OnConflict,
    typer.Option(
        "--on-conflict",
        help="Rows that later syncs or people have changed. refuse: undo nothing and name them. keep: leave them as"
        " they are. overwrite: give them back what they were before the sync.",
    ),
]


def rollback(sync_id: SyncId, on_conflict: Conflicts = OnConflict.REFUSE, as_json: terminal.JsonOption = False) -> None:
    """Undo a finished sync exactly: raw tables, links, OpenFaith tables, and how far its streams had come.

    The next sync of these streams reads again what this one had brought. A rollback is a sync too, with an id of its
    own, and can be rolled back.

    \b
    Examples:
      openfaith-pipeline rollback 3f0c5a52-7f0e-4a06-b3b6-0a1f9a6b1c55
      openfaith-pipeline rollback 3f0c5a52-7f0e-4a06-b3b6-0a1f9a6b1c55 --on-conflict keep --json

    \b
    Exit codes: 0 undone; 1 refused, or the sync still runs; 2 no such sync, or nothing of it is left to undo.
    """
    from openfaith_pipeline.defs.compensation import report_rollback
    from openfaith_pipeline.defs.instance import open_instance

    order = RollbackOrder(sync_id, on_conflict)
    settings = load_settings()
    with open_database(settings) as database:
        try:
            undone = roll_back(database, order, tell=terminal.say)
        except RollbackRefused as refused:
            if not as_json:
                raise
            terminal.complain(str(refused))
            problem = {"type": type(refused).__name__, "message": str(refused), "conflicts": refused.conflicts}
            terminal.print_json({"error": problem})
            raise typer.Exit(1) from None
        with open_instance(settings, database) as instance:
            report_rollback(instance, order, undone)
    if as_json:
        terminal.print_json(_describe(order, undone))
        return
    numbers = ("restored", "removed", "returned", "kept")
    rows = [
        [org.org_id, table, *(terminal.count(number) for number in asdict(done).values())]
        for org in undone
        for table, done in org.tables.items()
    ]
    title = f"{sync_id} is rolled back by {order.rollback_id}"
    terminal.output().print(terminal.table(("org", "table", *numbers), rows, title=title, numbers=numbers))


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
