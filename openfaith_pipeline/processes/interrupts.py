"""SIGINT and SIGTERM handled in one place, whatever code they interrupt.

Left to themselves they raise an exception in the middle of whichever callback or task happens to run. An event loop
ends for a KeyboardInterrupt; any other, such as the one that Dagster raises in a run that is terminated, it logs and
goes on, or it becomes the failure of a task that nobody waits for.
"""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

INSIST_SECONDS: Final = 10.0
"""Time for canceled tasks to clean up; after that the cleanup is canceled too."""


@contextmanager
def interrupts_heard(act: Callable[[], None]) -> Iterator[None]:
    """Call `act` on signals during the block, and restore their handlers afterwards.

    A signal that was ignored before stays ignored. In a thread other than the main one nothing changes: signals do not
    arrive there.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    outside = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    handlers = {number: handler for number, handler in outside.items() if callable(handler)}
    heard: list[int] = []

    def hear(number: int, _frame: object) -> None:
        heard.append(number)
        act()

    try:
        for number in handlers:
            signal.signal(number, hear)
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if heard:
            handlers[signal.Signals(heard[0])](heard[0], None)


def cancel_at_last(task: asyncio.Task[Any]) -> None:
    """Cancel the task, in its loop; if it has not ended some seconds later, cancel everything else there too.

    A cleanup may wait for a database that does not answer, and a task group that is being canceled does not pass on a
    second cancellation.
    """
    if not task.done():
        task.cancel()
        asyncio.get_running_loop().call_later(INSIST_SECONDS, _cancel_all, task)


def is_canceled() -> bool:
    """Whether the current task was canceled, even if a wait has lost that: for the heads of endless loops.

    Before Python 3.12 `asyncio.wait_for` loses a cancellation that comes together with the awaited result
    (cpython#86296), and psycopg's pool waits by it.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _cancel_all(task: asyncio.Task[Any]) -> None:
    if task.done():
        return
    loop = asyncio.get_running_loop()
    for each in asyncio.all_tasks(loop):
        each.cancel()
    loop.call_later(INSIST_SECONDS, _cancel_all, task)
