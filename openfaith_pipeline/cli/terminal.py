"""Output for people and programs: results on stdout, messages and progress on stderr."""

import getpass
import os
import sys
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from io import TextIOWrapper
from typing import IO, Annotated, Any

import orjson
import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.segment import Segment

from openfaith_pipeline.cli.listing import Listing
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.text import exact_json
from openfaith_pipeline.text.printable import printable, printable_json

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Show every stream, as it ends and at the end.")]
DagsterLogOption = Annotated[bool, typer.Option("--dagster-log", help="Show Dagster's own log on stderr.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

_WIDTH_OF_A_PIPE = 400  # tables take the width they need; a file has no edge to cut them at


class _Console(Console):
    """Prints untrusted text without control sequences: only its own styles reach the terminal.

    A reader that has gone away, such as `head`, ends nothing: later output is dropped.
    """

    def print(self, *objects: Any, crop: bool = False, **options: Any) -> None:
        """Print as Console does, but do not cut lines that are wider than the terminal."""
        super().print(*objects, crop=crop, **options)

    def on_broken_pipe(self) -> None:
        drop_output(self.file)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=_fit(segment.text))


def drop_output(file: IO[str]) -> None:
    """Discard all further output to the file, and its buffer."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, file.fileno())
    os.close(nowhere)


def _fit(text: str) -> str:
    return "\n".join(map(printable, text.split("\n")))


def output() -> Console:
    """Console for results."""
    console = _Console(highlight=False)
    return console if console.is_terminal else _Console(highlight=False, width=_WIDTH_OF_A_PIPE)


def messages() -> Console:
    """Console for everything else."""
    console = _Console(stderr=True, highlight=False)
    return console if console.is_terminal else _Console(stderr=True, highlight=False, width=_WIDTH_OF_A_PIPE)


def allow_any_text() -> None:
    """Let stdout and stderr print replacement characters where their encoding lacks a character."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def say(message: str) -> None:
    """Print one message on stderr, never wrapped, so that it can be searched for."""
    messages().print(escape(printable(message)), soft_wrap=True)


def complain(message: str) -> None:
    messages().print(f"[bold red]error:[/] {escape(printable(message))}", soft_wrap=True)


def report(result: str) -> None:
    """Print one line of a result on stdout."""
    output().print(printable(result), markup=False, soft_wrap=True)


def confirm(question: str) -> None:
    """Go on only if the person says yes; UsageError if nobody can, which names the option that does."""
    try:
        is_wanted = typer.confirm(printable(question), err=True)
    except typer.Abort:
        if sys.stdin.isatty():
            raise
        raise UsageError(f"{question} There is no terminal to answer on: pass --yes") from None
    if not is_wanted:
        raise typer.Abort


def who() -> str:
    """The user of this machine who decides; a container may run as one without a name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # the second since Python 3.13
        return f"uid {os.getuid()}"


def print_json(document: Any) -> None:
    text = orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z, default=_plain).decode()
    try:
        typer.echo(printable_json(text).encode())
    except BrokenPipeError:
        drop_output(sys.stdout)


def _plain(value: Any) -> Any:
    return orjson.Fragment(exact_json.digits_of(value)) if isinstance(value, Decimal) else str(value)


def json_line(document: Any) -> str:
    """JSON on one line."""
    return printable_json(orjson.dumps(document, option=orjson.OPT_UTC_Z, default=_plain).decode())


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    title: str | None = None,
    numbers: Collection[str] = (),
    first_to_go: Sequence[str] = (),
) -> Listing:
    """A table of plain text. The columns named in `numbers` are aligned to the right.

    first_to_go: on a narrow terminal these are left out, in this order, before the others are wrapped.
    """
    heading = printable(title) if title else None
    return Listing(columns, [[printable(cell) for cell in row] for row in rows], heading, numbers, first_to_go)


def count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def number_of(number: int, noun: str) -> str:
    """`1 row`, `1,200 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min 20 s`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def rough_duration(seconds: float) -> str:
    """For estimates and ages: `40 s`, `3 min`, `5 h`, `2 days`."""
    for size, unit, least in ((86400, "day", 2), (3600, "h", 2), (60, "min", 2)):
        if seconds >= size * least:
            number = round(seconds / size)
            return f"{number} {unit}{'s' if unit == 'day' else ''}"
    return f"{max(0, seconds):.0f} s"


def moment(value: datetime | None) -> str:
    """Local time to the minute with its zone; empty when it never happened."""
    return value.astimezone().strftime("%Y-%m-%d %H:%M %Z") if value else ""


def moment_and_age(value: datetime | None) -> str:
    """`2026-03-04 05:06 CET, 3 h ago`; empty when it never happened."""
    return f"{moment(value)}, {age(value)}" if value else ""


def age(value: datetime) -> str:
    """`3 h ago`."""
    return f"{rough_duration((datetime.now(UTC) - value).total_seconds())} ago"
