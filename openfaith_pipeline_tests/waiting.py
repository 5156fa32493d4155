"""Waiting for the work of other threads and processes."""

import time
from collections.abc import Callable


def wait_until(
    is_so: Callable[[], object],
    event: str = "the awaited",
    seconds: float = 60,
    every_seconds: float = 0.02,
    *,
    meanwhile: Callable[[], object] = lambda: "",
) -> None:
    """Return once the condition holds; fail, naming the event, if it does not within these seconds.

    meanwhile: its result is part of the failure's message.
    """
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"{event}: not within {seconds} s {meanwhile()}"
        time.sleep(every_seconds)
