"""Which signals end a verb."""

import signal
from collections.abc import Iterator

import pytest
from dagster._utils.interrupts import capture_interrupts

from openfaith_pipeline.cli import app


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM])
def number(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    """A signal that is ignored, as SIGINT is in background jobs of a script."""
    before = {each: signal.signal(each, signal.SIG_IGN) for each in (signal.SIGINT, signal.SIGTERM)}
    yield request.param
    for each, handler in before.items():
        signal.signal(each, handler)


def test_a_verb_ends_though_its_shell_had_it_ignore_the_signal(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    def verb(**_: object) -> None:
        with capture_interrupts():
            pass  # as around each step of a run: Dagster restores SIGTERM with SIGINT's earlier handler
        signal.raise_signal(number)

    monkeypatch.setattr(app, "app", verb)
    with pytest.raises(KeyboardInterrupt):
        app.run(["status"])
