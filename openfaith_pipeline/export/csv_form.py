"""CSV: values as text that Postgres, DuckDB and Python read back without loss; or as a spreadsheet can be given them.

Exact: a null is empty and an empty text is `""`; times are ISO 8601, in UTC with a `Z`; arrays and documents
are JSON; booleans true and false. For a spreadsheet: a byte order mark, times without a zone, and no text that begins
like a formula, even if the file is split at a separator other than the one it was written with.
"""

from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, Final, LiteralString

from psycopg import Connection, sql

from openfaith_pipeline.export.columns import Column
from openfaith_pipeline.export.tables import Table, selects
from openfaith_pipeline.text.spreadsheets import BEGINNING, GUARDED

Count = Callable[[int, int], None]
"""Called with the rows and bytes written so far."""

# Before the year 1 the text ends in BC, which belongs behind the zone.
_EXACT: Final[Mapping[str, LiteralString]] = {
    "boolean": "{column}::text",
    "timestamp with time zone": "CASE WHEN {column} < '0001-01-01' THEN {column}::text"
    " ELSE replace(replace({column}::text, ' ', 'T'), '+00', 'Z') END",
    "timestamp without time zone": "CASE WHEN {column} < '0001-01-01' THEN {column}::text"
    " ELSE replace({column}::text, ' ', 'T') END",
}
_FOR_SPREADSHEETS: Final[Mapping[str, LiteralString]] = {
    "boolean": "{column}::text",
    "timestamp with time zone": "to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')",
    "timestamp without time zone": "to_char({column}, 'YYYY-MM-DD HH24:MI:SS')",
    **dict.fromkeys(
        ("smallint", "integer", "bigint", "numeric", "real", "double precision", "date", "uuid", "bytea"), "{column}"
    ),
}
_ARRAY: Final = "to_json({column})::text"

_GUARDED: Final = "regexp_replace({text}, {beginning}, {guarded}, 'g')"
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def write_csv(
    connection: Connection[Any], table: Table, file: BinaryIO, count: Count, *, for_spreadsheet: bool = False
) -> int:
    """Write the table; returns the number of its rows. Holds a few buffers in memory, however many rows there are."""
    if for_spreadsheet:
        file.write(BYTE_ORDER_MARK)
    rows = written = 0
    expressions = [_expression(column, for_spreadsheet=for_spreadsheet) for column in table.columns]
    for number, select in enumerate(selects(table, expressions)):
        options = sql.SQL("FORMAT csv, HEADER" if number == 0 else "FORMAT csv")
        with connection.cursor() as cursor:
            with cursor.copy(sql.SQL("COPY ({}) TO STDOUT ({})").format(select, options)) as copy:
                for chunk in copy:
                    written += file.write(chunk)
                    count(rows, written)
            rows += cursor.rowcount  # the server counts them; a value may have line breaks
    count(rows, written)
    return rows


def _expression(column: Column, *, for_spreadsheet: bool) -> sql.Composed:
    """The column's value in SQL."""
    forms = _FOR_SPREADSHEETS if for_spreadsheet else _EXACT
    is_array = column.kind.endswith("[]")
    form = _ARRAY if is_array else forms.get(column.base, "{column}::text" if for_spreadsheet else "{column}")
    value = sql.SQL(form).format(column=sql.Identifier(column.name))
    if for_spreadsheet and (is_array or column.base not in forms):
        value = sql.SQL(_GUARDED).format(text=value, beginning=sql.Literal(BEGINNING), guarded=sql.Literal(GUARDED))
    return sql.SQL("{} AS {}").format(value, sql.Identifier(column.name))
