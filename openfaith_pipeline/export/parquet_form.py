"""Parquet: exact types, read from Postgres in its binary form and written a group of rows at a time.

Times are microseconds, with UTC as their zone where the column has one; numbers with digits after the point are
decimals, never floats; documents are JSON. What no type of Parquet holds is text, as Postgres writes it.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from psycopg import Connection, sql

from openfaith_pipeline.export.csv_form import Count
from openfaith_pipeline.export.extras import needed
from openfaith_pipeline.export.parquet_types import Form, forms_of
from openfaith_pipeline.export.tables import Table, selects

_ROWS_AT_ONCE: Final = 1_000
_ROWS_OF_A_GROUP: Final = 100_000
_BYTES_OF_A_GROUP: Final = 48_000_000


def write_parquet(connection: Connection[Any], table: Table, path: Path, count: Count) -> int:
    """Write the table; returns the number of its rows.

    It holds one group of rows in memory, however many there are: 48 MB of values, and their compressed form.
    """
    parquet = needed("pyarrow.parquet", "Parquet")
    forms = forms_of(connection, table)
    rows = 0
    with parquet.ParquetWriter(path, _schema(table, forms), compression="zstd") as writer:
        for group in _groups(_batches(connection, table, forms)):
            writer.write_table(group)
            rows += group.num_rows
            count(rows, path.stat().st_size)
    return rows


def _schema(table: Table, forms: Sequence[Form]) -> Any:
    """Descriptions and marks go with the columns."""
    pa = needed("pyarrow", "Parquet")
    fields = [
        pa.field(column.name, form.type, metadata={"description": column.words.text, "mark": column.words.mark or ""})
        if column.words
        else pa.field(column.name, form.type)
        for column, form in zip(table.columns, forms, strict=True)
    ]
    return pa.schema(fields, metadata={"description": table.description})


def _groups(batches: Iterator[Any]) -> Iterator[Any]:
    pa = needed("pyarrow", "Parquet")
    held: list[Any] = []
    for batch in batches:
        held.append(batch)
        is_full = sum(each.num_rows for each in held) >= _ROWS_OF_A_GROUP
        if is_full or sum(each.nbytes for each in held) >= _BYTES_OF_A_GROUP:
            yield pa.Table.from_batches(held)
            held = []
    if held:
        yield pa.Table.from_batches(held)


def _batches(connection: Connection[Any], table: Table, forms: Sequence[Form]) -> Iterator[Any]:
    pa = needed("pyarrow", "Parquet")
    schema = _schema(table, forms)
    make = [_maker(form) for form in forms]
    expressions = [form.expression for form in forms]
    for select in selects(table, expressions):
        with (
            connection.cursor() as cursor,
            cursor.copy(sql.SQL("COPY ({}) TO STDOUT (FORMAT binary)").format(select)) as copy,
        ):
            copy.set_types([form.oid for form in forms])
            rows = copy.rows()
            while held := list(islice(rows, _ROWS_AT_ONCE)):
                arrays = [each(values) for each, values in zip(make, zip(*held, strict=True), strict=True)]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _maker(form: Form) -> Callable[[Sequence[Any]], Any]:
    """A converter from Python values to a column."""
    pa = needed("pyarrow", "Parquet")

    def make(values: Sequence[Any]) -> Any:
        array = pa.array(values, form.read_as)
        if form.read_as == form.type:
            return array
        if isinstance(form.type, pa.BaseExtensionType):
            return pa.ExtensionArray.from_storage(form.type, array)
        return array.view(form.type)

    return make
