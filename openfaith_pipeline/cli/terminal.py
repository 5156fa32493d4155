"""What a person or a program reads: results on stdout, messages and progress on stderr."""

import sys
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from io import TextIOWrapper
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from openfaith_pipeline import exact_json
from openfaith_pipeline.printable import printable, printable_json

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Show Dagster's own log on stderr.")]

_WIDTH_OF_A_PIPE = 400  # tables take what they need; a file has no edge to cut them at


class _Console(Console):
    """Lets no text from outside command the terminal: of what it prints only the styles are its own."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=_fit(segment.text))


def _fit(text: str) -> str:
    return "\n".join(map(printable, text.split("\n")))


def output() -> Console:
    """Where results go."""
    console = _Console(highlight=False)
    return console if console.is_terminal else _Console(highlight=False, width=_WIDTH_OF_A_PIPE)


def messages() -> Console:
    """Where everything else goes."""
    console = _Console(stderr=True, highlight=False)
    return console if console.is_terminal else _Console(stderr=True, highlight=False, width=_WIDTH_OF_A_PIPE)


def allow_any_text() -> None:
    """Have stdout and stderr print replacement characters for what their encoding does not have."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def say(message: str) -> None:
    """One message to the person, never wrapped so that it can be searched for."""
    messages().print(escape(printable(message)), soft_wrap=True)


def complain(message: str) -> None:
    messages().print(f"[bold red]error:[/] {escape(printable(message))}", soft_wrap=True)


def report(result: str) -> None:
    """One line of a result, on stdout."""
    output().print(printable(result), markup=False, soft_wrap=True)


def confirm(question: str) -> None:
    """Go on only if the person says yes."""
    typer.confirm(printable(question), abort=True, err=True)


def print_json(document: Any) -> None:
    text = orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z, default=_plain).decode()
    typer.echo(printable_json(text).encode())


def _plain(value: Any) -> Any:
    return orjson.Fragment(exact_json.digits_of(value)) if isinstance(value, Decimal) else str(value)


def json_line(document: Any) -> str:
    """JSON on one line."""
    return printable_json(orjson.dumps(document, option=orjson.OPT_UTC_Z, default=_plain).decode())


def table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, title: str | None = None, numbers: Collection[str] = ()
) -> Table:
    """A table of plain text; the columns named in `numbers` are aligned to the right."""
    heading = Text(printable(title), "bold") if title else None
    filled = Table(title=heading, title_justify="left", box=None, pad_edge=False, header_style="dim")
    for column in columns:
        filled.add_column(column, justify="right" if column in numbers else "left", no_wrap=column in numbers)
    for row in rows:
        filled.add_row(*(Text(printable(cell)) for cell in row))
    return filled


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


def moment(value: datetime | None) -> str:
    """Local time to the minute; empty when it never happened."""
    return value.astimezone().strftime("%Y-%m-%d %H:%M") if value else ""
