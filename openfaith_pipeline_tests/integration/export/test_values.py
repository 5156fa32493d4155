"""Values and types come out of Postgres as they are in it, in each kind of file."""

import csv
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from psycopg import sql
from pyarrow import parquet

from openfaith_pipeline.database import Database
from openfaith_pipeline.export.duckdb_form import export_duckdb
from openfaith_pipeline.export.relations import all_relations
from openfaith_pipeline_tests.integration.export.tables import ROWS, TYPES, Silent, export, make_table, wanted

_KINDS = """
SELECT DISTINCT format_type(a.atttypid, NULL) FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relnamespace::regnamespace::text || '.' || c.relname = ANY(%s)
"""


def test_every_type_of_the_exported_tables_is_tried(database: Database) -> None:
    names = [*all_relations(database.settings)]
    with database.connect() as connection:
        kinds = {kind for (kind,) in connection.execute(_KINDS, (names,)).fetchall()}

    assert {"jsonb", "bytea", "timestamp with time zone", "text[]"} <= kinds
    assert kinds - {*TYPES.values()} - {"character"} == set()


def test_csv_read_back_by_postgres_is_the_same_table(database: Database, tmp_path: Path) -> None:
    extreme = {"a_day": "infinity", "a_moment": "-infinity", "a_numeric": "NaN", "a_double": "-Infinity"}
    ancient = {"a_moment": "0044-03-15T10:00:00Z BC", "a_local": "0044-03-15T10:00:00 BC", "a_day": "0044-03-15 BC"}
    kinds = {name: kind for name, kind in TYPES.items() if not kind.endswith("[]")}
    rows = [{name: value for name, value in row.items() if name in kinds} for row in (*ROWS, extreme, ancient)]
    relation = make_table(database, "everything", kinds, rows)

    done = export(database, tmp_path / "out", "csv", relation)

    assert done.rows == {"public.everything": len(rows)}
    with database.connect() as connection:
        connection.execute("CREATE TABLE again (LIKE everything)")
        with connection.cursor().copy("COPY again FROM STDIN (FORMAT csv, HEADER match)") as copy:
            copy.write((tmp_path / "out/public/everything.csv").read_bytes())
        for one, other in (("everything", "again"), ("again", "everything")):
            query = sql.SQL("SELECT t::text FROM {} AS t EXCEPT ALL SELECT t::text FROM {} AS t")
            assert connection.execute(query.format(sql.Identifier(one), sql.Identifier(other))).fetchall() == []


def test_csv_is_read_by_others_without_knowing_postgres(database: Database, tmp_path: Path) -> None:
    export(database, tmp_path / "out", "csv", make_table(database, "everything", TYPES, ROWS))

    with (tmp_path / "out/public/everything.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[1]["a_text"] == ROWS[1]["a_text"]
    assert (rows[1]["a_bool"], rows[1]["a_moment"]) == ("true", "2026-03-08T07:59:59.000001Z")
    assert json.loads(rows[1]["texts"]) == ROWS[1]["texts"]
    read = duckdb.read_csv(str(tmp_path / "out/public/everything.csv")).fetchall()
    assert len(read) == len(ROWS)


def test_parquet_has_the_values_and_the_types(database: Database, tmp_path: Path) -> None:
    export(database, tmp_path / "out", "parquet", make_table(database, "everything", TYPES, ROWS))

    read = parquet.read_table(tmp_path / "out/public/everything.parquet")
    assert dict(zip(read.schema.names, map(str, read.schema.types), strict=True)) == {
        "org_id": "string",
        **dict.fromkeys(("a_text", "a_code", "a_name", "a_uuid", "an_interval"), "string"),
        "a_small": "int16",
        "an_int": "int32",
        "a_big": "int64",
        "a_numeric": "decimal128(38, 9)",
        "a_double": "double",
        "a_real": "float",
        "a_bool": "bool",
        "a_day": "date32[day]",
        "a_moment": "timestamp[us, tz=UTC]",
        "a_local": "timestamp[us]",
        "a_document": "extension<arrow.json>",
        "a_binary": "binary",
        "texts": "list<element: string>",
        "numbers": "list<element: int64>",
    }
    assert read.to_pylist() == _as_read(database)
    assert read.schema.field("a_text").metadata[b"description"] == b"a_text"


def _as_read(database: Database) -> list[dict[str, Any]]:
    """The rows as psycopg reads them, with text for types that Parquet lacks."""
    columns = [
        f"{name}::text" if TYPES[name] in {"uuid", "interval", "jsonb", "character(6)"} else name for name in TYPES
    ]
    with database.connect() as connection:
        cursor = connection.execute(f"SELECT org_id, {', '.join(columns)} FROM everything")  # type: ignore[arg-type]  # noqa: S608
        return [dict(zip(("org_id", *TYPES), row, strict=True)) for row in cursor.fetchall()]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "-20", None], "decimal128(38, 0)"),
        (["1.5", "1e3"], "decimal128(38, 2)"),
        (["1.005"], "decimal128(38, 4)"),
        (["1e-18"], "decimal128(38, 18)"),
        (["1e-25", "12"], "decimal128(38, 25)"),
        ([None], "decimal128(38, 0)"),
        (["1e-30", "1e30"], "string"),
        (["NaN", "1"], "string"),
    ],
)
def test_numbers_are_exact_whatever_their_digits(
    database: Database, tmp_path: Path, values: list[str | None], kind: str
) -> None:
    export(
        database,
        tmp_path / "out",
        "parquet",
        make_table(database, "numbers", {"n": "numeric"}, [{"n": value} for value in values]),
    )

    read = parquet.read_table(tmp_path / "out/public/numbers.parquet").column("n")
    assert str(read.type) == kind
    decimals = [value if value is None else Decimal(value) for value in read.to_pylist()]
    expected = [value if value is None else Decimal(value) for value in values]
    assert [str(each) if each is not None and each.is_nan() else each for each in decimals] == [
        str(each) if each is not None and each.is_nan() else each for each in expected
    ]


