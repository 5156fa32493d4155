"""`catalog`: the streams that are synced, and their columns."""

from collections.abc import Iterable, Iterator
from typing import Any

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.words import Words, describe_columns, describe_table
from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.selection import Products, StreamNames, choose_streams


def show_catalog(
    products: Products = None,
    streams: StreamNames = None,
    as_json: terminal.JsonOption = False,
) -> None:
    """List the streams: their records, their path in Planning Center, how they are read, and their table.

    With --stream also the columns, and which of them are personal, financial or about health. --json has the columns of
    every stream that it lists.

    Examples:
      openfaith-pipeline catalog
      openfaith-pipeline catalog --stream people.emails
      openfaith-pipeline catalog --product people --json

    Exit codes: 0 listed; 2 wrong usage.
    """
    chosen = choose_streams(products or (), streams or ())
    if as_json:
        terminal.print_json([_describe(stream) for stream in chosen])
    elif streams:
        for stream in chosen:
            _show_columns(stream)
    else:
        _show_streams(chosen)


def _show_streams(chosen: Iterable[Stream]) -> None:
    columns = ("stream", "type", "path", "strategy", "table", "description")
    rows = ([str(_describe(stream)[column]) for column in columns] for stream in chosen)
    terminal.output().print(terminal.table(columns, rows, first_to_go=("description", "path", "type")))


def _show_columns(stream: Stream) -> None:
    described = _describe(stream)
    title = f"{stream.raw_table}: {described['description']} ({stream.strategy.value}, {stream.path})"
    columns = ("column", "type", "holds", "description")
    rows = ([each[column] or "" for column in columns] for each in described["columns"])
    terminal.output().print(terminal.table(columns, rows, title=title))


def _describe(stream: Stream) -> dict[str, Any]:
    return {
        "stream": stream.name,
        "product": stream.product.value,
        "type": stream.type,
        "description": describe_table(stream),
        "path": stream.path,
        "strategy": stream.strategy.value,
        "parents": list(stream.parents),
        "table": stream.raw_table,
        "columns": [_column(name, kind, words) for name, kind, words in _columns_of(stream)],
    }


def _columns_of(stream: Stream) -> Iterator[tuple[str, str, Words | None]]:
    """Each column of the raw table with its type and description; our own columns have no declared type."""
    words = describe_columns(stream)
    for name in {**words, **stream.columns}:
        kind = stream.columns.get(name)
        yield name, kind.value if kind else "", words.get(name)


def _column(name: str, kind: str, words: Words | None) -> dict[str, str | None]:
    return {
        "column": name,
        "type": kind or None,
        "holds": words.mark if words else None,
        "description": words.text if words else None,
    }
