"""`db backup`: write a database to one file, which appears when it is complete or not at all."""

import os
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, Final
from uuid import uuid4

from psycopg import Connection

from openfaith_pipeline.database.backup.archive import DUMP, KEY, MANIFEST, Manifest, dump_within
from openfaith_pipeline.database.backup.carried_erasures import check_no_restore
from openfaith_pipeline.database.backup.tools import Tools, environment_of, find_tools, without_password
from openfaith_pipeline.database.connection import DAGSTER_SCHEMA, Database
from openfaith_pipeline.database.versions import revision_of
from openfaith_pipeline.errors import ConfigurationError, DatabaseUnavailable, UsageError

CHUNK: Final = 1 << 20

Progress = Callable[[int], None]
"""Is given the number of bytes so far."""


def write_backup(
    database: Database, path: Path, *, key_prints: tuple[str, ...], sealed_key: bytes | None, progress: Progress
) -> Manifest:
    """Back up one moment's snapshot of the database, while others work on it; returns the backup's manifest.

    Raises UsageError if there is a file of that name, DatabaseUnavailable if pg_dump does not finish.
    """
    if path.exists():
        raise UsageError(f"{path} already exists, and a backup never overwrites a file: name another")
    with database.connect() as connection:
        check_no_restore(connection)
        tools = find_tools(database.settings, connection.info.server_version // 10000)
        about = _about(connection, database, tools)
    with _draft_of(path) as draft:
        with draft.open("r+b") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            with archive.open(DUMP, "w", force_zip64=True) as dump:
                written = _dump(database, tools, dump, progress)
            manifest = Manifest(**about, key_prints=key_prints, dump_bytes=written)
            if sealed_key:
                archive.writestr(KEY, sealed_key)
            archive.writestr(MANIFEST, manifest.as_json())
        verify(draft, tools)
    return manifest


def verify(path: Path, tools: Tools) -> int:
    """Let pg_restore read the table of contents, and read every byte once; returns the number of entries.

    Raises DatabaseUnavailable for a file that is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged:
        raise DatabaseUnavailable(f"{path} is damaged: the checksum of {damaged} does not match")
    return len(contents(path, tools))


def contents(path: Path, tools: Tools) -> list[str]:
    """The dump's table of contents, as `pg_restore --list` prints it, without its comments."""
    # The output goes to files: a pipe would be full while the input is still being written.
    with tempfile.TemporaryFile() as listed, tempfile.TemporaryFile() as said:
        command = tools.command("pg_restore", "--list")
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=listed, stderr=said)
        try:
            with dump_within(path) as dump:
                _feed_beginning(process, dump)
            process.wait()
        finally:
            process.kill()
        listed.seek(0)
        said.seek(0)
        lines = [
            line for line in listed.read().decode(errors="replace").splitlines() if line and not line.startswith(";")
        ]
        if process.returncode or not lines:
            raise DatabaseUnavailable(f"pg_restore cannot read {path}: {in_words(said.read())}")
    return lines


def in_words(said: bytes) -> str:
    """The output of a program, on one line and not too long."""
    return " ".join(said.decode(errors="replace").split())[-400:]


def _feed_beginning(process: "subprocess.Popen[bytes]", dump: IO[bytes]) -> None:
    """The table of contents is at the beginning; the program ends when it has it, and nobody reads the rest."""
    assert process.stdin is not None  # noqa: S101 - it is a pipe
    with suppress(BrokenPipeError):
        while process.poll() is None and (chunk := dump.read(CHUNK)):
            process.stdin.write(chunk)
    with suppress(BrokenPipeError):
        process.stdin.close()


def _about(connection: Connection[Any], database: Database, tools: Tools) -> dict[str, Any]:
    orgs = connection.execute("SELECT count(*) FROM sync.orgs").fetchone() or (0,)
    dagster = connection.execute("SELECT to_regclass(%s)", (f"{DAGSTER_SCHEMA}.runs",)).fetchone()
    return {
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": version("openfaith-pipeline"),
        "revision": revision_of(connection),
        "postgres": connection.info.server_version // 10000,
        "tools": tools.major,
        "canonical_schema": database.settings.canonical_schema,
        "views_schema": database.settings.views_schema,
        "orgs": orgs[0],
        "has_dagster": dagster != (None,),
    }


def _dump(database: Database, tools: Tools, target: IO[bytes], progress: Progress) -> int:
    command = tools.command("pg_dump", "--format=custom", "--no-password", "--dbname", without_password(database.url))
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment_of(database.url)
    )
    written = 0
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    try:
        while chunk := process.stdout.read(CHUNK):
            target.write(chunk)
            written += len(chunk)
            progress(written)
        _, said = process.communicate()
    finally:
        process.kill()
    if process.returncode:
        raise _failure(said)
    return written


def _failure(said: bytes) -> ConfigurationError | DatabaseUnavailable:
    if b"permission denied" in said:
        return ConfigurationError(f"this user may not read all of the database: {in_words(said)}")
    return DatabaseUnavailable(f"pg_dump did not finish: {in_words(said)}")


@contextmanager
def _draft_of(path: Path) -> Iterator[Path]:
    """A file beside it that nobody else can read, which takes its name once the block has ended well."""
    draft = path.with_name(f".{path.name}.{uuid4().hex[:8]}.part")
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        yield draft
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        _named(draft, path)
    except FileExistsError:
        raise UsageError(f"{path} already exists, and a backup never overwrites a file: name another") from None
    finally:
        draft.unlink(missing_ok=True)


def _named(draft: Path, path: Path) -> None:
    """Give the file its name, unless another of that name has appeared meanwhile."""
    try:
        os.link(draft, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links, as on a memory stick
        if path.exists():
            raise FileExistsError(path) from None
        draft.rename(path)
