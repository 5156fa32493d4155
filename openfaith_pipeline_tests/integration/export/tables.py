"""A table with a column of every type, and exports of tables that no declaration knows."""

from pathlib import Path
from typing import Any, Final

from psycopg import sql

from openfaith_pipeline.catalog.words import Words
from openfaith_pipeline.database import Database
from openfaith_pipeline.export.directory import FileFormat
from openfaith_pipeline.export.relations import Relation
from openfaith_pipeline.export.run import Exported, export_files
from openfaith_pipeline.export.selection import Selection
from openfaith_pipeline.export.tables import Wanted

ORG: Final = "org_amber"

TYPES: Final = {
    "a_text": "text",
    "a_code": "character(6)",
    "a_name": "character varying",
    "a_small": "smallint",
    "an_int": "integer",
    "a_big": "bigint",
    "a_numeric": "numeric",
    "a_double": "double precision",
    "a_real": "real",
    "a_bool": "boolean",
    "a_day": "date",
    "a_moment": "timestamp with time zone",
    "a_local": "timestamp without time zone",
    "a_document": "jsonb",
    "a_binary": "bytea",
    "a_uuid": "uuid",
    "an_interval": "interval",
    "texts": "text[]",
    "numbers": "bigint[]",
}
ROWS: Final[list[dict[str, Any]]] = [
    {},
    {
        "a_text": 'Ann "the" O\'Neil, 7 St.\nSecond line;\ttab\\N \\. é 漢 😀',
        "a_code": "ab",
        "a_name": "",
        "a_small": -32768,
        "an_int": 2147483647,
        "a_big": -9223372036854775808,
        "a_numeric": "12345678901234567890.123456789",
        "a_double": 0.1,
        "a_real": 1.5,
        "a_bool": True,
        "a_day": "2024-02-29",
        "a_moment": "2026-03-08T09:59:59.000001+02:00",
        "a_local": "2026-03-08T02:30:00.999999",
        "a_document": '{"b": [1.10, 12345678901234567890123, null], "a": "x\\"y"}',
        "a_binary": b"\x00\xff\n",
        "a_uuid": "00000000-0000-4000-8000-000000000001",
        "an_interval": "1 mon 2 days 03:04:05.678901",
        "texts": ["a", 'b"c', "d,e", ""],
        "numbers": [1, 9223372036854775807],
    },
    {
        "a_text": "",
        "a_numeric": "-0.5",
        "a_double": -1e300,
        "a_bool": False,
        "a_day": "0001-01-01",
        "a_moment": "0001-01-01T00:00:00Z",
        "a_local": "9999-12-31T23:59:59.999999",
        "a_document": "null",
        "a_binary": b"",
        "texts": [],
        "numbers": [],
    },
]


class Silent:
    """Progress of nobody; `stop_at` ends the export in the middle of a file."""

    def __init__(self, stop_at: str = "") -> None:
        self.stop_at = stop_at

    def begin(self, files: int) -> None: ...

    def advance(self, name: str, rows: int, size: int) -> None:  # noqa: ARG002 - as the protocol has it
        if name == self.stop_at:
            raise KeyboardInterrupt

    def finish(self, name: str, rows: int) -> None: ...


def make_table(database: Database, name: str, types: dict[str, str], rows: list[dict[str, Any]]) -> Relation:
    """A table in `public` with an org and these columns."""
    columns = sql.SQL(", ").join(sql.SQL(f"{column} {kind}") for column, kind in types.items())  # type: ignore[arg-type]
    with database.connect() as connection:
        connection.execute(sql.SQL("CREATE TABLE {} (org_id text, {})").format(sql.Identifier(name), columns))
        for row in rows:
            given = {"org_id": ORG, **row}
            connection.execute(
                sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                    sql.Identifier(name),
                    sql.SQL(", ").join(map(sql.Identifier, given)),
                    sql.SQL(", ").join(map(sql.Literal, given.values())),
                )
            )
    words = {column: Words(column) for column in ("org_id", *types)}
    return Relation("raw", "public", name, "org_id", None, "a table", words)


def wanted(*relations: Relation, orgs: tuple[str, ...] = (ORG,)) -> Wanted:
    return Wanted(Selection(relations, (), frozenset(each.full_name for each in relations)), orgs)


def export(
    database: Database, root: Path, file_format: FileFormat, *relations: Relation, stop_at: str = "", **options: Any
) -> Exported:
    return export_files(database, wanted(*relations), root, file_format, Silent(stop_at), **options)
