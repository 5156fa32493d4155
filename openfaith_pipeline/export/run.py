"""An export from beginning to end: one moment's snapshot of the chosen tables as files."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Protocol

from psycopg import Connection

from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.export.csv_form import write_csv
from openfaith_pipeline.export.directory import Directory, FileFormat, export_directory
from openfaith_pipeline.export.extras import needed
from openfaith_pipeline.export.parquet_form import write_parquet
from openfaith_pipeline.export.tables import Prepared, Table, Wanted, prepare

_SNAPSHOT: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"


class Progress(Protocol):
    """Follows the files of an export."""

    def begin(self, files: int) -> None: ...

    def advance(self, name: str, rows: int, size: int) -> None:
        """This much of the file has been written."""

    def finish(self, name: str, rows: int) -> None:
        """The file is complete."""


@dataclass(frozen=True)
class Exported:
    """rows: by full name. skipped: members of the chosen groups that were not exported, with the reason."""

    exported_at: datetime
    rows: dict[str, int]
    skipped: dict[str, str]
    left_out: dict[str, tuple[str, ...]]


def export_files(
    database: Database,
    wanted: Wanted,
    root: Path,
    file_format: FileFormat,
    progress: Progress,
    *,
    for_spreadsheet: bool = False,
) -> Exported:
    """Write the tables into a directory, a file for each, all from one moment.

    Raises UsageError if the directory or the request does not fit; an export that ends early can be run again.
    """
    if file_format == "parquet":
        needed("pyarrow.parquet", "Parquet")
    with database.connect() as connection:
        connection.execute(_SNAPSHOT)
        exported_at = _now(connection)
        prepared = prepare(connection, wanted, database.settings.views_schema)
        if not prepared.tables:
            raise UsageError("nothing of this can be exported: " + _reasons(prepared))
        write = _csv_writer(for_spreadsheet=for_spreadsheet) if file_format == "csv" else write_parquet
        with export_directory(root, file_format) as directory:
            directory.begin((table.schema, table.name) for table in prepared.tables)
            progress.begin(len(prepared.tables))
            rows = {table.full_name: _write(connection, table, directory, write, progress) for table in prepared.tables}
            left_out = {table.full_name: table.left_out for table in prepared.tables if table.left_out}
            exported = Exported(exported_at, rows, prepared.skipped, left_out)
            directory.complete(_described(exported, prepared, wanted, directory))
    return exported


_Write = Callable[[Connection[Any], Table, Path, Callable[[int, int], None]], int]


def _write(connection: Connection[Any], table: Table, directory: Directory, write: _Write, progress: Progress) -> int:
    with directory.file(table.schema, table.name) as path:
        rows = write(connection, table, path, lambda rows, size: progress.advance(table.full_name, rows, size))
    progress.finish(table.full_name, rows)
    return rows


def _csv_writer(*, for_spreadsheet: bool) -> _Write:
    def write(connection: Connection[Any], table: Table, path: Path, count: Callable[[int, int], None]) -> int:
        with path.open("wb") as file:
            return write_csv(connection, table, file, count, for_spreadsheet=for_spreadsheet)

    return write


def _now(connection: Connection[Any]) -> datetime:
    row = connection.execute("SELECT now()").fetchone()
    if row is None:
        raise AssertionError("now() is a row")
    moment: datetime = row[0]
    return moment


def _reasons(prepared: Prepared) -> str:
    reasons = dict.fromkeys(prepared.skipped.values())
    return "; ".join(list(reasons)[:3])


def _described(exported: Exported, prepared: Prepared, wanted: Wanted, directory: Directory) -> dict[str, Any]:
    return {
        "version": version("openfaith-pipeline"),
        "exported_at": exported.exported_at.isoformat(),
        "orgs": [*wanted.org_ids],
        "without": sorted(wanted.without),
        "with_deleted": wanted.with_deleted,
        "skipped": exported.skipped,
        "tables": {
            table.full_name: {
                "file": directory.path_of(table.schema, table.name),
                "rows": exported.rows[table.full_name],
                "description": table.description,
                "columns": [_column(table, number) for number in range(len(table.columns))],
                "left_out": [*table.left_out],
                "closed": [*table.closed],
            }
            for table in prepared.tables
        },
    }


def _column(table: Table, number: int) -> dict[str, Any]:
    column = table.columns[number]
    words = {"description": column.words.text, "mark": column.words.mark} if column.words else {}
    return {"name": column.name, "type": column.kind, **words}
