"""The applier's process: started beside the service, started again when it ends, and gone when the service is."""

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from openfaith_pipeline.database import Database

GRACE_SECONDS: Final = 10
"""How long what it has begun may take to end once it is told to; whatever is left then the next applier does again."""

_COMMAND: Final = (sys.executable, "-m", "openfaith_pipeline.service.applier")
_LOOK_SECONDS: Final = 0.2
_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 60.0
"""One that ends as soon as it is started is started ever less often, and at once again after it has lived so long."""

_log = logging.getLogger(__name__)


@contextmanager
def applier(database: Database) -> Iterator[None]:
    """Have one run for the block, with this process's environment. What it has begun then it ends, or leaves to others.

    Answering a delivery takes milliseconds and applying hundreds: in one process the ones would wait for the others.
    """
    ending = threading.Event()
    watch = threading.Thread(target=_keep_running, args=(database.url, ending), name="applier's watch")
    watch.start()
    try:
        yield
    finally:
        ending.set()
        watch.join()


def _keep_running(url: str, ending: threading.Event) -> None:
    pause = _FIRST_PAUSE_SECONDS
    while not ending.is_set():
        began = time.monotonic()
        with _started(url) as process:
            while process.poll() is None:
                if ending.wait(_LOOK_SECONDS):
                    return
        pause = _FIRST_PAUSE_SECONDS if time.monotonic() - began > _LONGEST_PAUSE_SECONDS else pause
        _log.error("the applier of webhooks ended (%s) and is started again", process.returncode)
        ending.wait(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


@contextmanager
def _started(url: str) -> Iterator[subprocess.Popen[bytes]]:
    """Its stdin ends with the block, or with this process, and then it ends."""
    process = subprocess.Popen(_COMMAND, stdin=subprocess.PIPE)
    assert process.stdin  # noqa: S101 - asked for above
    try:
        with suppress(BrokenPipeError):  # it has ended already, as will be seen
            process.stdin.write(f"{url}\n".encode())
            process.stdin.flush()
        yield process
    finally:
        with suppress(BrokenPipeError):
            process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS + 1)
        process.kill()
        process.wait()
