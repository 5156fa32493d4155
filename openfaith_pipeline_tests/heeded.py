"""Every simulator says at its end which parameters of its requests Planning Center would have ignored.

Such a request gets an answer that looks right and is of other records, so nothing else would fail.
"""

from contextlib import suppress
from typing import Any

import pytest

from openfaith_pipeline.simulator import SimulatorClient, server


def heed_parameters(patch: pytest.MonkeyPatch) -> None:
    """Let the end of each simulator raise AssertionError if parameters had no effect."""
    greet, stop, urls = server._greet, server._stop, dict[int, str]()

    def greet_and_note(child: Any, options: Any) -> str:
        urls[child.pid] = greet(child, options)
        return urls[child.pid]

    def ask_and_stop(child: Any) -> None:
        url, found = urls.pop(child.pid, None), dict[str, str]()
        with suppress(OSError):  # a test may have ended it
            found = SimulatorClient(url, seconds=20).ignored() if url else {}
        stop(child)
        assert found == {}, "requests with parameters that Planning Center ignores"

    patch.setattr(server, "_greet", greet_and_note)
    patch.setattr(server, "_stop", ask_and_stop)
