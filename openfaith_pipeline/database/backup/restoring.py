"""`db restore`: bring a database back from a backup, wholly or not at all.

pg_restore writes the dump as a script, which psql runs in one transaction. Owners, grants and our policies are left
out: everything belongs to the user that restores it, and grants and policies are recreated afterwards.
"""

import logging
import re
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from psycopg import Connection

from openfaith_pipeline.database.access.logins import list_readers, make_roles
from openfaith_pipeline.database.backup.archive import Manifest, dump_within, read_manifest
from openfaith_pipeline.database.backup.carried_erasures import CARRIED_SCHEMA, carrying
from openfaith_pipeline.database.backup.dumping import CHUNK, Progress, contents, in_words
from openfaith_pipeline.database.backup.tools import Tools, environment_of, find_tools, without_password
from openfaith_pipeline.database.connection import Database
from openfaith_pipeline.database.migration import upgrade
from openfaith_pipeline.database.versions import head_revision
from openfaith_pipeline.errors import ConfigurationError, DatabaseUnavailable, UsageError

logger = logging.getLogger(__name__)

_OF_ROLES: Final = re.compile(
    r"^\d+; \d+ \d+ "
    r"(POLICY \S+ \S+ openfaith_|COMMENT \S+ POLICY openfaith_|ROW SECURITY |(COMMENT - )?SCHEMA (- )?public )"
)
"""Entries of the table of contents that are left out."""

_UNKNOWN_BEFORE: Final = {b"SET transaction_timeout = 0;\n": 170000}
"""Statements that newer programs write always -> the first server that knows them."""

_PRESENT: Final = """
SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1, 2
"""
_OTHERS: Final = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""

# Nobody works on anything in a database that was just restored.
_LET_GO: Final = (
    "DELETE FROM sync.run_leases",
    "DELETE FROM sync.run_workers",
    "DELETE FROM sync.webhook_beats",
    "UPDATE sync.stream_states SET holder = NULL, lease_expires_at = NULL, fence = fence + 1 WHERE holder IS NOT NULL",
    "UPDATE sync.source_schedules SET holder = NULL, lease_expires_at = NULL WHERE holder IS NOT NULL",
    "UPDATE sync.webhook_deliveries SET holder = NULL, claimed_until = NULL WHERE holder IS NOT NULL",
    "UPDATE sync.stream_syncs SET status = 'failed', error = 'interrupted: the database was restored',"
    " finished_at = now() WHERE status = 'running'",
    "UPDATE sync.syncs SET status = 'interrupted', error = 'interrupted: the database was restored',"
    " lease_expires_at = NULL,"
    " finished_at = now() WHERE status = 'running'",
)


@dataclass(frozen=True)
class Restored:
    """The result of a restore. closed: tables that readers may not be given, with the reason."""

    manifest: Manifest
    interrupted: int
    readers: tuple[str, ...]
    closed: tuple[str, ...]


def check_backup(database: Database, path: Path, *, replaces: bool) -> Manifest:
    """Raise UsageError or ConfigurationError if the backup cannot be restored here; writes nothing.

    replaces: whether the database may hold something already.
    """
    manifest = read_manifest(path)
    if manifest.revision and manifest.revision > head_revision():
        raise UsageError(
            f"{path} was made by version {manifest.version}, whose tables (revision {manifest.revision}) this version"
            f" does not know: install openfaith-pipeline {manifest.version} or newer"
        )
    with database.connect() as connection:
        server = connection.info.server_version // 10000
        present = connection.execute(_PRESENT).fetchall()
        others = (connection.execute(_OTHERS).fetchone() or (0,))[0]
    if manifest.postgres > server:
        raise ConfigurationError(
            f"{path} was made on PostgreSQL {manifest.postgres}, and this server is {server}: restore it into"
            f" PostgreSQL {manifest.postgres} or newer"
        )
    if present and not replaces:
        raise UsageError(
            f"the database is not empty ({present[0][0]}.{present[0][1]}): name an empty one in DB_NAME or"
            " OPENFAITH_HOME, or replace its content with --replace"
        )
    if others:
        raise UsageError(f"{others} other connections use the database: stop dev, serve, workers and Dagster first")
    _check_schemas(database, manifest)
    return manifest


