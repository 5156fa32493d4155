"""`dev` looks after the embedded Postgres for as long as it runs itself."""

from contextlib import ExitStack, nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from openfaith_pipeline.cli import dev
from openfaith_pipeline.errors import ConfigurationError, DatabaseUnavailable


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