def test_duckdb_has_the_tables_with_their_types(database: Database, tmp_path: Path) -> None:
    endless = [*ROWS, {"a_day": "infinity", "a_moment": "-infinity", "a_local": "infinity"}]
    relation = make_table(database, "everything", TYPES, endless)
    file = tmp_path / "church.duckdb"

    done = export_duckdb(database, wanted(relation), file, Silent())
    again = export_duckdb(database, wanted(relation), file, Silent())

    assert done.rows == again.rows == {"public.everything": 4}
    assert (file.stat().st_mode & 0o777, [*tmp_path.iterdir()]) == (0o600, [file])
    with duckdb.connect(str(file), read_only=True) as made:
        [(tags,)] = made.execute("SELECT tags FROM duckdb_databases() WHERE database_name = 'church'").fetchall()
        assert tags["storage_version"].startswith("v1.2"), "older programs read it"
        types = dict(
            made.execute("SELECT column_name, data_type FROM duckdb_columns() WHERE schema_name = 'public'").fetchall()
        )
        assert (types["a_moment"], types["a_numeric"]) == ("TIMESTAMP WITH TIME ZONE", "DECIMAL(38,9)")
        assert (types["a_document"], types["texts"], types["a_day"]) == ("JSON", "VARCHAR[]", "DATE")
        row = made.execute(
            "SELECT a_text, a_numeric, a_day, a_moment::text, texts, a_document ->> '$.a' FROM public.everything"
            " WHERE a_bool"
        ).fetchone()
        assert row == (
            ROWS[1]["a_text"],
            Decimal("12345678901234567890.123456789"),
            date(2024, 2, 29),
            "2026-03-08 07:59:59.000001+00",
            ROWS[1]["texts"],
            'x"y',
        )
        assert made.execute(
            "SELECT a_day::text, a_moment::text, a_local::text FROM public.everything WHERE isinf(a_local)"
        ).fetchone() == ("infinity", "-infinity", "infinity")


def test_batches_of_rows_become_groups_of_one_file(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openfaith_pipeline.export.parquet_form._ROWS_AT_ONCE", 2)
    monkeypatch.setattr("openfaith_pipeline.export.parquet_form._ROWS_OF_A_GROUP", 4)
    relation = make_table(database, "many", {"n": "bigint"}, [{"n": number} for number in range(11)])

    assert export(database, tmp_path / "out", "parquet", relation).rows == {"public.many": 11}

    file = parquet.ParquetFile(tmp_path / "out/public/many.parquet")
    assert [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)] == [4, 4, 3]
    assert pa.concat_arrays(file.read().column("n").chunks).to_pylist() == [*range(11)]
