"""A database is backed up to one file and restored from it: the next sync goes on as if nothing had happened."""

import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.registry import credentials_of
from openfaith_pipeline.connections.sealed_keys import fingerprints, keys_in_use, put_keys, seal, unseal
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.access.logins import list_readers, make_roles, put_reader, renew_password
from openfaith_pipeline.database.access.names import WRITER
from openfaith_pipeline.database.access.passwords import kept_password
from openfaith_pipeline.database.backup import dumping, restoring
from openfaith_pipeline.database.backup.archive import read_manifest, read_sealed_key
from openfaith_pipeline.database.backup.dumping import write_backup
from openfaith_pipeline.database.backup.restoring import Restored, restore_backup
from openfaith_pipeline.database.backup.tools import find_tools, without_password
from openfaith_pipeline.database.connection import configured_url, database_at, url_as
from openfaith_pipeline.database.migration import is_current
from openfaith_pipeline.database.owner import OWNER
from openfaith_pipeline.database.server import RunningServer
from openfaith_pipeline.errors import ConfigurationError, DatabaseUnavailable, UsageError
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.settings import Settings
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline.sources import streams_of
from openfaith_pipeline_tests.conftest import fresh_database
from openfaith_pipeline_tests.integration.sync.church import connect, statuses, sync
from openfaith_pipeline_tests.planted import ENCRYPTION_KEY, SECRETS
from openfaith_pipeline_tests.rates import GENEROUS

STREAMS = streams_of(Product.PEOPLE)
PASSPHRASE = "four made up words"


class BackedUp(NamedTuple):
    """A database with two churches synced, its backup, and the simulator that they live in."""

    database: Database
    path: Path
    orgs: list[str]
    simulator: SimulatorClient


@pytest.fixture(scope="module")
def backed_up(postgres: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackedUp]:
    directory = tmp_path_factory.mktemp("backup")
    with (
        fresh_database(postgres, "backed_up", directory / "home") as settings,
        running_simulator(made_up_churches(2, people=12), rate_limit=GENEROUS) as simulator,
    ):
        database = database_at(settings, configured_url(settings), postgres.administrator_url("backed_up"))
        orgs = connect(database, simulator)
        for org in orgs:
            assert statuses(sync(database, org, STREAMS)) == {}
        make_roles(database)
        put_reader(database, "of_backup", orgs[:1], sees_giving=True, sees_all=False)
        with database.connect() as connection:
            connection.execute(
                "INSERT INTO sync.syncs (sync_id, mode, trigger) VALUES ('was running', 'incremental', 'test')"
            )
            connection.execute("UPDATE sync.stream_states SET holder = 'h', lease_expires_at = now() + interval '1 h'")
        path = directory / "one.backup"
        _back_up(database, path)
        with database.connect() as connection:
            connection.execute("DELETE FROM sync.syncs WHERE sync_id = 'was running'")
            connection.execute("UPDATE sync.stream_states SET holder = NULL, lease_expires_at = NULL")
        yield BackedUp(database, path, orgs, simulator)
        with psycopg.connect(postgres.administrator_url(), autocommit=True) as connection:
            connection.execute("DROP ROLE of_backup")


@pytest.fixture
def empty(backed_up: BackedUp, postgres: RunningServer) -> Iterator[Database]:
    with _empty_database(postgres, backed_up.database.settings) as database:
        yield database


