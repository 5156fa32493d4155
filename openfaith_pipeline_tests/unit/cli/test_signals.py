"""Which signals end a verb."""

import signal
from collections.abc import Iterator

import pytest

from openfaith_pipeline.cli import app


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM])
def number(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    """A signal that is ignored, as SIGINT is in what a script starts in the background."""
    before = {each: signal.signal(each, signal.SIG_IGN) for each in (signal.SIGINT, signal.SIGTERM)}
    yield request.param
    for each, handler in before.items():
        signal.signal(each, handler)


def test_a_verb_ends_though_its_shell_had_it_ignore_the_signal(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "app", lambda **_: signal.raise_signal(number))
    with pytest.raises(KeyboardInterrupt):
        app.run(["status"])
