"""What is seen while a sync runs: a live table on a terminal, a plain line now and then anywhere else."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.text import Text

from openfaith_pipeline.cli.terminal import count, duration, messages, number_of, table
from openfaith_pipeline.printable import printable
from openfaith_pipeline.sync.results import Progress, StreamResult

_PLAIN_INTERVAL_SECONDS = 5.0
_MOST_LIVE_STREAMS = 15
_COLORS = {"succeeded": "green", "failed": "red", "incomplete": "yellow", "withheld": "yellow", "unavailable": "yellow"}


@dataclass
class _Activity:
    """A stream under way. The moments are readings of the progress' own clock."""

    started_at: float
    said_at: float
    rows: int = 0
    requests: int = 0
    waited_seconds: float = 0.0

    def add(self, fetched: int, requests: int, waited_seconds: float) -> None:
        self.rows += fetched
        self.requests += requests
        self.waited_seconds += waited_seconds


@dataclass
class PlainProgress:
    """At most one line for a stream every five seconds, and one when it is finished."""

    say: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    _activities: dict[str, _Activity] = field(default_factory=dict)

    def page(self, stream: str, *, fetched: int, requests: int, waited_seconds: float) -> None:
        now = self.clock()
        activity = self._activities.setdefault(stream, _Activity(now, now))
        activity.add(fetched, requests, waited_seconds)
        if now - activity.said_at < _PLAIN_INTERVAL_SECONDS:
            return
        activity.said_at = now
        waiting = _waiting(activity.waited_seconds)
        so_far = f"{number_of(activity.rows, 'row')}, {number_of(activity.requests, 'request')} so far"
        self.say(f"{stream}: {so_far}{waiting}")

    def finished(self, result: StreamResult) -> None:
        self._activities.pop(result.stream, None)
        self.say(describe_result(result))


class LiveProgress:
    """Streams under way as a table that stays at the bottom; finished ones scroll up above it."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._began_at = clock()
        self._activities: dict[str, _Activity] = {}

    def page(self, stream: str, *, fetched: int, requests: int, waited_seconds: float) -> None:
        now = self._clock()
        self._activities.setdefault(stream, _Activity(now, now)).add(fetched, requests, waited_seconds)

    def finished(self, result: StreamResult) -> None:
        self._activities.pop(result.stream, None)
        color = _COLORS.get(result.status, "default")
        self._console.print(f"[{color}]•[/] {escape(describe_result(result))}", soft_wrap=True)

    def __rich__(self) -> RenderableType:
        now = self._clock()
        activities = list(self._activities.items())
        if not activities:
            return Text(f"working for {duration(now - self._began_at)}", "dim")
        rows = [_row(stream, activity, now) for stream, activity in activities[:_MOST_LIVE_STREAMS]]
        numbers = ("rows", "requests", "waited", "for")
        running = table(("syncing", *numbers), rows, numbers=numbers)
        unseen = len(activities) - len(rows)
        return Group(running, Text(f"and {number_of(unseen, 'stream')} more", "dim")) if unseen else running


@dataclass(frozen=True)
class _Labelled:
    """Progress of one org among several: each stream is told with the org's name."""

    progress: Progress
    label: str

    def page(self, stream: str, *, fetched: int, requests: int, waited_seconds: float) -> None:
        self.progress.page(self._name(stream), fetched=fetched, requests=requests, waited_seconds=waited_seconds)

    def finished(self, result: StreamResult) -> None:
        self.progress.finished(replace(result, stream=self._name(result.stream)))

    def _name(self, stream: str) -> str:
        return f"{printable(self.label)} · {stream}"


@contextmanager
def shown_progress(names: Mapping[str, str]) -> Iterator[Callable[[str], Progress]]:
    """Progress on stderr, in the form that fits what stderr is; yields what makes the progress of one org by its id.

    names: of the orgs by id; one alone is not named.
    """
    console = messages()
    with _progress_on(console) as progress:
        yield lambda org_id: _Labelled(progress, names[org_id]) if len(names) > 1 else progress


@contextmanager
def _progress_on(console: Console) -> Iterator[Progress]:
    if not console.is_terminal:
        yield PlainProgress(lambda line: console.print(escape(line), soft_wrap=True))
        return
    progress = LiveProgress(console)
    with Live(progress, console=console, refresh_per_second=4, transient=True):
        yield progress


def describe_result(result: StreamResult) -> str:
    """`people.emails: 250 rows, 3 new, 1 changed, 3 requests, 1.2 s`; what did not happen is left out."""
    if result.status != "succeeded":
        return printable(f"{result.stream}: {result.status}{f' ({result.error})' if result.error else ''}")
    changes = {
        "new": result.inserted,
        "changed": result.updated,
        "deleted": result.deleted,
        "merged": result.merged,
        "quarantined": result.quarantined,
    }
    told = "".join(f", {count(number)} {what}" for what, number in changes.items() if number)
    return (
        f"{result.stream}: {number_of(result.fetched, 'row')}{told or ', nothing new'}, "
        f"{number_of(result.requests, 'request')}, {duration(result.seconds)}{_waiting(waited_of(result))}"
    )


def _row(stream: str, activity: _Activity, now: float) -> list[str]:
    return [
        stream,
        count(activity.rows),
        count(activity.requests),
        duration(activity.waited_seconds),
        duration(now - activity.started_at),
    ]


def waited_of(result: StreamResult) -> float:
    """Seconds of the stream's own time that went by in waiting: requests wait side by side, and are counted each."""
    return min(result.waited_seconds, result.seconds)


def _waiting(seconds: float) -> str:
    return f", {duration(seconds)} waited for the rate limit" if seconds >= 0.1 else ""
