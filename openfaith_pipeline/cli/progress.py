"""What is seen while a sync runs: a live table on a terminal, a plain line now and then anywhere else."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from openfaith_pipeline.cli.terminal import count, duration, messages, table
from openfaith_pipeline.sync import StreamResult

_PLAIN_INTERVAL_SECONDS = 5.0
_COLORS = {"succeeded": "green", "failed": "red", "incomplete": "yellow", "unavailable": "yellow"}


class SyncProgress(Protocol):
    """Told of each page and each finished stream of one sync."""

    def page(self, stream: str, *, fetched: int, requests: int, waited_seconds: float) -> None: ...

    def finished(self, result: StreamResult) -> None: ...


@dataclass
class PlainProgress:
    """At most one line for a stream every five seconds, and one when it is finished."""

    say: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    _said_at: dict[str, float] = field(default_factory=dict)

    def page(self, stream: str, *, fetched: int, requests: int, waited_seconds: float) -> None:
        now = self.clock()
        if now - self._said_at.setdefault(stream, now) < _PLAIN_INTERVAL_SECONDS:
            return
        self._said_at[stream] = now
        self.say(f"{stream}: {count(fetched)} rows, {count(requests)} requests{_waiting(waited_seconds)}")

    def finished(self, result: StreamResult) -> None:
        self._said_at.pop(result.stream, None)
        self.say(describe_result(result))


@dataclass
class _Activity:
    started_at: float
    fetched: int = 0
    requests: int = 0
    waited_seconds: float = 0.0


class LiveProgress:
    """Streams under way as a table that stays at the bottom; finished ones scroll up above it."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._activities: dict[str, _Activity] = {}

    def page(self, stream: str, *, fetched: int, requests: int, waited_seconds: float) -> None:
        activity = self._activities.setdefault(stream, _Activity(self._clock()))
        activity.fetched, activity.requests, activity.waited_seconds = fetched, requests, waited_seconds

    def finished(self, result: StreamResult) -> None:
        self._activities.pop(result.stream, None)
        color = _COLORS.get(result.status, "default")
        self._console.print(f"[{color}]•[/] {escape(describe_result(result))}", soft_wrap=True)

    def __rich__(self) -> Table:
        running = table(
            None, "syncing", "rows", "requests", "waited", "for", numbers=("rows", "requests", "waited", "for")
        )
        for stream, activity in list(self._activities.items()):
            running.add_row(
                stream,
                count(activity.fetched),
                count(activity.requests),
                duration(activity.waited_seconds),
                duration(self._clock() - activity.started_at),
            )
        return running


@contextmanager
def shown_progress() -> Iterator[SyncProgress]:
    """Progress on stderr, in the form that fits what stderr is."""
    console = messages()
    if not console.is_terminal:
        yield PlainProgress(lambda line: console.print(escape(line), soft_wrap=True))
        return
    progress = LiveProgress(console)
    with Live(progress, console=console, refresh_per_second=4, transient=True):
        yield progress


def describe_result(result: StreamResult) -> str:
    """`people.emails: 250 rows, 3 new, 1 changed, 3 requests, 1.2 s`; what did not happen is left out."""
    if result.status != "succeeded":
        return f"{result.stream}: {result.status}{f' ({result.error})' if result.error else ''}"
    changes = {
        "new": result.inserted,
        "changed": result.updated,
        "deleted": result.deleted,
        "quarantined": result.quarantined,
    }
    told = "".join(f", {count(number)} {what}" for what, number in changes.items() if number)
    return (
        f"{result.stream}: {count(result.fetched)} rows{told or ', nothing new'}, {count(result.requests)} requests, "
        f"{duration(result.seconds)}{_waiting(result.waited_seconds)}"
    )


def _waiting(seconds: float) -> str:
    return f", {duration(seconds)} waited for the rate limit" if seconds >= 0.1 else ""
