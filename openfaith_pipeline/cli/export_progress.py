"""Progress of an export: a bar with the time left on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from openfaith_pipeline.cli import terminal
from openfaith_pipeline.export.run import Progress

_SAY_EVERY_SECONDS: Final = 5.0


class PlainProgress:
    """A line every few seconds: how many files are done, and the progress of the current one."""

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._say, self._clock = say, clock
        self._said_at = clock()
        self._files = self._done = 0

    def begin(self, files: int) -> None:
        self._files = files

    def advance(self, name: str, rows: int, size: int) -> None:
        self._occasionally(f"{self._done} of {self._files} files; {name}: {_so_far(rows, size)}")

    def finish(self, name: str, rows: int) -> None:
        self._done += 1
        self._occasionally(f"{self._done} of {self._files} files; {name}: {terminal.number_of(rows, 'row')}")

    def _occasionally(self, text: str) -> None:
        now = self._clock()
        if now - self._said_at >= _SAY_EVERY_SECONDS:
            self._said_at = now
            self._say(text)


class BarProgress:
    """The same as a bar; the time left is estimated from the files."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=None)

    def begin(self, files: int) -> None:
        self._bar.update(self._task, total=files)

    def advance(self, name: str, rows: int, size: int) -> None:
        self._bar.update(self._task, description=escape(f"{name}: {_so_far(rows, size)}"))

    def finish(self, name: str, rows: int) -> None:
        self._bar.update(self._task, advance=1, description=escape(f"{name}: {terminal.number_of(rows, 'row')}"))


def _so_far(rows: int, size: int) -> str:
    return f"{terminal.number_of(rows, 'row')}, {size / 1e6:,.1f} MB" if rows else f"{size / 1e6:,.1f} MB"


@contextmanager
def export_progress(console: Console | None = None) -> Iterator[Progress]:
    """The progress display that fits stderr."""
    console = console or terminal.messages()
    if not console.is_terminal:
        yield PlainProgress(terminal.say)
        return
    columns = (BarColumn(24), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Bar(*columns, console=console, transient=True) as bar:
        yield BarProgress(bar)
