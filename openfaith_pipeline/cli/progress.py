"""Progress of a running sync: a live display on a terminal, occasional plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from openfaith_pipeline.cli.outlook import Outlook, Watch, outlook_in_words
from openfaith_pipeline.cli.terminal import count, duration, messages, number_of, table
from openfaith_pipeline.database import Database
from openfaith_pipeline.sync.results import Progress, Silence, StreamResult
from openfaith_pipeline.text.printable import printable

_PLAIN_INTERVAL_SECONDS = 5.0
_MOST_LIVE_STREAMS = {False: 5, True: 15}
_BAR_WIDTH = 24
_COLORS = {"succeeded": "green", "failed": "red", "incomplete": "yellow", "withheld": "yellow", "unavailable": "yellow"}


@dataclass
class _Activity:
    """A stream in progress. Times are readings of the progress' own clock."""

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
    """Streams under way and total progress at the bottom; in verbose mode, finished streams scroll up above them."""

    def __init__(
        self, console: Console, clock: Callable[[], float] = time.monotonic, *, is_verbose: bool = False
    ) -> None:
        self._console = console
        self._clock = clock
        self._is_verbose = is_verbose
        self._began_at = clock()
        self._activities: dict[str, _Activity] = {}
        self.outlook: Outlook | None = None

    def page(self, stream: str, *, fetched: int, requests: int, waited_seconds: float) -> None:
        now = self._clock()
        self._activities.setdefault(stream, _Activity(now, now)).add(fetched, requests, waited_seconds)

    def finished(self, result: StreamResult) -> None:
        self._activities.pop(result.stream, None)
        if self._is_verbose:
            color = _COLORS.get(result.status, "default")
            self._console.print(f"[{color}]•[/] {escape(describe_result(result))}", soft_wrap=True)

    def __rich__(self) -> RenderableType:
        streams = self._streams()
        return Group(streams, self._whole()) if streams else self._whole()

    def _streams(self) -> RenderableType | None:
        now, most = self._clock(), _MOST_LIVE_STREAMS[self._is_verbose]
        activities = list(self._activities.items())
        if not activities:
            return None
        rows = [_row(stream, activity, now) for stream, activity in activities[:most]]
        numbers = ("rows", "requests", "waited", "for")
        running = table(("syncing", *numbers), rows, numbers=numbers)
        unseen = len(activities) - len(rows)
        return Group(running, Text(f"and {number_of(unseen, 'stream')} more", "dim")) if unseen else running

    def _whole(self) -> RenderableType:
        worked = f"working for {duration(self._clock() - self._began_at)}"
        if self.outlook is None:
            return Text(worked, "dim")
        line = Table.grid(padding=(0, 1))
        share = self.outlook.share
        bar = () if share is None else (ProgressBar(total=1.0, completed=share, width=_BAR_WIDTH),)
        line.add_row(*bar, Text(f"{outlook_in_words(self.outlook)}; {worked}"))
        return line


@dataclass(frozen=True)
class _Labelled:
    """Progress of one org among several: each stream is named with the org."""

    progress: Progress
    label: str

    def page(self, stream: str, *, fetched: int, requests: int, waited_seconds: float) -> None:
        self.progress.page(self._name(stream), fetched=fetched, requests=requests, waited_seconds=waited_seconds)

    def finished(self, result: StreamResult) -> None:
        self.progress.finished(replace(result, stream=self._name(result.stream)))

    def _name(self, stream: str) -> str:
        return f"{printable(self.label)} · {stream}"


@dataclass(frozen=True)
class Shown:
    """The progress of a sync on stderr. names: of the orgs by id; one alone is not named."""

    progress: Progress
    names: Mapping[str, str]
    watch: Watch

    def of(self, org_id: str) -> Progress:
        """Receives the progress of this org's streams."""
        return _Labelled(self.progress, self.names[org_id]) if len(self.names) > 1 else self.progress


@contextmanager
def shown_progress(database: Database, names: Mapping[str, str], *, is_verbose: bool = False) -> Iterator[Shown]:
    """Progress in the form that fits stderr. With `watch.follow` it also shows the progress of the whole sync."""
    console = messages()
    if not console.is_terminal:
        yield from _plain(database, console, names, is_verbose=is_verbose)
        return
    progress = LiveProgress(console, is_verbose=is_verbose)

    def show(outlook: Outlook) -> None:
        progress.outlook = outlook

    with (
        Watch(database, show) as watch,
        Live(progress, console=console, refresh_per_second=4, transient=True),
    ):
        yield Shown(progress, names, watch)


def _plain(database: Database, console: Console, names: Mapping[str, str], *, is_verbose: bool) -> Iterator[Shown]:
    def say(line: str) -> None:
        console.print(escape(line), soft_wrap=True)

    progress: Progress = PlainProgress(say) if is_verbose else Silence()

    def show(outlook: Outlook) -> None:
        say(outlook_in_words(outlook))

    with Watch(database, show, every_seconds=_PLAIN_INTERVAL_SECONDS) as watch:
        yield Shown(progress, names, watch)


def describe_result(result: StreamResult) -> str:
    """`people.emails: 250 rows, 3 new, 1 changed, 3 requests, 1.2 s`; zero counts are omitted."""
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
    """Seconds of the stream's duration spent waiting: concurrent requests each count their own waits."""
    return min(result.waited_seconds, result.seconds)


def _waiting(seconds: float) -> str:
    return f", {duration(seconds)} waited for the rate limit" if seconds >= 0.1 else ""
