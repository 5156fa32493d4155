"""`quarantine`: what could not be loaded as it came, and another try at it."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.sync import choose_streams
from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.load.quarantine import Quarantined, list_quarantined
from openfaith_pipeline.orgs.registry import get_org
from openfaith_pipeline.settings import load_settings

quarantine_app = typer.Typer(no_args_is_help=True, help="Records, or values of them, that could not be loaded.")

OrgId = Annotated[str | None, typer.Argument(metavar="ORG_ID", help="Only of this org.")]
StreamName = Annotated[
    str | None, typer.Option("--stream", "-s", metavar="STREAM", help="Only of this stream, such as people.emails.")
]
WithResolved = Annotated[bool, typer.Option("--all", help="Those that are settled, too.")]
ShowRecords = Annotated[
    bool, typer.Option("--show-records", help="Show the records themselves, which are people's data.")
]


@quarantine_app.command("list")
def show(
    org_id: OrgId = None,
    stream: StreamName = None,
    with_resolved: WithResolved = False,
    show_records: ShowRecords = False,
    as_json: terminal.JsonOption = False,
) -> None:
    """List what is in quarantine: of which record and field, on which page, and why.

    A value that did not fit its column was left empty and the rest of its record loaded; without a field, the whole
    record was left out. Reasons never quote the value.

    \b
    Examples:
      openfaith-pipeline quarantine list
      openfaith-pipeline quarantine list org_01k5t0w2m1e9qv4y8z3n7b6c5d --stream people.emails --show-records --json

    \b
    Exit codes: 0 listed; 1 the database does not answer; 2 no such org or stream.
    """
    with open_database(load_settings()) as database:
        entries = find_entries(database, org_id, stream, with_resolved=with_resolved)
    if as_json:
        terminal.print_json([_describe(entry, show_records=show_records) for entry in entries])
        return
    columns = ("entry", "org", "stream", "record", "field", "page", "reason", "since", "settled")
    rows = [_row(entry) for entry in entries]
    terminal.output().print(terminal.table(columns, rows, numbers=("entry", "page")))
    if show_records:
        for entry in entries:
            terminal.output().print(f"{entry.id}: {terminal.json_line(entry.record)}", markup=False, soft_wrap=True)
    if not entries:
        terminal.say("nothing is in quarantine")


def find_entries(
    database: Database,
    org_id: str | None,
    stream: str | None,
    *,
    entry_id: int | None = None,
    with_resolved: bool = False,
) -> list[Quarantined]:
    """What is in quarantine; UnknownOrg or UnknownStream for what is not there."""
    if stream:
        choose_streams((), [stream])
    with database.connect() as connection:
        if org_id:
            get_org(connection, org_id)
        return list_quarantined(
            connection, org_id=org_id, stream=stream, entry_id=entry_id, with_resolved=with_resolved
        )


def _describe(entry: Quarantined, *, show_records: bool) -> dict[str, Any]:
    described = asdict(entry)
    if not show_records:
        del described["record"], described["parents"]
    return described


def _row(entry: Quarantined) -> list[str]:
    return [
        str(entry.id),
        entry.org_id,
        entry.stream,
        entry.record_id or "without an id",
        entry.field or "all of it",
        terminal.count(entry.page),
        entry.reason,
        terminal.moment(entry.created_at),
        terminal.moment(entry.resolved_at) or ("its sync goes on" if entry.is_waiting else ""),
    ]