def restore_backup(
    database: Database,
    path: Path,
    *,
    replaces: bool,
    progress: Progress,
    erase_anew: Callable[[Database], None],
) -> Restored:
    """Restore, upgrade to this version, and create the readers' roles; also raises the errors of `check_backup`.

    If the dump cannot be loaded, the database stays as it was. erase_anew: erases again everybody with a mark that was
    carried over (`carried_erasures`), and ends the restore.
    """
    manifest = check_backup(database, path, replaces=replaces)
    with database.connect() as connection:
        server = connection.info.server_version
        prelude = carrying(connection) + _removal(connection) if replaces else ""
    tools = find_tools(database.settings, max(server // 10000, manifest.tools))
    _load(database, path, tools, server, prelude, progress)
    upgrade(database)
    with database.connect() as connection:
        interrupted = connection.execute("SELECT count(*) FROM sync.syncs WHERE status = 'running'").fetchone() or (0,)
        for statement in _LET_GO:
            connection.execute(statement)
    erase_anew(database)
    with database.connect(autocommit=True) as connection:
        connection.execute("ANALYZE")
    readers = tuple(reader.login for reader in list_readers(database))
    return Restored(manifest, interrupted[0], readers, _with_roles(database) if readers else ())


def _with_roles(database: Database) -> tuple[str, ...]:
    """Create the readers' roles; if this user may not, the data is restored anyway, and closed to readers."""
    try:
        return tuple(make_roles(database))
    except ConfigurationError as error:
        return (f"anything yet: {error}",)


def _check_schemas(database: Database, manifest: Manifest) -> None:
    settings = database.settings
    for variable, has, wants in (
        ("OPENFAITH_SCHEMA", settings.canonical_schema, manifest.canonical_schema),
        ("OPENFAITH_VIEWS_SCHEMA", settings.views_schema, manifest.views_schema),
    ):
        if has != wants:
            raise ConfigurationError(f"the backup was made with {variable}={wants}: set the same value here")


def _removal(connection: Connection[Any]) -> str:
    """Statements that empty the database; `public` stays, with objects of extensions, and carried erasures do."""
    statements = [statement for (statement,) in connection.execute(_EMPTYING, {"kept": CARRIED_SCHEMA}).fetchall()]
    return "".join(f"{statement};\n" for statement in statements)


_EMPTYING: Final = """
SELECT format('DROP SCHEMA %%I CASCADE', nspname) FROM pg_namespace
 WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public', %(kept)s)
UNION ALL
SELECT format('DROP %%s IF EXISTS %%s CASCADE',
    CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
    oid::regclass)
  FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')
   AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e')
UNION ALL
SELECT format('DROP ROUTINE IF EXISTS %%s CASCADE', oid::regprocedure) FROM pg_proc
 WHERE pronamespace = 'public'::regnamespace
   AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
UNION ALL
SELECT format('DROP TYPE IF EXISTS %%s CASCADE', oid::regtype) FROM pg_type
 WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd')
   AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_type.oid AND deptype = 'e')
"""


def _load(database: Database, path: Path, tools: Tools, server: int, prelude: str, progress: Progress) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".list") as wanted:
        wanted.write("\n".join(line for line in contents(path, tools) if not _OF_ROLES.match(line)))
        wanted.flush()
        script = subprocess.Popen(
            tools.command("pg_restore", "--no-owner", "--no-privileges", "--use-list", wanted.name, "--file", "-"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        runner = subprocess.Popen(
            tools.command(
                "psql",
                "--no-psqlrc",
                "--quiet",
                "--single-transaction",
                "--set",
                "ON_ERROR_STOP=1",
                "--no-password",
                "--dbname",
                without_password(database.url),
                "--file",
                "-",
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment_of(database.url),
        )
        try:
            _pump(path, script, runner, prelude, server, progress)
        finally:
            script.kill()
            runner.kill()
            script.wait()
            runner.wait()


def _pump(
    path: Path,
    script: "subprocess.Popen[bytes]",
    runner: "subprocess.Popen[bytes]",
    prelude: str,
    server: int,
    progress: Progress,
) -> None:
    """Feed the dump to pg_restore while its script is fed to psql; commits only after all of it went through."""
    said: list[bytes] = []
    feeder = threading.Thread(target=_feed, args=(path, script, progress), daemon=True)
    listeners = [
        threading.Thread(target=lambda stream=stream: said.append(stream.read()), daemon=True)
        for stream in (script.stderr, runner.stderr)
    ]
    for thread in (feeder, *listeners):
        thread.start()
    assert script.stdout is not None  # noqa: S101 - they are pipes
    assert runner.stdin is not None  # noqa: S101
    try:
        runner.stdin.write(prelude.encode())
        for line in _known(script.stdout, server):
            runner.stdin.write(line)
        feeder.join()
        if script.wait():
            runner.kill()  # so that psql does not commit a part
        runner.stdin.close()
    except BrokenPipeError:
        script.kill()  # psql has ended, and nobody reads the rest
    code = runner.wait()
    for thread in listeners:
        thread.join()
    if code or script.wait():
        raise DatabaseUnavailable(f"nothing was restored: {in_words(b' '.join(said))}")


def _feed(path: Path, script: "subprocess.Popen[bytes]", progress: Progress) -> None:
    """Feed the file to pg_restore; if it turns out to be damaged, end pg_restore and with it the restore."""
    assert script.stdin is not None  # noqa: S101 - it is a pipe
    done, is_whole = 0, False
    try:
        with dump_within(path) as dump, suppress(BrokenPipeError):
            while chunk := dump.read(CHUNK):
                script.stdin.write(chunk)
                done += len(chunk)
                progress(done)
            script.stdin.close()
        is_whole = True
    except (UsageError, OSError) as error:
        logger.warning("the backup cannot be read to its end: %s", error)
    finally:
        if not is_whole:
            script.kill()


def _known(script: IO[bytes], server: int) -> Iterable[bytes]:
    """The script without settings of its first lines that the server does not know."""
    for number, line in enumerate(script):
        if number > 60 or server >= _UNKNOWN_BEFORE.get(line, 0):
            yield line
            if number > 60:
                break
    while chunk := script.read(CHUNK):
        yield chunk
