"""Selection of orgs and streams by a verb's options."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Annotated

import typer

from openfaith_pipeline.catalog.source import Product
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.completion import complete_product, complete_stream
from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import UnknownStream, UsageError
from openfaith_pipeline.orgs.naming import find_org
from openfaith_pipeline.orgs.registry import Org, list_orgs
from openfaith_pipeline.sources import DEFAULT_SOURCE, PRODUCTS, STREAMS, streams_of_source
from openfaith_pipeline.sync.stream_selection import streams_between_polls, streams_due_for_reconcile


def product_named(name: str) -> Product:
    """The product that an option names."""
    if name not in PRODUCTS:
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(map(repr, PRODUCTS))}")
    return PRODUCTS[name]


EveryOrg = Annotated[bool, typer.Option("--all", help="Every connected org that is not paused.")]
Products = Annotated[
    list[Product] | None,
    typer.Option(
        "--product",
        "-p",
        metavar="PRODUCT",
        autocompletion=complete_product,
        parser=product_named,
        help="Only the streams of this product; may be repeated.",
    ),
]
StreamNames = Annotated[
    list[str] | None,
    typer.Option(
        "--stream",
        "-s",
        metavar="STREAM",
        autocompletion=complete_stream,
        help="Only this stream, such as people.emails; may be repeated.",
    ),
]


def choose_streams(products: Collection[Product], names: Collection[str]) -> tuple[Stream, ...]:
    """The streams of these products and of these names; the default source's if neither is given.

    Raises UnknownStream for one not there.
    """
    for name in names:
        if name not in STREAMS:
            raise UnknownStream(f"there is no stream {name!r}; {_hint(name)}")
    if not products and not names:
        return streams_of_source(DEFAULT_SOURCE.adapter)
    return tuple(stream for stream in STREAMS.values() if stream.product in products or stream.name in names)


def _hint(name: str) -> str:
    if name in PRODUCTS:
        return f"{name} is a product: --product {name}"
    near = get_close_matches(name, STREAMS, n=1)
    return f"did you mean {near[0]}?" if near else "`openfaith-pipeline catalog` lists the streams"


def choose_orgs(database: Database, names: Sequence[str], *, every_org: bool, doing: str = "sync") -> list[Org]:
    """The orgs named, or with `every_org` all that are not paused, those left out being named on stderr.

    UsageError if neither is given, or both, or no org is there.
    """
    if every_org == bool(names):
        raise UsageError(f"name the orgs to {doing}, or pass --all; `openfaith-pipeline org list` shows the orgs")
    with database.connect() as connection:
        if not every_org:
            return list({org.org_id: org for org in (find_org(connection, name) for name in names)}.values())
        orgs = list_orgs(connection)
    chosen = [org for org in orgs if org.paused_at is None]
    if not chosen:
        raise UsageError("no church is connected and not paused; see: openfaith-pipeline org add --help")
    _name_paused([org for org in orgs if org.paused_at])
    return chosen


def _name_paused(paused: Sequence[Org]) -> None:
    if paused:
        names = ", ".join(f"{org.name} ({org.org_id})" for org in paused)
        terminal.say(f"left out because they are paused: {names}; to resume one: openfaith-pipeline org resume ORG")


def choose_by_time(database: Database, orgs: Sequence[Org], period: timedelta | None) -> dict[str, list[Stream]]:
    """By org, the streams of a quick sync, or, with a period, those due in a rolling reconcile."""
    choices: dict[str, list[Stream]] = {}
    with database.connect() as connection:
        now = datetime.now(UTC)
        for org in orgs:
            if period:
                names = set(streams_due_for_reconcile(connection, org.org_id, period, now, DEFAULT_SOURCE.adapter))
            else:
                names = streams_between_polls(connection, org.org_id, now)
            own = streams_of_source(DEFAULT_SOURCE.adapter)
            choices[org.org_id] = [stream for stream in own if stream.name in names]
    return choices
