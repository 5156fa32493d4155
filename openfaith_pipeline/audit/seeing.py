"""What one look at the source showed: records by stream, and the rows that should be among them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from openfaith_pipeline.audit.looks import Look
from openfaith_pipeline.catalog.paths import fill_path
from openfaith_pipeline.catalog.stream import Strategy, Stream
from openfaith_pipeline.catalog.walk import Record, Route, id_of
from openfaith_pipeline.errors import PathNotFound
from openfaith_pipeline.planning_center.documents import Document
from openfaith_pipeline.planning_center.extract.around import Unread
from openfaith_pipeline.planning_center.extract.included import Answer, sort_records
from openfaith_pipeline.planning_center.extract.pages import Fetch, Listing, Tally, is_last, rows_of
from openfaith_pipeline.planning_center.extract.strategies import read_listing


class Scope(NamedTuple):
    """Rows of a stream of which the source has shown all records: `ids`.

    column, parents: only rows with one of these parents in the column; None for all rows.
    """

    stream: Stream
    ids: frozenset[str]
    column: str | None = None
    parents: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Sight:
    """records: by stream name. total: of the whole listing, at top level. is_whole: the look has shown all of it."""

    records: Mapping[str, Sequence[Record]]
    scopes: Sequence[Scope] = ()
    total: int | None = None
    is_whole: bool = False
    ids: frozenset[str] = field(default_factory=frozenset)


async def see(fetch: Fetch, look: Look) -> Sight:
    """Make the look's request. Raises as `fetch`."""
    return await (_see_children(fetch, look) if look.parent else _see_page(fetch, look))


async def _see_page(fetch: Fetch, look: Look) -> Sight:
    route = look.route
    if route.listing is Strategy.SINGLETON:
        document = await fetch(route.path, route.query)
        rows = [document.data] if isinstance(document.data, dict) else []
        return _sight(look, rows, document.included, len(rows), is_whole=True)
    document = await fetch(route.path, Listing(route.path, route.query).at(look.offset))
    rows = rows_of(document, route.path)
    is_whole = look.offset == 0 and is_last(document, rows) and not any(isinstance(row, Unread) for row in rows)
    return _sight(look, rows, document.included, _total(document), is_whole=is_whole)


def _total(document: Document) -> int | None:
    return document.total_count


async def _see_children(fetch: Fetch, look: Look) -> Sight:
    assert look.parent  # noqa: S101 - `see` has looked
    path = fill_path(look.route.path, look.parent.ids)
    rows: list[Any] = []
    included: list[Any] = []
    try:
        async with aclosing(read_listing(look.route, path, fetch, Tally(), start=None, state={})) as pieces:
            async for piece in pieces:
                rows += piece.rows
                included += piece.included
    except PathNotFound:
        # A single record that does not exist, or a parent that is gone; rows under it are requested one by one.
        rows, included = [], []
    return _sight(look, rows, included, None, is_whole=not any(isinstance(row, Unread) for row in rows))


def _sight(look: Look, rows: list[Any], included: list[Any], total: int | None, *, is_whole: bool) -> Sight:
    rows = [row for row in rows if not isinstance(row, Unread)]
    parents = look.parent.ids if look.parent else {}
    records = sort_records(look.route, look.walk.streams, Answer(rows, rows, included), parents)
    ids = frozenset(identifier for row in rows if (identifier := id_of(row)))
    scopes = [*_of_lead(look, ids, is_whole=is_whole), *_of_carried(look.route, [*rows, *included])]
    published = [each for each in scopes if each.stream in look.walk.streams]
    return Sight(records, published, total, is_whole, ids)


def _of_lead(look: Look, ids: frozenset[str], *, is_whole: bool) -> Iterator[Scope]:
    """The lead's own rows, where one listing shows all of them."""
    lead, routes = look.route.lead, [route for route in look.walk.routes if route.lead is look.route.lead]
    is_alone = sum(route.path == look.route.path for route in routes) == 1
    if not is_whole or not is_alone or look.route.refusal:
        return
    if look.parent is None:
        if len(routes) == 1:
            yield Scope(lead, ids)
        return
    inner = look.route.placeholders[-1]
    if f"{inner}_id" in lead.columns and inner in lead.belongs_to:
        yield Scope(lead, ids, f"{inner}_id", frozenset({look.parent.ids[inner]}))


def _of_carried(route: Route, shown: Sequence[Any]) -> Iterator[Scope]:
    """Rows of included streams under the records that name all of theirs."""
    for each in route.carried:
        column = f"{each.relationship}_id"
        if column not in each.stream.columns or each.stream.belongs_to.get(each.relationship) != each.parent.name:
            continue
        named = [found for row in shown if (found := _named(row, each.parent.type, each.name)) is not None]
        owners = frozenset(owner for owner, _ in named)
        if owners:
            yield Scope(each.stream, frozenset(child for _, ids in named for child in ids), column, owners)


def _named(row: Any, parent_type: str, name: str) -> tuple[str, list[str]] | None:
    """A record's id and the ids that its relationship names, None where the record does not show it."""
    owner = id_of(row)
    relationships = row.get("relationships") if isinstance(row, dict) and row.get("type") == parent_type else None
    linkage = relationships.get(name) if isinstance(relationships, dict) else None
    if owner is None or not isinstance(linkage, dict) or "data" not in linkage:
        return None
    data = linkage["data"] if isinstance(linkage["data"], list) else [linkage["data"]]
    return owner, [identifier for item in data if (identifier := id_of(item))]
