"""Progress of work in stages with a known number of steps: bars on a terminal, a line for each stage elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from openfaith_pipeline.cli import terminal


class Stages(Protocol):
    """Receives each stage as it begins, and its steps."""

    def began(self, stage: str, steps: int) -> None: ...

    def step(self, place: str) -> None: ...


class _Bars:
    """A bar for each stage, on a terminal."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def began(self, stage: str, steps: int) -> None:
        self._task = self._progress.add_task(escape(stage), total=steps) if steps else None

    def step(self, place: str) -> None:  # noqa: ARG002 - a bar has no room for it
        if self._task is not None:
            self._progress.advance(self._task)


class _Lines:
    """A line for each stage, if stderr is no terminal."""

    def began(self, stage: str, steps: int) -> None:
        if steps:
            terminal.say(f"{stage} ({terminal.number_of(steps, 'step')})")

    def step(self, place: str) -> None: ...


@contextmanager
def shown_stages() -> Iterator[Stages]:
    """Shows the stages on stderr."""
    console = terminal.messages()
    if not console.is_terminal:
        yield _Lines()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        yield _Bars(progress)
