"""The directory of an export: whole files or none, nothing of others is touched, and an export can be run again."""

import json
import sys
from pathlib import Path

import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.locks import locked
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.export.duckdb_form import _workplace
from openfaith_pipeline.export.relations import Relation
from openfaith_pipeline_tests.integration.export.tables import ORG, export, make_table


@pytest.fixture
def tables(database: Database) -> tuple[Relation, Relation]:
    first, second = (
        make_table(database, name, {"n": "bigint"}, [{"n": 1}, {"org_id": "org_birch", "n": 2}]) for name in ("a", "b")
    )
    return first, second


def _lines(root: Path, name: str) -> list[str]:
    return (root / f"public/{name}.csv").read_text().splitlines()


def _status(root: Path) -> str:
    return str(json.loads((root / "openfaith-export.json").read_text())["status"])


def _add(database: Database, table: str) -> None:
    with database.connect() as connection:
        connection.execute(f"INSERT INTO {table} VALUES (%s, 3)", (ORG,))  # type: ignore[arg-type]  # noqa: S608


def test_files_are_private_and_of_the_chosen_org_only(
    database: Database, tables: tuple[Relation, Relation], tmp_path: Path
) -> None:
    root = tmp_path / "deep/out"
    export(database, root, "csv", *tables)

    assert _lines(root, "a") == ["org_id,n", f"{ORG},1"]
    modes = {path.name: path.stat().st_mode & 0o777 for path in root.rglob("*") if path.is_file()}
    assert {*modes.values()} == {0o600}
    assert root.stat().st_mode & 0o777 == (root / "public").stat().st_mode & 0o777 == 0o700
    assert modes.keys() == {"a.csv", "b.csv", "openfaith-export.json", ".openfaith-export.lock"}


def test_an_interrupted_export_leaves_whole_files_and_can_be_run_again(
    database: Database, tables: tuple[Relation, Relation], tmp_path: Path
) -> None:
    root = tmp_path / "out"
    export(database, root, "csv", *tables)
    _add(database, "a")
    _add(database, "b")

    with pytest.raises(KeyboardInterrupt):
        export(database, root, "csv", *tables, stop_at="public.b")

    assert (len(_lines(root, "a")), len(_lines(root, "b")), _status(root)) == (3, 2, "incomplete")
    assert not (root / ".openfaith-export.drafts").exists()
    export(database, root, "csv", *tables)
    assert (len(_lines(root, "a")), len(_lines(root, "b")), _status(root)) == (3, 3, "complete")


def test_files_that_an_export_no_longer_has_go_and_others_stay(
    database: Database, tables: tuple[Relation, Relation], tmp_path: Path
) -> None:
    root = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        export(database, root, "csv", *tables, stop_at="public.b")
    assert (root / "public/a.csv").exists()
    (root / "public/mine.csv").write_text("mine")

    export(database, root, "csv", tables[1])

    assert sorted(path.name for path in (root / "public").iterdir()) == ["b.csv", "mine.csv"]


def test_a_changed_manifest_removes_nothing_elsewhere(
    database: Database, tables: tuple[Relation, Relation], tmp_path: Path
) -> None:
    root = tmp_path / "out"
    export(database, root, "csv", tables[0])
    (tmp_path / "other.csv").write_text("mine")
    manifest = root / "openfaith-export.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "files": ["../other.csv"]}))

    export(database, root, "csv", tables[0])

    assert (tmp_path / "other.csv").read_text() == "mine"


def test_directories_of_others_are_refused(
    database: Database, tables: tuple[Relation, Relation], tmp_path: Path
) -> None:
    other, file, csv = tmp_path / "other", tmp_path / "file", tmp_path / "csv"
    other.mkdir()
    (other / "notes.txt").write_text("mine")
    file.write_text("mine")
    export(database, csv, "csv", tables[0])
    for root, said in ((other, "no export wrote"), (file, "is a file"), (csv, "has an export of csv")):
        with pytest.raises(UsageError, match=said):
            export(database, root, "parquet", tables[0])
    with locked(csv / ".openfaith-export.lock", seconds=1), pytest.raises(UsageError, match="another export"):
        export(database, csv, "csv", tables[0])
    (csv / "openfaith-export.json").write_text("{")
    with pytest.raises(UsageError, match="damaged"):
        export(database, csv, "csv", tables[0])
    assert [path.name for path in other.iterdir()] == ["notes.txt"]


def test_an_absent_library_is_named_with_the_line_that_installs_it(
    database: Database, tables: tuple[Relation, Relation], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, name, None)

    with pytest.raises(UsageError, match=r"pip install 'openfaith-pipeline\[export\]'"):
        export(database, tmp_path / "out", "parquet", tables[0])
    assert not (tmp_path / "out").exists()


def test_text_for_a_spreadsheet_is_no_formula(database: Database, tmp_path: Path) -> None:
    texts = ["=1+1", "+1 404 555", "@x", "-a", " =1", "a;=1", 'b"=1', "c\n=1", "\uff1d1", "d-e", "f = 2", "1,5"]
    kinds = {"n": "numeric", "t": "text", "m": "timestamp with time zone", "j": "jsonb"}
    rows = [{"n": -1, "t": text, "m": "2026-01-02T03:04:05.6Z", "j": '["=1"]'} for text in texts]
    export(database, tmp_path / "out", "csv", make_table(database, "cells", kinds, rows), for_spreadsheet=True)

    written = (tmp_path / "out/public/cells.csv").read_bytes()
    assert written.startswith(b"\xef\xbb\xbforg_id,n,t,m,j\n")
    with database.connect() as connection:
        connection.execute("CREATE TEMP TABLE read (org_id text, n text, t text, m text, j text)")
        with connection.cursor().copy("COPY read FROM STDIN (FORMAT csv, HEADER)") as copy:
            copy.write(written)
        read = connection.execute("SELECT n, t, m, j FROM read").fetchall()
    assert [text for _, text, _, _ in read] == [
        "'=1+1", "'+1 404 555", "'@x", "'-a", "' =1", "a;'=1", "b\"'=1", "c\n'=1", "'\uff1d1", "d-e", "f = 2", "1,5",
    ]  # fmt: skip
    assert {(n, m, j) for n, _, m, j in read} == {("-1", "2026-01-02 03:04:05", '["\'=1"]')}


def test_nobody_else_can_take_the_files(database: Database, tables: tuple[Relation, Relation], tmp_path: Path) -> None:
    anyones, led = tmp_path / "anyones", tmp_path / "led"
    anyones.mkdir()
    anyones.chmod(0o777)
    with pytest.raises(UsageError, match="other users may change"):
        export(database, anyones, "csv", tables[0])

    export(database, led, "csv", tables[0])
    (tmp_path / "elsewhere").mkdir()
    (led / "public/a.csv").unlink()
    (led / "public").rmdir()
    (led / "public").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="is a symbolic link"):
        export(database, led, "csv", tables[0])
    assert [*(tmp_path / "elsewhere").iterdir()] == []


def test_a_workplace_that_somebody_else_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".church.duckdb.export").mkdir()
    (tmp_path / ".church.duckdb.export").chmod(0o755)
    with pytest.raises(UsageError, match="is not a directory of yours alone"), _workplace(tmp_path / "church.duckdb"):
        pass
    with _workplace(tmp_path / "lock") as work:
        assert work.stat().st_mode & 0o777 == 0o700
