"""Result of one look at the source: its records by stream, and the rows expected among them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from openfaith_pipeline.audit.looks import Look
from openfaith_pipeline.catalog.reading import Shown
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk import Record, Route, id_of


class Scope(NamedTuple):
    """Rows of a stream for which the source has shown all records: `ids`.

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


def sight_of(look: Look, shown: Shown) -> Sight:
    """Records and scopes of a look."""
    ids = frozenset(identifier for row in shown.rows if (identifier := id_of(row)))
    scopes = [
        *_of_lead(look, ids, is_whole=shown.is_whole),
        *_of_carried(look.route, [*shown.rows, *shown.included]),
    ]
    published = [each for each in scopes if each.stream in look.walk.streams]
    return Sight(shown.records, published, shown.total, shown.is_whole, ids)


def _of_lead(look: Look, ids: frozenset[str], *, is_whole: bool) -> Iterator[Scope]:
    """The scope of the lead's own rows, if one listing shows all of them."""
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
    """Scopes of included streams: their rows under the records that name all of their included ones."""
    for each in route.carried:
        column = f"{each.relationship}_id"
        if column not in each.stream.columns or each.stream.belongs_to.get(each.relationship) != each.parent.name:
            continue
        named = [found for row in shown if (found := _named(row, each.parent.type, each.name)) is not None]
        owners = frozenset(owner for owner, _ in named)
        if owners:
            yield Scope(each.stream, frozenset(child for _, ids in named for child in ids), column, owners)


def _named(row: Any, parent_type: str, name: str) -> tuple[str, list[str]] | None:
    """A record's id and the ids that its relationship names, None if the record does not show it."""
    owner = id_of(row)
    relationships = row.get("relationships") if isinstance(row, dict) and row.get("type") == parent_type else None
    linkage = relationships.get(name) if isinstance(relationships, dict) else None
    if owner is None or not isinstance(linkage, dict) or "data" not in linkage:
        return None
    data = linkage["data"] if isinstance(linkage["data"], list) else [linkage["data"]]
    return owner, [identifier for item in data if (identifier := id_of(item))]
