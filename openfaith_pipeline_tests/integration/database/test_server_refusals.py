"""Homes, programs and data that cannot be used: the error names each, with the remedy."""

import os
from pathlib import Path

import pytest

from openfaith_pipeline.database import server as server_module
from openfaith_pipeline.database.cluster import ServerFiles
from openfaith_pipeline.database.locks import locked
from openfaith_pipeline.database.server import use_server
from openfaith_pipeline.errors import ConfigurationError, DatabaseUnavailable
from openfaith_pipeline.settings import Settings

pytestmark = pytest.mark.slow


def _refusal(settings: Settings) -> str:
    with pytest.raises(ConfigurationError) as caught, use_server(settings):
        pass
    return str(caught.value)


def _programs(directory: Path, *, initdb: str) -> Path:
    """Stand-ins for Postgres' programs. initdb: the script to run in its place."""
    directory.mkdir()
    for name, script in (("postgres", "echo 'postgres (PostgreSQL) 18.4'"), ("initdb", initdb)):
        (directory / name).write_text(f"#!/bin/sh\n{script}\n")
        (directory / name).chmod(0o755)
    return directory


def test_a_home_that_is_a_file(home: Settings) -> None:
    home.home.write_text("")
    assert "point OPENFAITH_HOME at a directory" in _refusal(home)
    home.home.unlink()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a file system that refuses even root")
def test_a_home_that_cannot_be_written() -> None:
    refusal = _refusal(Settings(home=Path("/proc/openfaith")))
    assert "OPENFAITH_HOME /proc/openfaith cannot be used" in refusal


def test_no_programs(home: Settings, tmp_path: Path) -> None:
    refusal = _refusal(home.model_copy(update={"postgres_bin": tmp_path}))
    assert "OPENFAITH_POSTGRES_BIN" in refusal
    assert str(tmp_path) in refusal


def test_a_full_disk_while_the_database_is_made(home: Settings, open_directory: Path) -> None:
    programs = _programs(
        open_directory / f"bin-{home.home.name}", initdb="echo 'could not write: No space left on device' >&2; exit 1"
    )
    assert "No space left on device" in _refusal(home.model_copy(update={"postgres_bin": programs}))
    assert {path.name for path in (home.home / "postgres").iterdir()} == {"password", "start.lock", "users"}
    with use_server(home):
        pass


def test_programs_that_do_not_run(home: Settings, open_directory: Path) -> None:
    programs = _programs(open_directory / f"bin-{home.home.name}", initdb="exit 0")
    (programs / "postgres").write_text("#!/bin/sh\necho 'I am a teapot'\n")
    with use_server(home):
        pass
    assert "is not Postgres" in _refusal(home.model_copy(update={"postgres_bin": programs}))


def test_data_of_another_major_version(home: Settings) -> None:
    with use_server(home):
        pass
    version = home.home / "postgres" / "data" / "PG_VERSION"
    version.write_text("16\n")
    refusal = _refusal(home)
    assert "made by PostgreSQL 16" in refusal
    assert "OPENFAITH_POSTGRES_BIN" in refusal
    version.write_text("18\n")
    with use_server(home):
        pass


def test_a_lost_password(home: Settings) -> None:
    with use_server(home):
        pass
    password = ServerFiles(home.home).password
    kept = password.read_text()
    password.unlink()
    assert f"{password} is missing" in _refusal(home)
    password.write_text("another one")
    assert "is not the password" in _refusal(home)
    password.write_text(kept)
    with use_server(home):
        pass


def test_a_setting_that_keeps_the_server_from_starting(home: Settings) -> None:
    with use_server(home):
        pass
    configuration = home.home / "postgres" / "data" / "postgresql.conf"
    kept = configuration.read_text()
    configuration.write_text(f"{kept}\nmax_wal_senders = many\n")
    assert "max_wal_senders" in _refusal(home)
    configuration.write_text(kept)
    with use_server(home):
        pass


def test_a_turn_that_never_comes(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    files = ServerFiles(home.home)
    files.make_directories()
    monkeypatch.setattr(server_module, "_TURN_SECONDS", 0.05)
    with (
        locked(files.start_lock, seconds=1),
        pytest.raises(DatabaseUnavailable, match=r"another process has held .*start\.lock"),
        use_server(home),
    ):
        pass
    with use_server(home):
        pass


def test_a_damaged_state_file(home: Settings) -> None:
    files = ServerFiles(home.home)
    files.make_directories()
    files.state.write_text("{half")
    assert f"{files.state} is damaged" in _refusal(home)
    files.state.unlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to find another user")
@pytest.mark.parametrize("user", ["nobody-of-this-name", "root"])
def test_a_user_that_cannot_run_postgres(home: Settings, user: str) -> None:
    assert "OPENFAITH_POSTGRES_USER" in _refusal(home.model_copy(update={"postgres_user": user}))