@contextmanager
def _empty_database(postgres: RunningServer, settings: Settings) -> Iterator[Database]:
    with psycopg.connect(postgres.administrator_url(), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE restored OWNER {}").format(sql.Identifier(OWNER)))
        named = settings.model_copy(update={"db_name": "restored"})
        try:
            yield database_at(named, configured_url(named), postgres.administrator_url("restored"))
        finally:
            connection.execute("DROP DATABASE restored WITH (FORCE)")


def _back_up(database: Database, path: Path) -> list[int]:
    sizes: list[int] = []
    keys = keys_in_use(database.settings)
    write_backup(database, path, key_prints=fingerprints(keys), sealed_key=None, progress=sizes.append)
    return sizes


def _restore(database: Database, path: Path, *, replaces: bool = False) -> Restored:
    return restore_backup(database, path, replaces=replaces, progress=lambda _: None, erase_anew=lambda _: None)


_ALL_ROWS = """
SELECT format('SELECT %L, count(*), md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM %I.%I AS t',
    n.nspname || '.' || c.relname, n.nspname, c.relname)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND (n.nspname LIKE 'pco%' OR n.nspname IN ('public', 'staging', 'dagster') OR c.relname IN ('journal', 'orgs'))
"""


def _everything(database: Database) -> list[Any]:
    """Each table's number of rows and a digest of them."""
    with database.connect() as connection:
        statements = [text for (text,) in connection.execute(_ALL_ROWS).fetchall()]
        return sorted(connection.execute(" UNION ALL ".join(statements)).fetchall())


def test_all_rows_come_back_and_the_next_sync_goes_on(backed_up: BackedUp, empty: Database) -> None:
    before = _everything(backed_up.database)

    restored = _restore(empty, backed_up.path)

    assert _everything(empty) == before
    assert sum(count for _, count, _ in before) > 200
    assert is_current(empty)
    assert (restored.interrupted, restored.closed) == (1, ())
    with empty.connect() as connection:
        status = connection.execute("SELECT status FROM sync.syncs WHERE sync_id = 'was running'").fetchone()
        leased = connection.execute("SELECT count(*) FROM sync.stream_states WHERE holder IS NOT NULL").fetchone()
    assert (status, leased) == (("interrupted",), (0,))
    there, here = (_requests_of_a_sync(backed_up, database) for database in (backed_up.database, empty))
    assert here == there
    assert here[0] > 0
    assert here[1:] == (0, 0, 0), "no row is written again"


def _requests_of_a_sync(backed_up: BackedUp, database: Database) -> tuple[int, int, int, int]:
    backed_up.simulator.forget_requests()
    results = sync(database, backed_up.orgs[0], STREAMS)
    assert statuses(results) == {}
    written = [sum(getattr(each, kind) for each in results.values()) for kind in ("inserted", "updated", "deleted")]
    return (len(backed_up.simulator.requests()), *written)  # type: ignore[return-value]


def test_readers_have_their_wall_again(backed_up: BackedUp, empty: Database) -> None:
    restored = _restore(empty, backed_up.path)

    assert "of_backup" in restored.readers
    reader = next(each for each in list_readers(empty) if each.login == "of_backup")
    assert reader.org_ids == (backed_up.orgs[0],)
    url = url_as(empty.url, "of_backup", kept_password(empty.settings, "of_backup"))
    with replace(empty, url=url).connect() as connection:
        assert connection.execute("SELECT DISTINCT org_id FROM pco_people.people").fetchall() == [(backed_up.orgs[0],)]


def test_without_the_right_to_make_roles_all_but_the_readers_is_restored(backed_up: BackedUp, empty: Database) -> None:
    with psycopg.connect(str(backed_up.database.administrator_url), autocommit=True) as administrator:
        administrator.execute("ALTER ROLE openfaith_writer RENAME TO openfaith_writer_aside")
        try:
            restored = _restore(replace(empty, administrator_url=None), backed_up.path)
        finally:
            administrator.execute("ALTER ROLE openfaith_writer_aside RENAME TO openfaith_writer")
    assert "CREATEROLE" in " ".join(restored.closed)
    assert _everything(empty) == _everything(backed_up.database)


def test_credentials_are_readable_with_the_key_alone(backed_up: BackedUp, empty: Database) -> None:
    _restore(empty, backed_up.path)

    org = backed_up.orgs[0]
    with empty.connect() as connection:
        assert credentials_of(connection, cipher_from(empty.settings), org, adapter="pco")
        other = empty.settings.model_copy(update={"encryption_keys": (SecretStr("A" * 43 + "="),)})
        with pytest.raises(ConfigurationError, match="no key decrypts"):
            credentials_of(connection, cipher_from(other), org, adapter="pco")


def test_the_file_is_private_whole_and_never_replaced(backed_up: BackedUp) -> None:
    path = backed_up.path
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.glob("*.part")] == []
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["database.dump", "manifest.json"]
        manifest = json.loads(archive.read("manifest.json"))
    assert (manifest["orgs"], manifest["postgres"]) == (2, 18)
    before = path.read_bytes()
    with pytest.raises(UsageError, match="exists"):
        _back_up(backed_up.database, path)
    assert path.read_bytes() == before


def test_a_backup_that_fails_leaves_nothing(backed_up: BackedUp, tmp_path: Path) -> None:
    """The writer may not read all that a dump needs, so that pg_dump ends after it has begun."""
    renew_password(backed_up.database, WRITER)
    password = kept_password(backed_up.database.settings, WRITER)
    with pytest.raises(DatabaseUnavailable, match="pg_dump did not finish"):
        _back_up(replace(backed_up.database, url=url_as(backed_up.database.url, WRITER, password)), tmp_path / "never")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("damage", ["cut", "flipped", "flipped and read in small parts"])
