"""`dev` looks after the embedded Postgres for as long as it runs itself; options of the verbs for single processes."""

import signal
from contextlib import ExitStack, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from openfaith_pipeline.cli import dev, worker
from openfaith_pipeline.defs.instance import daemon
from openfaith_pipeline.errors import ConfigurationError, DatabaseUnavailable, UsageError
from openfaith_pipeline.processes.supervisor import Service
from openfaith_pipeline.settings import Settings


def test_a_postgres_that_cannot_start_now_is_started_at_a_later_look(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As on a full disk, until somebody makes room."""
    starts: list[Any] = [ConfigurationError("Postgres does not start: No space left on device"), nullcontext()]

    def start(_: object) -> Any:
        outcome = starts.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def refuse() -> None:
        raise DatabaseUnavailable("connection refused")

    monkeypatch.setattr(dev, "open_database", start)
    database: Any = SimpleNamespace(connect=refuse, settings=SimpleNamespace(is_embedded=True))
    with ExitStack() as stack:
        for _ in range(2):
            dev._look_after_database(database, stack)
    told = capsys.readouterr().err
    assert "trying again: Postgres does not start: No space left on device" in told
    assert told.endswith("Postgres has been restarted\n")
    assert starts == []


def test_its_service_listens_where_it_expects_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    started: list[Service] = []
    supervisor: Any = SimpleNamespace(start=started.append, wait_until=lambda *_, **__: None)
    database: Any = None
    monkeypatch.setattr("openfaith_pipeline.defs.instance.prepare_dagster_home", lambda *_: {})
    settings = Settings(home=tmp_path, listen="192.0.2.1")
    dev._start_service(settings, database, supervisor, 3020, is_reached_here=False, dagster_url="")

    assert list(started[0].command[-4:]) == ["--host", "127.0.0.1", "--port", "3020"]


def test_the_daemon_is_started_where_no_file_is_that_dagster_puts_over_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home, places = tmp_path / "dagster", list[Path]()
    home.mkdir()
    (tmp_path / ".env").write_text("DB_NAME=another")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(worker, "open_database", lambda _: nullcontext())
    monkeypatch.setattr("openfaith_pipeline.defs.instance.prepare_dagster_home", lambda *_: {"DAGSTER_HOME": str(home)})
    monkeypatch.setattr("os.execve", lambda *_: places.append(Path.cwd()))
    for name in ("DB_HOST_PRIMARY", "DB_NAME", "DB_USERNAME", "DB_PASSWORD"):
        monkeypatch.setenv(name, "x")
    worker.run_dagster(worker.Role.CODE_SERVER)
    worker.run_dagster(worker.Role.DAEMON)

    assert places == [tmp_path, home]
    assert dev._service(daemon({"DAGSTER_HOME": str(home)}, 4000), Settings(home=tmp_path)).directory == home


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL], ids=["nohup", "terminal"])
def test_a_closed_terminal_ends_it_unless_it_is_not_to_hear_of_that(handler: signal.Handlers) -> None:
    before = signal.signal(signal.SIGHUP, handler)
    try:
        dev._end_with_terminal()
        assert (signal.getsignal(signal.SIGHUP) is signal.SIG_IGN) == (handler is signal.SIG_IGN)
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    ("role", "options"),
    [("code-server", {"port": 4001}), ("daemon", {"port": 4001}), ("daemon", {"host": "0.0.0.0"})],  # noqa: S104
)
def test_an_option_that_is_of_another_process_is_refused(role: str, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="--code-server-"):
        worker.run_dagster(worker.Role(role), **options)
