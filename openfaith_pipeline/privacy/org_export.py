"""Export of an org: a zip with one file for each table, from one moment's snapshot, streamed."""

import json
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

from psycopg import Connection, sql

from openfaith_pipeline.database import Database
from openfaith_pipeline.privacy.files import private_file
from openfaith_pipeline.privacy.org_tables import OrgTable, data_tables

Format = Literal["json", "csv"]

_SNAPSHOT: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_ROWS_AT_ONCE: Final = 1000

HISTORY: Final = (OrgTable("sync", "journal", "org_id"),)
"""Every change of every row since the first sync."""


def _quiet(_message: str) -> None: ...


def export_org(
    database: Database,
    org_id: str,
    path: Path,
    kind: Format,
    *,
    with_history: bool = False,
    tell: Callable[[str], None] = _quiet,
) -> dict[str, int]:
    """Write the org's tables to a zip; returns the number of rows by table. Empty tables are left out.

    kind: `json` for one object a line, `csv` with a heading.
    """
    counts: dict[str, int] = {}
    with private_file(path) as file, database.connect() as connection, _zip(file) as archive:
        connection.execute(_SNAPSHOT)
        tables = [*data_tables(connection, database.settings.canonical_schema), *(HISTORY if with_history else ())]
        for number, table in enumerate(tables, start=1):
            if not _has_rows(connection, table, org_id):
                continue
            name = f"{table.full_name}.{'jsonl' if kind == 'json' else 'csv'}"
            with archive.open(name, "w", force_zip64=True) as entry:
                counts[table.full_name] = sum(map(_writer(entry), _lines(connection, table, org_id, kind)))
            tell(f"{table.full_name}: {counts[table.full_name]} rows ({number} of {len(tables)} tables)")
        manifest = {"org_id": org_id, "exported_at": datetime.now(UTC).isoformat(), "rows": counts}
        archive.writestr("manifest.json", json.dumps(manifest, indent=2))
    return counts


def _writer(entry: Any) -> Callable[[tuple[bytes, int]], int]:
    """Writes a chunk; returns its number of rows."""

    def write(chunk: tuple[bytes, int]) -> int:
        entry.write(chunk[0])
        return chunk[1]

    return write


def _zip(file: BinaryIO) -> zipfile.ZipFile:
    return zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED)


def _has_rows(connection: Connection[Any], table: OrgTable, org_id: str) -> bool:
    statement = sql.SQL("SELECT FROM {} WHERE {} = %s LIMIT 1").format(table.identifier, sql.Identifier(table.org))
    return connection.execute(statement, (org_id,)).fetchone() is not None


def _lines(connection: Connection[Any], table: OrgTable, org_id: str, kind: Format) -> Iterator[tuple[bytes, int]]:
    """Chunks of the file, each with its number of rows."""
    condition = sql.SQL("{} = {}").format(sql.Identifier(table.org), sql.Literal(org_id))
    if kind == "json":
        yield from _json_lines(connection, table, condition)
    else:
        yield from _csv_lines(connection, table, condition)


def _json_lines(connection: Connection[Any], table: OrgTable, condition: sql.Composable) -> Iterator[tuple[bytes, int]]:
    with connection.cursor("exported") as cursor:
        cursor.itersize = _ROWS_AT_ONCE
        cursor.execute(
            sql.SQL("SELECT row_to_json(exported)::text FROM {} AS exported WHERE {}").format(
                table.identifier, condition
            )
        )
        for row in cursor:
            yield row[0].encode() + b"\n", 1


def _csv_lines(connection: Connection[Any], table: OrgTable, condition: sql.Composable) -> Iterator[tuple[bytes, int]]:
    with connection.cursor() as cursor:
        copied = sql.SQL("COPY (SELECT * FROM {} WHERE {}) TO STDOUT (FORMAT csv, HEADER)").format(
            table.identifier, condition
        )
        with cursor.copy(copied) as copy:
            for chunk in copy:
                yield bytes(chunk), 0
        # The server counts the rows; a value may have line breaks.
        yield b"", cursor.rowcount
