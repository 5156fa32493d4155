"""`history`: the history of a record, change by change."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.org_names import OrgName, org_id_of
from openfaith_pipeline.database import open_database
from openfaith_pipeline.database.canonical_tables import CANONICAL_PREFIX
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.journal.history import Change, read_history
from openfaith_pipeline.journal.tables import JournaledTable, raw_rows, table_named
from openfaith_pipeline.settings import load_settings
from openfaith_pipeline.sources import STREAMS

_LONGEST = 60

Where = Annotated[
    str,
    typer.Argument(
        metavar="STREAM_OR_TABLE", help="people.emails, pco_people.emails, openfaith_people, or a link table."
    ),
]
RecordId = Annotated[
    list[str],
    typer.Argument(metavar="RECORD_ID...", help="Its id; for a key of several columns, all of them or the first."),
]


def show_history(org: OrgName, where: Where, record_id: RecordId, as_json: terminal.JsonOption = False) -> None:
    """Show the history of a record: when it changed, by which sync and why, and each field before and after.

    The output contains the church's own data. Its extent is set by OPENFAITH_JOURNAL_DAYS.

    Examples:
      openfaith-pipeline history org_01k5t0w2m1e9qv4y8z3n7b6c5d people.emails 4711
      openfaith-pipeline history org_01k5t0w2m1e9qv4y8z3n7b6c5d openfaith_externalLinks pco person 4711 --json

    Exit codes: 0 shown; 1 the journal has no such record; 2 no such org, stream or table.
    """
    settings = load_settings()
    with open_database(settings) as database, database.connect() as connection:
        org_id = org_id_of(connection, org)
        table = _table_of(where, settings.canonical_schema)
        if len(record_id) > len(table.key):
            raise UsageError(f"the key of {table.full_name} is {', '.join(table.key)}")
        changes = read_history(connection, org_id, table, record_id)
    if as_json:
        terminal.print_json([asdict(change) for change in changes])
    elif changes:
        rows = [row for change in changes for row in _rows(change)]
        columns = ("when", "action", "field", "before", "after", "cause", "sync")
        terminal.output().print(terminal.table(columns, rows, title=f"{table.full_name} {' '.join(record_id)}"))
    if not changes:
        terminal.complain(f"the journal has no {' '.join(record_id)} in {table.full_name} of {org_id}")
        raise typer.Exit(1)


def _table_of(where: str, canonical_schema: str) -> JournaledTable:
    if where in STREAMS:
        return raw_rows(STREAMS[where])
    full_name = (
        where if "." in where else f"{canonical_schema}.{CANONICAL_PREFIX}{where.removeprefix(CANONICAL_PREFIX)}"
    )
    try:
        return table_named(full_name, canonical_schema)
    except UsageError:
        raise UsageError(
            f"there is no stream or table {where!r}; `openfaith-pipeline catalog` lists both,"
            " and docs/canonical.md the openfaith_* tables"
        ) from None


def _rows(change: Change) -> list[list[str]]:
    """One row for each changed field; for an insert or removal, for each that is not null."""
    before, after = change.before or {}, change.after or {}
    fields = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    told = [[name, _shown(before.get(name)), _shown(after.get(name))] for name in fields] or [["", "", ""]]
    heads = [[terminal.moment(change.changed_at), change.action], ["", ""]]
    tails = [[change.cause, change.sync_id], ["", ""]]
    return [[*heads[number > 0], *row, *tails[number > 0]] for number, row in enumerate(told)]


def _shown(value: Any) -> str:
    text = "" if value is None else value if isinstance(value, str) else terminal.json_line(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
