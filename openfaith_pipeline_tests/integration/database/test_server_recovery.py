"""Recovery after the embedded server or its starter was killed."""

import os
import signal
from pathlib import Path

import psutil
import psycopg
import pytest

from openfaith_pipeline.database import postmaster
from openfaith_pipeline.database import server as server_module
from openfaith_pipeline.database.cluster import ServerFiles
from openfaith_pipeline.database.locks import is_locked
from openfaith_pipeline.database.server import RunningServer, use_server
from openfaith_pipeline.errors import DatabaseUnavailable
from openfaith_pipeline.settings import Settings
from openfaith_pipeline_tests.integration.database.conftest import StartUser

pytestmark = pytest.mark.slow


def _write(server: RunningServer, number: int) -> None:
    with psycopg.connect(server.url()) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (number int)")
        connection.execute("INSERT INTO kept VALUES (%s)", (number,))


def _numbers(server: RunningServer) -> list[int]:
    with psycopg.connect(server.url()) as connection:
        return [row[0] for row in connection.execute("SELECT number FROM kept ORDER BY 1")]


def test_a_killed_server_is_started_again_with_all_that_was_committed(home: Settings) -> None:
    with use_server(home) as server:
        _write(server, 1)
        os.kill(server.pid, signal.SIGKILL)
        with use_server(home) as again:
            assert again.pid != server.pid
            assert again.port == server.port
            assert _numbers(again) == [1]
            _write(again, 2)
    with use_server(home) as last:
        assert _numbers(last) == [1, 2]


def test_a_backend_that_works_on_after_its_servers_death_is_ended(home: Settings) -> None:
    with use_server(home) as server:
        _write(server, 1)
        connection = psycopg.connect(server.url(), autocommit=True)
        backend = psutil.Process(connection.info.backend_pid)
        # Never waits for anything, so it does not learn of the death of its postmaster.
        connection.pgconn.send_query(b"DO $$ BEGIN LOOP END LOOP; END $$")
        os.kill(server.pid, signal.SIGKILL)
        with use_server(home) as again:
            assert not backend.is_running() or backend.status() == psutil.STATUS_ZOMBIE
            assert _numbers(again) == [1]
        connection.close()


def test_a_zombie_does_not_count_as_a_server(home: Settings, start_user: StartUser) -> None:
    user = start_user()
    pid, _ = user.wait_until_in()
    os.kill(user.process.pid, signal.SIGSTOP)  # so that it cannot reap the server it has started
    while not _is_stopped(user.process.pid):
        os.sched_yield()
    os.kill(pid, signal.SIGKILL)
    while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        os.sched_yield()
    with use_server(home) as again:
        assert again.pid != pid
        psycopg.connect(again.url()).close()
    assert psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def _is_stopped(pid: int) -> bool:
    """Whether all threads are: the first may be stopped before another that waits for a child."""
    states = [stat.read_text().rpartition(") ")[2][0] for stat in Path(f"/proc/{pid}/task").glob("*/stat")]
    return {*states} == {"T"}


@pytest.mark.parametrize("whose", ["nobody's", "another program's", "damaged"])
def test_a_stale_pid_file_does_not_hinder_a_start(home: Settings, whose: str) -> None:
    with use_server(home) as server:
        _write(server, 1)
    content = {
        "nobody's": f"{_unused_pid()}\n{home.home}\n1\n{server.port}\n\n127.0.0.1\n",
        "another program's": f"{os.getpid()}\n{home.home}\n1\n{server.port}\n\n127.0.0.1\n",
        "damaged": "",
    }[whose]
    data = home.home / "postgres" / "data"
    (data / "postmaster.pid").write_text(content)
    with use_server(home) as again:
        assert _numbers(again) == [1]


def _unused_pid() -> int:
    return next(pid for pid in range(2**22 - 1, 1, -1) if not psutil.pid_exists(pid))


def test_a_starter_killed_before_the_server_was_ready_hinders_nobody(home: Settings) -> None:
    with use_server(home) as server:
        _write(server, 1)
    files = ServerFiles(home.home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postmaster, "_keeps_running", lambda *_: _die())
        with pytest.raises(KeyboardInterrupt), use_server(home):
            pass
    assert is_locked(files.server_lock)
    with use_server(home) as again:
        assert _numbers(again) == [1]
    assert not is_locked(files.server_lock)


def _die() -> bool:
    raise KeyboardInterrupt


def test_a_server_killed_while_it_is_waited_for_is_started_again(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask, killed = server_module._refusal, []

    def kill_the_first(server: RunningServer) -> str | None:
        if not killed:
            os.kill(server.pid, signal.SIGKILL)
            killed.append(server.pid)
        return ask(server)

    monkeypatch.setattr(server_module, "_refusal", kill_the_first)
    with use_server(home) as server:
        assert server.pid not in killed
        _write(server, 1)


def test_a_long_recovery_is_reported_and_not_interrupted(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as slow:
        slow.setattr(server_module, "READY_SECONDS", 0)
        slow.setattr(server_module, "_refusal", lambda _: "the database system is starting up")
        with pytest.raises(DatabaseUnavailable, match="recovering"), use_server(home):
            pass
    assert is_locked(ServerFiles(home.home).server_lock)
    with use_server(home) as server:
        _write(server, 1)


def test_a_making_cut_short_leaves_nothing_in_the_way(home: Settings) -> None:
    files = ServerFiles(home.home)
    files.make_directories()
    unfinished = files.directory / "data.unfinished"
    unfinished.mkdir()
    (unfinished / "half").write_text("")
    files.password.write_text("of the attempt that was cut short")
    with use_server(home) as server:
        _write(server, 1)
    assert not unfinished.exists()


def test_a_log_that_has_grown_long_is_kept_once_and_begun_anew(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with use_server(home):
        pass
    monkeypatch.setattr(postmaster, "_LONGEST_LOG", 10)
    with use_server(home):
        pass
    log = ServerFiles(home.home).log
    assert "starting PostgreSQL" in Path(f"{log}.1").read_text()
    assert log.read_text().count("starting PostgreSQL") == 1
