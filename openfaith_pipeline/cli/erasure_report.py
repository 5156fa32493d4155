"""How an erasure is shown: its counts, and the tables whose files could not be rewritten."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from openfaith_pipeline.cli import terminal
from openfaith_pipeline.database.reclaiming import Reclaimed

Wait = Annotated[bool, typer.Option("--wait", help="Wait until the org's running syncs have ended.")]


def print_counts(title: str, counts: Mapping[str, int], *, to_stderr: bool = False) -> None:
    rows = [[place, terminal.count(number)] for place, number in counts.items()]
    table = terminal.table(("where", "rows"), rows, title=title, numbers=("rows",))
    (terminal.messages() if to_stderr else terminal.output()).print(table)


def describe_reclaimed(reclaimed: Reclaimed | None) -> dict[str, Any] | None:
    return vars(reclaimed) if reclaimed else None


def warn_of_unreclaimed(reclaimed: Reclaimed | None) -> None:
    """Name the tables whose files may still have bytes of removed rows."""
    left = [*reclaimed.vacuumed, *reclaimed.refused] if reclaimed else []
    if left:
        terminal.complain(
            f"the rows are gone, but bytes of theirs may stay in the files of {', '.join(left)} until Postgres uses the"
            " space again: these were too large, in use, or not ours to rewrite. When nobody uses them: VACUUM FULL"
        )
