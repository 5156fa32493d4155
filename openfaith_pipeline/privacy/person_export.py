"""Export of a person: everything stored of them, as one JSON document or a zip of CSV files."""

import csv
import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import orjson
from psycopg import Cursor, sql
from psycopg.rows import tuple_row

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.canonical_tables import CANONICAL_PREFIX
from openfaith_pipeline.database.table_names import raw_name
from openfaith_pipeline.privacy.files import private_file
from openfaith_pipeline.privacy.openfaith_rows import find_entities
from openfaith_pipeline.privacy.person_records import (
    PersonRecords,
    check_known,
    condition_of,
    find_person,
    find_records,
)
from openfaith_pipeline.sources import PERSONAL, STREAMS
from openfaith_pipeline.text.spreadsheets import guarded

_EDGES = sql.SQL(
    'SELECT to_jsonb(edge) FROM {} AS edge WHERE "orgId" = %(org_id)s'
    ' AND ("sourceEntityId" = ANY(%(ids)s) OR "targetEntityId" = ANY(%(ids)s))'
)

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class PersonExport:
    """A person's data.

    records: by stream, the person's rows and those about them (their gifts, their attendance). openfaith: by table.
    mentions: by stream and relationship, the ids of records that only name them, such as notes that they wrote.
    """

    org_id: str
    person_ids: tuple[str, ...]
    exported_at: datetime
    records: Mapping[str, Rows]
    openfaith: Mapping[str, Rows]
    mentions: Mapping[str, Mapping[str, list[str]]]

    @property
    def counts(self) -> dict[str, int]:
        """Rows by stream and table."""
        return {name: len(rows) for name, rows in {**self.records, **self.openfaith}.items()}

    def document(self) -> bytes:
        return orjson.dumps(self.__dict__, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z, default=str)


def read_person(database: Database, org_id: str, name: str) -> PersonExport:
    """Everything stored of a person.

    name: an id of the source or of OpenFaith. Raises UsageError if nothing is stored of them.
    """
    schema = database.settings.canonical_schema
    with database.connect() as connection, connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        records = find_records(cursor, org_id, schema, find_person(cursor, org_id, schema, name))
        check_known(cursor, records)
        return PersonExport(
            org_id,
            records.person_ids,
            datetime.now(UTC),
            dict(_records(cursor, records)),
            dict(_openfaith(cursor, records)),
            {stream.name: named for stream in STREAMS.values() if (named := dict(_mentions(cursor, records, stream)))},
        )


def write_person(export: PersonExport, path: Path, kind: Literal["json", "csv"]) -> None:
    """Write the export to a new file."""
    with private_file(path) as file:
        if kind == "json":
            file.write(export.document() + b"\n")
            return
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, rows in {**export.records, **export.openfaith}.items():
                archive.writestr(f"{name}.csv", _as_csv(rows))


def _as_csv(rows: Rows) -> str:
    """CSV for people who open it in a spreadsheet: no text is a formula, whoever wrote it."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows({name: _shown(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _shown(value: Any) -> Any:
    if isinstance(value, dict | list):
        value = orjson.dumps(value).decode()
    return guarded(value) if isinstance(value, str) else value


def _records(cursor: Cursor[Any], records: PersonRecords) -> Iterator[tuple[str, Rows]]:
    for stream in STREAMS.values():
        parameters: dict[str, Any] = {"org_id": records.org_id, "own": records.ids(stream)}
        about = [
            condition
            for name in PERSONAL.of(stream).describes
            if (condition := condition_of("present", stream, name, records, parameters)) is not None
        ]
        if not about and not records.own.get(stream.name):
            continue
        conditions = sql.SQL(" OR ").join([sql.SQL("present.id = ANY(%(own)s)"), *about])
        statement = sql.SQL(
            "SELECT to_jsonb(present) - '_content_hash' FROM {} AS present WHERE org_id = %(org_id)s AND ({})"
            ' ORDER BY length(id), id COLLATE "C"'
        ).format(raw_name(stream), conditions)
        if rows := _objects(cursor, statement, parameters):
            yield stream.name, rows


def _openfaith(cursor: Cursor[Any], records: PersonRecords) -> Iterator[tuple[str, Rows]]:
    entities = find_entities(cursor, records)
    for table, ids in entities.by_table.items():
        name = f"{CANONICAL_PREFIX}{table}"
        statement = sql.SQL(
            'SELECT to_jsonb(entity) FROM {} AS entity WHERE "orgId" = %(org_id)s AND id = ANY(%(ids)s) ORDER BY id'
        ).format(sql.Identifier(records.schema, name))
        if rows := _objects(cursor, statement, {"org_id": records.org_id, "ids": sorted(ids)}):
            yield name, rows
    edges = f"{CANONICAL_PREFIX}edges"
    asked = {"org_id": records.org_id, "ids": entities.ids}
    if rows := _objects(cursor, _EDGES.format(sql.Identifier(records.schema, edges)), asked):
        yield edges, rows


def _mentions(cursor: Cursor[Any], records: PersonRecords, stream: Stream) -> Iterator[tuple[str, list[str]]]:
    personal = PERSONAL.of(stream)
    for name, target in stream.belongs_to.items():
        if not target or not PERSONAL.is_person(target) or name in {*personal.erased_with, *personal.describes}:
            continue
        statement = sql.SQL(
            "SELECT id FROM {} WHERE org_id = %s AND {} = ANY(%s) AND NOT id = ANY(%s) ORDER BY length(id), id"
        ).format(raw_name(stream), sql.Identifier(f"{name}_id"))
        asked = (records.org_id, list(records.people.get(stream.adapter, ())), records.ids(stream))
        if ids := [identifier for (identifier,) in cursor.execute(statement, asked).fetchall()]:
            yield name, ids


def _objects(cursor: Cursor[Any], statement: sql.Composed, parameters: Mapping[str, Any]) -> Rows:
    return [row for (row,) in cursor.execute(statement, parameters).fetchall()]
