"""`db backup`, `db restore` and `db psql`."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.database_roles import RoleOption, url_for
from openfaith_pipeline.cli.erasure_report import report_erased_again
from openfaith_pipeline.cli.home import open_or_make
from openfaith_pipeline.connections.reencryption import take_over
from openfaith_pipeline.connections.sealed_keys import fingerprints, keys_in_use, put_keys, seal, unseal
from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.database.backup.archive import read_manifest, read_sealed_key
from openfaith_pipeline.database.backup.dumping import Progress, write_backup
from openfaith_pipeline.database.backup.restoring import Restored, check_backup, restore_backup
from openfaith_pipeline.database.backup.tools import environment_of, find_tools, without_password
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.privacy.erasing_anew import ErasedAnew, erase_anew
from openfaith_pipeline.settings import Settings, load_settings

_SAY_EVERY_SECONDS = 5.0

PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file", metavar="FILE", help="Read the passphrase from the first line of a file; else prompt."
    ),
]


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write; it must not exist.")],
    with_key: Annotated[
        bool, typer.Option("--with-key", help="Include the encryption key, encrypted with a passphrase.")
    ] = False,
    passphrase_file: PassphraseFile = None,
    as_json: terminal.JsonOption = False,
) -> None:
    """Back up the whole database to one file, while syncs go on: all rows, the journal, settings, Dagster's history.

    Credentials of churches are in it encrypted, and of no use without the key, which is not in it unless --with-key
    puts it there. docs/operate.md says which other things to keep.

    Examples:
      openfaith-pipeline db backup /backups/openfaith-$(date +%F).backup

    Exit codes: 0 written and verified; 1 it could not be written; 2 the file exists, or no pg_dump fits the server.
    """
    settings = load_settings()
    if file.exists():
        raise UsageError(f"{file} already exists, and a backup never overwrites a file: name another")
    keys = keys_in_use(settings)
    if with_key and not keys:
        raise UsageError("there is no encryption key yet; leave out --with-key")
    sealed = seal(keys, _passphrase(passphrase_file, is_new=True)) if with_key else None
    with open_database(settings, upgrade=False) as database, _progress("written") as progress:
        manifest = write_backup(
            database, file.absolute(), key_prints=fingerprints(keys), sealed_key=sealed, progress=progress
        )
    if as_json:
        terminal.print_json({"file": str(file), "bytes": file.stat().st_size, "has_key": with_key, **asdict(manifest)})
        return
    terminal.report(f"{file}: {_size(file.stat().st_size)}, verified")
    if keys and not with_key:
        terminal.say(f"the encryption key is not in it; keep {_place_of_key(settings)} elsewhere")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `db backup` wrote.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Remove everything that the database holds now, after a prompt.")
    ] = False,
    yes: terminal.YesOption = False,
    passphrase_file: PassphraseFile = None,
    as_json: terminal.JsonOption = False,
) -> None:
    """Restore a backup into an empty database, upgrade it to this version, and continue: nothing is read again.

    All of it is restored, or nothing. Stop dev, serve, workers and Dagster first. Readers are created again, with new
    passwords where theirs are not kept in this home. A key in the backup is decrypted with its passphrase.

    People and churches that were erased since the backup was made are erased again, by the marks in the database that
    is replaced. An empty database has no marks: erase them there again.

    Exit codes: 0 restored; 1 not restored, nothing was changed, or it was interrupted while people were erased again
    (run it again with --replace); 2 the database is not empty, or does not fit.
    """
    settings = load_settings()
    manifest = read_manifest(file)
    sealed = read_sealed_key(file)
    keys = unseal(sealed, _passphrase(passphrase_file, is_new=False)) if sealed else ()
    with open_or_make(settings, upgrade=False) as database:
        check_backup(database, file, replaces=replace)
        if replace and not yes:
            where = "the embedded database" if settings.is_embedded else f"database {settings.db_name}"
            terminal.confirm(f"Remove everything in {where} and restore {file} of {manifest.made_at}?")
        is_written = put_keys(settings, keys) if keys else False
        with _progress("restored", manifest.dump_bytes) as progress:
            restored, erased = _restore(database, file, replaces=replace, progress=progress)
        take_over(database, keys)
    has_key = bool(set(fingerprints(keys_in_use(settings) or keys)) & set(manifest.key_prints))
    if as_json:
        terminal.print_json(_described(restored, erased, has_key=has_key))
        return
    report_erased_again(erased, restored.manifest.made_at)
    _report(settings, restored, has_key=has_key, is_written=is_written)


def _restore(database: Database, file: Path, *, replaces: bool, progress: Progress) -> tuple[Restored, ErasedAnew]:
    erased: list[ErasedAnew] = []
    restored = restore_backup(
        database,
        file,
        replaces=replaces,
        progress=progress,
        erase_anew=lambda restored: erased.append(erase_anew(restored, terminal.say)),
    )
    return restored, erased[0]


def psql(context: typer.Context, role: RoleOption = None) -> None:
    """Open psql on the database; everything after -- is given to psql.

    Examples:
      openfaith-pipeline db psql
      openfaith-pipeline db psql --role reader -- -c 'SELECT * FROM openfaith.churches'

    Exit codes: 0 psql ended well; others are psql's own; 2 no psql, or a role whose password is not kept here.
    """
    settings = load_settings()
    with open_database(settings) as database:
        with database.connect() as connection:
            tools = find_tools(settings, connection.info.server_version // 10000)
        address = url_for(database, role)
        arguments = [*tools.command("psql", "--dbname", without_password(address)), *context.args]
        done = subprocess.run(arguments, env=environment_of(address), check=False)
    raise typer.Exit(done.returncode)


def _passphrase(file: Path | None, *, is_new: bool) -> str:
    if file:
        try:
            return (file.read_text(encoding="utf-8").splitlines() or [""])[0]
        except UnicodeDecodeError:
            raise UsageError(f"{file} is not UTF-8 text, so it cannot hold the passphrase") from None
    try:
        return str(typer.prompt("passphrase of the key", hide_input=True, confirmation_prompt=is_new, err=True))
    except typer.Abort:
        raise UsageError("there is no terminal to type the passphrase on: name a file with --passphrase-file") from None


@contextmanager
def _progress(done: str, total: int | None = None) -> Iterator[Progress]:
    """A line that changes on a terminal, and one every few seconds elsewhere."""
    console = terminal.messages()
    said_at = time.monotonic()
    with console.status("") as status:

        def show(size: int) -> None:
            nonlocal said_at
            text = f"{done} {_size(size)}" + (f" of {_size(total)}" if total else "")
            status.update(text)
            if not console.is_terminal and time.monotonic() - said_at >= _SAY_EVERY_SECONDS:
                said_at = time.monotonic()
                terminal.say(text)

        yield show


def _described(restored: Restored, erased: ErasedAnew, *, has_key: bool) -> dict[str, Any]:
    return {
        "done": "restored",
        "interrupted": restored.interrupted,
        "readers": [*restored.readers],
        "closed": [*restored.closed],
        "has_key": has_key,
        "erased_again": asdict(erased),
        "backup": asdict(restored.manifest),
    }


def _report(settings: Settings, restored: Restored, *, has_key: bool, is_written: bool) -> None:
    manifest = restored.manifest
    terminal.report(
        f"restored {manifest.orgs} {'church' if manifest.orgs == 1 else 'churches'}, as of {manifest.made_at}"
    )
    if restored.interrupted:
        syncs = terminal.number_of(restored.interrupted, "sync")
        terminal.say(f"running when it was made: {syncs}; the next sync of the same streams continues from there")
    for reason in restored.closed:
        terminal.say(f"readers are not given {reason}")
    if is_written:
        terminal.say(f"the key is in {_place_of_key(settings)}" + _variable(settings))
    elif manifest.key_prints and not has_key:
        terminal.say(
            "the credentials cannot be read without the key of that time: restore its encryption.key, or set"
            " OPENFAITH_ENCRYPTION_KEYS; or add each org again"
        )


def _variable(settings: Settings) -> str:
    return "" if settings.is_embedded else "; set OPENFAITH_ENCRYPTION_KEYS to its content"


def _place_of_key(settings: Settings) -> str:
    return "OPENFAITH_ENCRYPTION_KEYS" if settings.encryption_keys else str(settings.home / "encryption.key")


def _size(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
