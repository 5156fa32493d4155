"""`quarantine`: records and values that could not be loaded, and their replay."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.completion import complete_stream
from openfaith_pipeline.cli.org_names import OnlyOrg, only_org_id
from openfaith_pipeline.cli.selection import choose_streams
from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.review.quarantine import Quarantined, list_quarantined
from openfaith_pipeline.settings import load_settings
from openfaith_pipeline.sync.quarantine_replay import Replayed, replay_as_sync

quarantine_app = typer.Typer(no_args_is_help=True, help="Records, or values of them, that could not be loaded.")

StreamName = Annotated[
    str | None,
    typer.Option(
        "--stream",
        "-s",
        metavar="STREAM",
        autocompletion=complete_stream,
        help="Only of this stream, such as people.emails.",
    ),
]
WithResolved = Annotated[bool, typer.Option("--all", help="Include resolved ones.")]
EntryId = Annotated[
    int | None,
    typer.Option("--id", metavar="ENTRY", min=1, help="Only this entry, by its number in `quarantine list`."),
]
ShowRecords = Annotated[
    bool, typer.Option("--show-records", help="Show the records themselves, which contain personal data.")
]


@quarantine_app.command("list")
def show(
    org: OnlyOrg = None,
    stream: StreamName = None,
    with_resolved: WithResolved = False,
    show_records: ShowRecords = False,
    as_json: terminal.JsonOption = False,
) -> None:
    """List the quarantine: record and field of each entry, the page, and the reason.

    A value that did not fit its column is in `_extra` and the rest of its record is loaded; an entry without a field
    concerns a whole record that was left out. Reasons never quote the value.

    Examples:
      openfaith-pipeline quarantine list
      openfaith-pipeline quarantine list org_01k5t0w2m1e9qv4y8z3n7b6c5d --stream people.emails --show-records --json

    Exit codes: 0 listed; 1 the database does not answer; 2 no such org or stream.
    """
    with open_database(load_settings()) as database:
        entries = find_entries(database, org, stream, with_resolved=with_resolved)
    if as_json:
        terminal.print_json([_describe(entry, show_records=show_records) for entry in entries])
        return
    columns = ("entry", "org", "stream", "record", "field", "page", "reason", "since", "settled")
    rows = [_row(entry) for entry in entries]
    terminal.output().print(terminal.table(columns, rows, numbers=("entry", "page")))
    if show_records:
        for entry in entries:
            terminal.report(f"{entry.id}: {terminal.json_line(entry.record)}")
    if not entries:
        terminal.say("the quarantine is empty")


@quarantine_app.command("replay")
def replay_entries(
    org: OnlyOrg = None,
    stream: StreamName = None,
    entry_id: EntryId = None,
    as_json: terminal.JsonOption = False,
) -> None:
    """Try to load the quarantined records again with the declarations of this version.

    Those that fit now are published, unless the record has been read again since; the others stay, with their current
    reason. Sends no request to Planning Center.

    Examples:
      openfaith-pipeline quarantine replay
      openfaith-pipeline quarantine replay org_01k5t0w2m1e9qv4y8z3n7b6c5d --stream people.emails --json
      openfaith-pipeline quarantine replay --id 17

    Exit codes: 0 all entries tried are resolved; 1 some are not, named on stderr; 2 no such org, stream or entry.
    """
    with open_database(load_settings()) as database:
        entries = find_entries(database, org, stream, entry_id=entry_id)
        if entry_id is not None and not entries:
            raise UsageError(
                f"no entry {entry_id} is open; `openfaith-pipeline quarantine list` shows the open entries"
            )
        sync_id, results = replay_as_sync(database, entries, trigger="cli")
    if as_json:
        terminal.print_json({"sync_id": sync_id, "streams": [asdict(result) for result in results]})
    else:
        _print_replayed(results)
    raise typer.Exit(_complain_of_leftovers(results))


def _print_replayed(results: list[Replayed]) -> None:
    numbers = ("published", "settled", "overtaken", "left", "waiting")
    rows = [
        [result.org_id, result.stream, *(terminal.count(getattr(result, name)) for name in numbers)]
        for result in results
    ]
    terminal.output().print(terminal.table(("org", "stream", *numbers), rows, numbers=numbers))
    if not results:
        terminal.say("the quarantine is empty")


def _complain_of_leftovers(results: list[Replayed]) -> int:
    for result in results:
        if result.error:
            terminal.complain(f"{result.org_id}: {result.stream}: {result.error}")
        elif result.left:
            terminal.complain(
                f"{result.org_id}: {result.stream}: {terminal.number_of(result.left, 'value')} still wrong;"
                f" openfaith-pipeline quarantine list {result.org_id} --stream {result.stream}"
            )
        if result.waiting:
            terminal.say(f"{result.org_id}: {result.stream}: {result.waiting} skipped: their sync is still running")
    return 1 if any(result.error or result.left for result in results) else 0


def find_entries(
    database: Database,
    org: str | None,
    stream: str | None,
    *,
    entry_id: int | None = None,
    with_resolved: bool = False,
) -> list[Quarantined]:
    """Quarantine entries; UnknownOrg or UnknownStream for invalid filters."""
    if stream:
        choose_streams((), [stream])
    with database.connect() as connection:
        org_id = only_org_id(connection, org)
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
        terminal.moment(entry.resolved_at) or ("its sync continues" if entry.is_waiting else ""),
    ]
