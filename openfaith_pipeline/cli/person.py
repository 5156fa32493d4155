"""`person`: erase a person's data, lift an erasure, and export it."""

import re
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.erasure_report import (
    Wait,
    describe_reclaimed,
    finished_before,
    print_counts,
    report_finished,
    warn_of_unreclaimed,
)
from openfaith_pipeline.cli.org_names import OrgName, org_id_of
from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.privacy.marks import lift, list_erasures
from openfaith_pipeline.privacy.org_export import Format
from openfaith_pipeline.privacy.person_erasure import Certificate, erase_person, foresee_person_erasure
from openfaith_pipeline.privacy.person_export import read_person, write_person
from openfaith_pipeline.privacy.waiting import once_free
from openfaith_pipeline.settings import load_settings

person_app = typer.Typer(no_args_is_help=True, help="The data of one person: erase it, or export it.")

PersonId = Annotated[
    str, typer.Argument(metavar="ID", help="The person: the id in Planning Center, or OpenFaith's (person_...).")
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="The file to write, which may not exist yet. Default: here, by the id."),
]
Kind = Annotated[Format, typer.Option("--format", help="json: one document, exact; csv: a zip for spreadsheets.")]

_ENDINGS: Final = {"json": "json", "csv": "zip"}


@person_app.command("erase")
def erase(
    org: OrgName,
    person_id: PersonId,
    wait: Wait = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be erased.")] = False,
    yes: terminal.YesOption = False,
    as_json: terminal.JsonOption = False,
) -> None:
    """Erase a person: every record of theirs in every table, event and document, which cannot be undone.

    It shows the counts and asks first; --yes answers. Records that only name the person stay without the name: a gift
    keeps its amount, a note its text. Syncs withhold the person from then on, until the erasure is lifted. Planning
    Center itself is not changed. If it is killed, run it again: the rows are as before, or gone with their certificate,
    and then the tables that were not rewritten are.

    \b
    Examples:
      openfaith-pipeline person erase "Cedar Hollow Chapel" 1290
      openfaith-pipeline person erase org_01k5t0w2m1e9qv4y8z3n7b6c5d person_01k5t0w2m1e9qv4y8z3n7b6c5d --dry-run

    \b
    Exit codes: 0 erased; 1 not confirmed, a sync of the org is running, or the database does not answer; 2 no such org
    or person.
    """
    with open_database(load_settings()) as database:
        org_id = _org_id(database, org)
        if not dry_run and (finished := finished_before(database, org_id, person_id)):
            report_finished(*finished, as_json=as_json)
            return
        if dry_run or not yes:
            foreseen = once_free(
                lambda: foresee_person_erasure(database, org_id, person_id), wait=wait, tell=terminal.say
            )
            if dry_run and as_json:
                terminal.print_json({**_described(foreseen), "erasure_id": None, "erased_at": None})
                return
            print_counts(
                f"person {person_id} of {org_id}: what would be erased", foreseen.counts, to_stderr=not dry_run
            )
            if dry_run:
                return
            terminal.confirm(f"Erase all of this for good, of {', '.join(foreseen.person_ids)}?")
        certificate = once_free(
            lambda: erase_person(database, org_id, person_id, terminal.who(), terminal.say),
            wait=wait,
            tell=terminal.say,
        )
    if as_json:
        terminal.print_json(_described(certificate))
    else:
        print_counts(f"erased: certificate {certificate.erasure_id}", certificate.counts)
    warn_of_unreclaimed(certificate.reclaimed)


@person_app.command("lift")
def lift_erasure(org: OrgName, person_id: PersonId, as_json: terminal.JsonOption = False) -> None:
    """Let an erased person be synced again, as when they come back.

    The next full refresh brings their records in Planning Center: openfaith-pipeline sync ORG --mode full_refresh

    Exit codes: 0 lifted; 1 the database does not answer; 2 no such org, or the person is not erased.
    """
    with open_database(load_settings()) as database:
        org_id = _org_id(database, org)
        with database.connect() as connection:
            lifted = lift(connection, org_id, person_id, terminal.who())
    if not lifted:
        raise UsageError(f"there is no erasure of a person {person_id!r} in {org_id}; give the id in Planning Center")
    if as_json:
        terminal.print_json({"org_id": org_id, "lifted": lifted})
        return
    terminal.report(f"lifted {', '.join(lifted)}")
    terminal.say(f"to read the person again: openfaith-pipeline sync {org_id} --mode full_refresh")


@person_app.command("erasures")
def show_erasures(org: OrgName, as_json: terminal.JsonOption = False) -> None:
    """List an org's erasures: their certificates say when, who did it and how much, and do not name the person.

    Exit codes: 0 listed; 1 the database does not answer; 2 no such org.
    """
    with open_database(load_settings()) as database:
        org_id = _org_id(database, org)
        with database.connect() as connection:
            erasures = list_erasures(connection, org_id)
    if as_json:
        terminal.print_json([each._asdict() for each in erasures])
        return
    rows = [
        [each.erasure_id, terminal.moment(each.erased_at), each.erased_by, terminal.moment(each.lifted_at)]
        for each in erasures
    ]
    if rows:
        terminal.output().print(terminal.table(("certificate", "erased", "by", "lifted"), rows))
    else:
        terminal.say("nobody has been erased")


@person_app.command("export")
def export(
    org: OrgName,
    person_id: PersonId,
    kind: Kind = "json",
    out: Out = None,
    as_json: terminal.JsonOption = False,
) -> None:
    """Write everything stored of a person to a file that only you may read.

    \b
    Examples:
      openfaith-pipeline person export "Cedar Hollow Chapel" 1290
      openfaith-pipeline person export org_01k5t0w2m1e9qv4y8z3n7b6c5d 1290 --format csv --out person.zip

    \b
    Exit codes: 0 written; 1 the file cannot be written, or the database does not answer; 2 no such org or person, or
    the file exists already.
    """
    with open_database(load_settings()) as database:
        found = read_person(database, _org_id(database, org), person_id)
    # The id may be one that somebody else chose.
    path = out or Path(f"person-{re.sub(r'[^0-9A-Za-z-]', '_', found.person_ids[0])}.{_ENDINGS[kind]}")
    write_person(found, path, kind)
    if as_json:
        counted = {"org_id": found.org_id, "person_ids": found.person_ids}
        terminal.print_json({**counted, "file": path.resolve(), "rows": found.counts, "mentions": found.mentions})
        return
    terminal.report(f"wrote {terminal.number_of(sum(found.counts.values()), 'row')} to {path.resolve()}")


def _org_id(database: Database, org: str) -> str:
    with database.connect() as connection:
        return org_id_of(connection, org)


def _described(certificate: Certificate) -> dict[str, Any]:
    return {
        "erasure_id": certificate.erasure_id,
        "org_id": certificate.org_id,
        "person_ids": certificate.person_ids,
        "erased_by": certificate.erased_by,
        "erased_at": certificate.erased_at,
        "counts": certificate.counts,
        "tables": describe_reclaimed(certificate.reclaimed),
    }
