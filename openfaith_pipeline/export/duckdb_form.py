"""One DuckDB file with every table under its own name, made from Parquet files that are removed again."""

import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.locks import take_lock
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.export.directory import MANIFEST
from openfaith_pipeline.export.extras import needed
from openfaith_pipeline.export.run import Exported, Progress, export_files
from openfaith_pipeline.export.tables import Wanted

_PURPOSE: Final = "a DuckDB file"
_CONFIGURATION: Final = {
    "memory_limit": "512MB",
    "preserve_insertion_order": "false",
    "default_block_size": "16384",
    "storage_compatibility_version": "v1.2.0",
}
"""Each column takes a block at least, and most tables are small. Programs with an older DuckDB read the file too."""

_DRAFT: Final = "draft.duckdb"
_NOTE: Final = "openfaith_export"
"""The table that says what the file holds, and that this made it."""


def export_duckdb(database: Database, wanted: Wanted, path: Path, progress: Progress) -> Exported:
    """Write the file, replacing an earlier export; programs see either the old or the new one, whole."""
    needed("duckdb", _PURPOSE)
    _check_replaceable(path)
    with _workplace(path) as work:
        exported = export_files(database, wanted, work / "parquet", "parquet", progress)
        draft = work / _DRAFT
        _load(work / "parquet", draft)
        draft.chmod(0o600)
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(path)
    return exported


def _load(parquet: Path, draft: Path) -> None:
    duckdb = needed("duckdb", _PURPOSE)
    manifest = json.loads((parquet / MANIFEST).read_text())
    with duckdb.connect(str(draft), config=_CONFIGURATION) as made:
        made.execute("BEGIN")  # or each statement waits for the disk
        for full_name, table in manifest["tables"].items():
            schema, _, name = full_name.partition(".")
            made.execute(f"CREATE SCHEMA IF NOT EXISTS {_quoted(schema)}")
            target = f"{_quoted(schema)}.{_quoted(name)}"
            source = _text(str(parquet / table["file"]))
            made.execute(f"CREATE TABLE {target} AS SELECT * FROM read_parquet({source})")  # noqa: S608 - quoted
            made.execute(f"COMMENT ON TABLE {target} IS {_text(table['description'])}")
            for column in table["columns"]:
                made.execute(f"COMMENT ON COLUMN {target}.{_quoted(column['name'])} IS {_text(_comment(column))}")
        made.execute(f"CREATE TABLE {_NOTE} AS SELECT CAST(? AS JSON) AS manifest", [json.dumps(manifest)])
        made.execute("COMMIT")


def _comment(column: dict[str, Any]) -> str:
    mark = f" [{column['mark']}]" if column.get("mark") else ""
    return f"{column.get('description', '')}{mark}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _check_replaceable(path: Path) -> None:
    """Refuse to replace anything but an earlier export."""
    if not path.exists():
        return
    duckdb = needed("duckdb", _PURPOSE)
    try:
        with duckdb.connect(str(path), read_only=True) as there:
            there.table(_NOTE)
    except duckdb.Error as error:
        raise UsageError(
            f"{path} exists and was not written by an export, or is in use: {type(error).__name__}"
        ) from None


def _check_ours(work: Path) -> None:
    """Refuse a directory that another user may have created in order to read our files."""
    about = work.lstat()
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid() or about.st_mode & 0o077:
        raise UsageError(f"{work} is not a directory of yours alone; remove it, or name a file elsewhere")


@contextmanager
def _workplace(path: Path) -> Iterator[Path]:
    """A hidden directory beside the file, which only one process uses."""
    work = path.with_name(f".{path.name}.export")
    work.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        work.mkdir(mode=0o700)
    _check_ours(work)
    lock = take_lock(work / "lock")
    if lock is None:
        raise UsageError(f"another export is writing {path}; wait until it is done, or name another file")
    try:
        shutil.rmtree(work / "parquet", ignore_errors=True)
        (work / _DRAFT).unlink(missing_ok=True)
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
        os.close(lock)
