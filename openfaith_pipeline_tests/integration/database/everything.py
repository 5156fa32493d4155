"""A row of each of two orgs in every table that has orgs. They share their ids and nothing else."""

from typing import Any, Final

from psycopg import Connection, sql
from psycopg.types.json import Jsonb

from openfaith_pipeline.database.access import gifts
from openfaith_pipeline.database.canonical_tables import CANONICAL_PREFIX

ORGS: Final = ("org_amber", "org_birch")
GIFT: Final = "gift424242"
"""In every text about gifts; their numbers are 424242."""

_TABLES: Final = """
SELECT n.nspname || '.' || c.relname, json_object_agg(a.attname, format_type(a.atttypid, NULL))
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
AND (n.nspname LIKE 'pco_%%' OR n.nspname = 'public' OR n.nspname || '.' || c.relname = 'sync.journal')
GROUP BY 1
"""

_VALUES: Final = {
    "boolean": False,
    "date": "2026-01-04",
    "timestamp with time zone": "2026-11-04T10:00:00Z",
    "bytea": "\\x00",
}


def fill(connection: Connection[Any]) -> list[str]:
    """The tables that have got rows."""
    connection.execute("SET openfaith.transforming = 'on'")
    tables = connection.execute(_TABLES).fetchall()
    for table, columns in tables:
        for org in ORGS:
            for is_of_gifts in (True, False) if _is_mixed(table) else (_is_of_gifts(table),):
                _insert(connection, table, _row(table, columns, org, is_of_gifts))
    return sorted(table for table, _ in tables)


def _is_of_gifts(table: str) -> bool:
    name = table.partition(".")[2]
    return table in gifts.raw_tables_of_gifts() or name in gifts.canonical_of_gifts()


def _is_mixed(table: str) -> bool:
    return table in {
        "sync.journal",
        *(f"public.{CANONICAL_PREFIX}{name}" for name in ("edges", "externalLinks", "folders")),
    }


def _row(table: str, columns: dict[str, str], org: str, is_of_gifts: bool) -> dict[str, Any]:
    word = f"{GIFT} of {org}" if is_of_gifts else org
    row = {name: _value(kind, word, is_of_gifts) for name, kind in columns.items()}
    row |= {name: org for name in ("org_id", "orgId") if name in columns}
    row |= {name: "1" for name in columns if name.endswith("_id") and name not in ("org_id", "_sync_id")}
    row |= {name: None for name in ("_deleted_at", "deletedAt") if name in columns}
    if "id" in columns:
        row["id"] = "1" if table.startswith("pco_") else f"{org}_{is_of_gifts}"
    if table.partition(".")[2] in gifts.tables_with_fields_of_gifts():
        row["customFields"] = [{"name": "means of payment", "stringValue": GIFT}]
    if table in gifts.tables_of_the_church():
        row["time_zone"] = "America/Chicago"
    return row | _of_kind(table, is_of_gifts)


def _of_kind(table: str, is_of_gifts: bool) -> dict[str, Any]:
    """The columns that distinguish rows about gifts from others in a table that has both."""
    match table.partition(".")[2].removeprefix(CANONICAL_PREFIX):
        case "edges":
            ends = ("person", "donation") if is_of_gifts else ("person", "group")
            return dict(zip(("sourceEntityTypeTag", "targetEntityTypeTag"), ends, strict=True))
        case "externalLinks":
            return {"entityType": "donation" if is_of_gifts else "person"}
        case "folders":
            return {"folderType": "pco_giving_batch" if is_of_gifts else "pco_list"}
        case "journal":
            kind = "pco_giving.donations" if is_of_gifts else "pco_people.emails"
            return {"id": 2 if is_of_gifts else 1, "table_name": kind, "action": "insert"}
    return {}


def _value(kind: str, word: str, is_of_gifts: bool) -> Any:
    if kind in {"bigint", "integer", "numeric", "double precision"}:
        return 424242 if is_of_gifts else 7
    return {**_VALUES, "text": word, "character": word, "jsonb": [word], "json": [word]}[kind]


def _insert(connection: Connection[Any], table: str, row: dict[str, Any]) -> None:
    identifier = sql.Identifier(*table.split("."))
    statement = sql.SQL("INSERT INTO {table} SELECT * FROM jsonb_populate_record(NULL::{table}, %s)")
    if "_tag" in row:
        row = row | {"_tag": "x"}
    connection.execute(statement.format(table=identifier), (Jsonb(row),))
