"""Who starts the embedded server, who shares it and when it stops."""

import json
import os
import signal
import socket
import stat

import psycopg
import pytest

from openfaith_pipeline.database.cluster import ServerFiles
from openfaith_pipeline.database.locks import is_locked
from openfaith_pipeline.database.server import (
    inspect_server,
    pin_server,
    stop_server,
    stop_unused_server,
    use_server,
)
from openfaith_pipeline.settings import Settings
from openfaith_pipeline_tests.integration.database.conftest import StartUser

_START_A_CHILD = """import subprocess
    child = subprocess.Popen(["sleep", "600"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    print(child.pid, flush=True)"""


def _is_running(settings: Settings) -> bool:
    return is_locked(ServerFiles(settings.home).server_lock)


def test_the_first_user_starts_it_and_the_last_one_out_stops_it(home: Settings) -> None:
    with use_server(home) as first:
        with use_server(home) as second:
            assert second == first
        with psycopg.connect(first.url()) as connection:
            assert connection.execute("SHOW data_checksums").fetchone() == ("on",)
            assert connection.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
            assert connection.execute("SHOW fsync").fetchone() == ("on",)
            assert connection.execute("SHOW password_encryption").fetchone() == ("scram-sha-256",)
    assert not _is_running(home)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(first.url())


def test_data_and_port_outlive_a_stop(home: Settings) -> None:
    with use_server(home) as server, psycopg.connect(server.url()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    with use_server(home) as again, psycopg.connect(again.url()) as connection:
        assert again.port == server.port
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)


def test_only_the_password_opens_it(home: Settings) -> None:
    with use_server(home) as server:
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(server.url().replace(server.password, "wrong"))
        with pytest.raises(psycopg.OperationalError, match="no password supplied"):
            psycopg.connect(server.url().replace(f":{server.password}", ""))
        assert server.password not in repr(server)


def test_files_with_secrets_are_private(home: Settings) -> None:
    with use_server(home):
        files = ServerFiles(home.home)
        for path in (files.password, files.state, files.log, *files.users.iterdir()):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        assert stat.S_IMODE((files.directory / "data").stat().st_mode) == 0o700


def test_the_log_keeps_no_values_and_no_statements(home: Settings) -> None:
    with use_server(home) as server, psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE people (name text PRIMARY KEY)")
        for _ in range(2):
            try:
                connection.execute("INSERT INTO people VALUES ('Planted Person')")
            except psycopg.errors.UniqueViolation:
                continue
        with pytest.raises(psycopg.DataError):
            connection.execute("SELECT 'Planted Person'::int")
    log = ServerFiles(home.home).log.read_text()
    assert "ready to accept connections" in log
    assert "Planted" not in log
    assert "people" not in log


def test_eight_starters_at_once_get_one_server(home: Settings, start_user: StartUser) -> None:
    users = start_user(processes=8)
    assert len({users.wait_until_in() for _ in range(8)}) == 1
    assert len(inspect_server(home).users) == 8
    users.leave()
    assert not _is_running(home)
    assert ServerFiles(home.home).log.read_text().count("starting PostgreSQL") == 1


def test_a_killed_user_counts_no_more_even_when_its_child_lives_on(home: Settings, start_user: StartUser) -> None:
    user = start_user(_START_A_CHILD)
    with use_server(home) as server:
        assert user.wait_until_in() == (server.pid, server.port)
        child = int(user.read_line())
        user.kill()
        try:
            assert [found.pid for found in inspect_server(home).users] == [os.getpid()]
        finally:
            os.kill(child, signal.SIGKILL)
    assert not _is_running(home)


def test_a_server_that_killed_users_left_running_can_be_stopped(home: Settings, start_user: StartUser) -> None:
    user = start_user()
    user.wait_until_in()
    user.kill()
    assert _is_running(home)
    stop_unused_server(home)
    assert not _is_running(home)


def test_a_used_server_is_not_stopped_as_unused(home: Settings) -> None:
    with use_server(home) as server:
        stop_unused_server(home)
        with psycopg.connect(server.url()) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_pinned_server_outlives_its_users_until_it_is_stopped(home: Settings) -> None:
    pinned = pin_server(home)
    with use_server(home) as used:
        assert used == pinned
    assert inspect_server(home).is_pinned
    psycopg.connect(pinned.url()).close()
    assert stop_server(home) == []
    assert not _is_running(home)
    with use_server(home):
        pass
    assert not _is_running(home)


def test_stopping_cuts_the_users_off_and_names_them(home: Settings, start_user: StartUser) -> None:
    user = start_user()
    user.wait_until_in()
    assert [found.pid for found in stop_server(home)] == [user.process.pid]
    assert not _is_running(home)
    user.leave()


def test_stopping_a_server_that_does_not_run_succeeds(home: Settings) -> None:
    assert stop_server(home) == []
    assert not (home.home / "postgres" / "data").exists()


def test_a_taken_port_is_left_to_its_owner(home: Settings) -> None:
    with use_server(home) as server:
        pass
    with socket.create_server(("127.0.0.1", server.port)), use_server(home) as moved:
        assert moved.port != server.port
        psycopg.connect(moved.url()).close()
        assert json.loads(ServerFiles(home.home).state.read_text())["port"] == moved.port