def test_a_damaged_file_restores_nothing(
    backed_up: BackedUp, empty: Database, tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "small parts" in damage:  # so that the table of contents is read before the damage is met
        monkeypatch.setattr(dumping, "CHUNK", 4096)
        monkeypatch.setattr(restoring, "CHUNK", 4096)
    content = bytearray(backed_up.path.read_bytes())
    path = tmp_path / "damaged.backup"
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    else:
        content[len(content) * 3 // 4] ^= 0xFF
        path.write_bytes(content)
    with pytest.raises((UsageError, DatabaseUnavailable)):
        _restore(empty, path)
    with empty.connect() as connection:
        assert connection.execute("SELECT to_regnamespace('sync')").fetchone() == (None,)


def test_existing_data_is_replaced_only_on_demand(backed_up: BackedUp, empty: Database) -> None:
    _restore(empty, backed_up.path)
    with empty.connect() as connection:
        connection.execute("UPDATE pco_people.people SET first_name = 'changed since'")
        connection.execute("CREATE VIEW public.of_my_own AS SELECT 1")
    with pytest.raises(UsageError, match="not empty"):
        _restore(empty, backed_up.path)
    with pytest.raises(UsageError, match="1 other connections"), empty.connect():
        _restore(empty, backed_up.path, replaces=True)

    _restore(empty, backed_up.path, replaces=True)

    assert _everything(empty) == _everything(backed_up.database)


def test_a_restore_that_the_server_refuses_ends_with_the_reason(
    backed_up: BackedUp, empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The programs before and behind the one that ends have more to write than a pipe holds."""
    monkeypatch.setattr(restoring, "_removal", lambda _: "SELECT of_no_function();\n")
    with pytest.raises(DatabaseUnavailable, match=r"nothing was restored: .*of_no_function"):
        _restore(empty, backed_up.path, replaces=True)


def test_a_backup_of_a_newer_version_is_refused(backed_up: BackedUp, empty: Database, tmp_path: Path) -> None:
    for change, said in (
        ({"revision": "9999"}, "install"),
        ({"postgres": 99}, "PostgreSQL 99"),
        ({"format": 2}, "newer"),
    ):
        path = tmp_path / f"{said}.backup"
        with zipfile.ZipFile(backed_up.path) as archive, zipfile.ZipFile(path, "w") as changed:
            manifest = json.loads(archive.read("manifest.json"))
            changed.writestr("database.dump", archive.read("database.dump"))
            changed.writestr("manifest.json", json.dumps({**manifest, **change}))
        with pytest.raises(UsageError, match=said):
            _restore(empty, path)
    path.write_text("no backup at all")
    with pytest.raises(UsageError, match="not a backup"):
        read_manifest(path)


def test_the_key_is_in_the_file_on_request_only_and_encrypted(backed_up: BackedUp, tmp_path: Path) -> None:
    settings = backed_up.database.settings
    assert read_sealed_key(backed_up.path) is None
    path = tmp_path / "with key.backup"
    sealed = seal(keys_in_use(settings), PASSPHRASE)
    write_backup(backed_up.database, path, key_prints=(), sealed_key=sealed, progress=lambda _: None)

    content = path.read_bytes()
    assert ENCRYPTION_KEY.encode() not in content
    assert PASSPHRASE.encode() not in content
    assert SECRETS.encode() not in content
    kept = read_sealed_key(path)
    assert kept
    assert unseal(kept, PASSPHRASE) == (ENCRYPTION_KEY,)
    with pytest.raises(UsageError, match="passphrase"):
        unseal(kept, PASSPHRASE + "!")
    with pytest.raises(UsageError, match="shorter"):
        seal(keys_in_use(settings), "short")


def test_a_key_is_put_where_there_is_none(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert put_keys(settings, (ENCRYPTION_KEY,)) is True
    assert put_keys(settings, (ENCRYPTION_KEY,)) is False
    assert (tmp_path / "encryption.key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageError, match="a different key from"):
        put_keys(settings, ("A" * 43 + "=",))


def test_the_programs_fit_the_server_and_get_no_password(backed_up: BackedUp) -> None:
    assert find_tools(backed_up.database.settings, 18).major == 18
    with pytest.raises(ConfigurationError, match="PostgreSQL 99 or newer are needed"):
        find_tools(backed_up.database.settings, 99)
    password = backed_up.database.settings.db_password
    assert password
    assert password.get_secret_value() not in without_password(backed_up.database.url)
