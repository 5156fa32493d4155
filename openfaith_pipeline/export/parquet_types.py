"""The type of Parquet for each column, and how its values are read."""

from dataclasses import dataclass
from typing import Any, Final, LiteralString

from psycopg import Connection, sql

from openfaith_pipeline.export.columns import Column
from openfaith_pipeline.export.extras import needed
from openfaith_pipeline.export.tables import Table, selects

_MOST_DIGITS: Final = 38
_SCALES: Final = (0, 2, 4, 9, 18)
"""Digits after the point: the fewest of these that hold every value, so that the type rarely changes."""

_BOOL, _BYTEA, _INT8, _INT2, _INT4, _TEXT, _FLOAT4, _FLOAT8, _NUMERIC = 16, 17, 20, 21, 23, 25, 700, 701, 1700
_INT4S, _TEXTS, _INT8S = 1007, 1009, 1016

# Infinity is the largest number, which DuckDB reads as infinity.
_MOMENT: Final = """
CASE {column} WHEN 'infinity' THEN 9223372036854775807 WHEN '-infinity' THEN -9223372036854775807
    ELSE (extract(epoch FROM {column}) * 1000000)::bigint END
"""
_DAY: Final = """
CASE {column} WHEN 'infinity' THEN 2147483647 WHEN '-infinity' THEN -2147483647
    ELSE {column} - date '1970-01-01' END
"""
# NaN and the infinities have no digits.
_DIGITS: Final = """
coalesce(max(scale({column})), 0),
coalesce(max(length(trunc(abs({column}))::text)) FILTER (WHERE {column}::text !~ '[a-z]'), 1),
coalesce(bool_or({column}::text ~ '[a-z]'), false)
"""


@dataclass(frozen=True)
class Form:
    """How a column is read and stored.

    expression: its value in SQL, of type `oid`. read_as: the type in which values arrive; type: the type they are
    stored as.
    """

    expression: sql.Composable
    oid: int
    read_as: Any
    type: Any


def forms_of(connection: Connection[Any], table: Table) -> list[Form]:
    """The form of each column. Numbers without declared digits are read first: their type has to hold all of them."""
    decimals = _decimals(connection, table)
    return [decimals.get(column.name) or _form(column) for column in table.columns]


def _form(column: Column) -> Form:
    pa = needed("pyarrow", "Parquet")
    form, oid, read_as, type_ = _forms(pa).get(column.base, ("{column}::text", _TEXT, pa.string(), pa.string()))
    if column.base.endswith("[]") and column.base not in _forms(pa):
        form, type_ = "to_json({column})::text", pa.json_(pa.string())
    return Form(_asked(form, column), oid, read_as, type_)


def _forms(pa: Any) -> dict[str, tuple[LiteralString, int, Any, Any]]:
    """Forms by Postgres type."""
    same = {
        "boolean": (_BOOL, pa.bool_()),
        "smallint": (_INT2, pa.int16()),
        "integer": (_INT4, pa.int32()),
        "bigint": (_INT8, pa.int64()),
        "real": (_FLOAT4, pa.float32()),
        "double precision": (_FLOAT8, pa.float64()),
        "bytea": (_BYTEA, pa.binary()),
        "text[]": (_TEXTS, pa.list_(pa.string())),
        "integer[]": (_INT4S, pa.list_(pa.int32())),
        "bigint[]": (_INT8S, pa.list_(pa.int64())),
    }
    return {
        **{base: ("{column}", oid, type_, type_) for base, (oid, type_) in same.items()},
        "timestamp with time zone": (_MOMENT, _INT8, pa.int64(), pa.timestamp("us", "UTC")),
        "timestamp without time zone": (_MOMENT, _INT8, pa.int64(), pa.timestamp("us")),
        "date": (_DAY, _INT4, pa.int32(), pa.date32()),
        "json": ("{column}::text", _TEXT, pa.string(), pa.json_(pa.string())),
        "jsonb": ("{column}::text", _TEXT, pa.string(), pa.json_(pa.string())),
    }


def _asked(form: LiteralString, column: Column) -> sql.Composed:
    return sql.SQL(form).format(column=sql.Identifier(column.name))


def _decimals(connection: Connection[Any], table: Table) -> dict[str, Form]:
    """Forms of the columns of numerics, by name."""
    columns = [column for column in table.columns if column.base == "numeric"]
    if not columns:
        return {}
    found = [(0, 1, False)] * len(columns)
    for select in selects(table, [_asked(_DIGITS, column) for column in columns]):
        row = connection.execute(select).fetchone() or ()
        read = [tuple(row[at : at + 3]) for at in range(0, len(row), 3)]
        found = [tuple(map(max, one, other)) for one, other in zip(found, read, strict=True)]
    return {column.name: _decimal(column, *digits) for column, digits in zip(columns, found, strict=True)}


def _decimal(column: Column, scale: int, whole: int, has_no_digits: bool) -> Form:
    """A decimal type; text if there are more digits than any decimal has."""
    pa = needed("pyarrow", "Parquet")
    scales = [each for each in (*_SCALES, scale) if each >= scale and each + whole <= _MOST_DIGITS]
    if not scales or has_no_digits:
        return Form(_asked("{column}::text", column), _TEXT, pa.string(), pa.string())
    type_ = pa.decimal128(_MOST_DIGITS, scales[0])
    return Form(sql.Identifier(column.name), _NUMERIC, type_, type_)
