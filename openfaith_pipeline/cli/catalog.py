"""`catalog`: the streams that are synced."""

from typing import Annotated

import typer

from openfaith_pipeline.catalog.source import Product
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.cli import terminal
from openfaith_pipeline.sources import PRODUCTS, STREAMS


def product_named(name: str) -> Product:
    """The product that an option names."""
    if name not in PRODUCTS:
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(map(repr, PRODUCTS))}")
    return PRODUCTS[name]


def show_catalog(
    product: Annotated[
        list[Product] | None,
        typer.Option(
            "--product", "-p", metavar="PRODUCT", parser=product_named, help="Only this product; may be repeated."
        ),
    ] = None,
    as_json: terminal.JsonOption = False,
) -> None:
    """List the streams: their path in Planning Center, how they are read, and their table.

    Examples:
      openfaith-pipeline catalog
      openfaith-pipeline catalog --product people --json

    Exit codes: 0 listed; 2 wrong usage.
    """
    described = [_describe(stream) for stream in STREAMS.values() if not product or stream.product in product]
    if as_json:
        terminal.print_json(described)
        return
    columns = ("stream", "type", "path", "strategy", "table")
    rows = ([stream[column] for column in columns] for stream in described)
    terminal.output().print(terminal.table(columns, rows))


def _describe(stream: Stream) -> dict[str, str]:
    return {
        "stream": stream.name,
        "product": stream.product.value,
        "type": stream.type,
        "path": stream.path,
        "strategy": stream.strategy.value,
        "table": stream.raw_table,
    }
