"""How an erasure is shown: its counts, and the tables whose files could not be rewritten."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from openfaith_pipeline.cli import terminal
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.reclaiming import Reclaimed
from openfaith_pipeline.privacy.erasing_anew import ErasedAnew
from openfaith_pipeline.privacy.marks import Erasure
from openfaith_pipeline.privacy.unreclaimed import erasure_of, finish_erasures

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


def finished_before(database: Database, org_id: str, person_id: str | None = None) -> tuple[Erasure, Reclaimed] | None:
    """Finish the org's erasures whose process was killed; returns that of this person, or of the whole org."""
    finished = finish_erasures(database, org_id, terminal.say)
    with database.connect() as connection:
        earlier = erasure_of(connection, org_id, person_id) if finished else None
    return (earlier, finished[earlier.erasure_id]) if earlier and earlier.erasure_id in finished else None


def report_finished(erasure: Erasure, reclaimed: Reclaimed, *, as_json: bool) -> None:
    """Show the certificate of an erasure that is finished only now."""
    if as_json:
        certificate = {name: getattr(erasure, name) for name in ("erasure_id", "org_id", "erased_by", "erased_at")}
        terminal.print_json({**certificate, "counts": erasure.counts, "tables": describe_reclaimed(reclaimed)})
    else:
        print_counts(f"erased before: certificate {erasure.erasure_id}", erasure.counts)
    warn_of_unreclaimed(reclaimed)


def report_erased_again(erased: ErasedAnew, made_at: str) -> None:
    """Say who was erased again after a restore, or that nobody could be.

    made_at: of the backup.
    """
    if not erased.has_marks:
        terminal.say(
            f"people who were erased since {made_at} are in it again because no marks of them were there: erase them"
            " again with person erase or org erase"
        )
        return
    for org_id, counts in erased.counts.items():
        print_counts(f"{org_id}: erased again", counts, to_stderr=True)
    orgs = f", and {terminal.number_of(len(erased.orgs), 'whole org')}" if erased.orgs else ""
    terminal.say(f"{terminal.number_of(erased.erasures, 'erasure')} of people repeated{orgs}")
    for org_id in erased.of_other_key:
        terminal.complain(
            f"{org_id}: its marks were made with a different key from the backup's. People who were erased and are not"
            " in the backup are no longer recognized, and the next sync may store them: erase them again"
        )
    warn_of_unreclaimed(erased.reclaimed)
