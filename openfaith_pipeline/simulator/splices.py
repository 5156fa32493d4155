"""Relationships that `include=` adds to listed objects, spliced into their encoded bytes.

Most includes of a sync are of relationships that a record does not show by itself, page after page; encoding every
record again would make the simulator ten times slower.
"""

from collections.abc import Callable, Sequence

import orjson

from openfaith_pipeline.simulator.church import Church
from openfaith_pipeline.simulator.records import Hidden
from openfaith_pipeline.simulator.relations import Link, Relation, Target
from openfaith_pipeline.simulator.shapes import Edge
from openfaith_pipeline.simulator.tables import Table

_LINKS = b',"links":{"self":'
"""The bytes that follow the relationships of a listed object."""

Adder = Callable[[int, Hidden], bytes]
"""(id, parts that lists do not show) -> `"name":{...}`."""
Find = Callable[[Target], object]


def adders_of(church: Church, table: Table, names: Sequence[str], find: Find) -> list[Adder] | None:
    """Functions that add each named relationship; None if one would change a relationship that is already shown.

    find: called with each target, possibly more than once.
    """
    shape = table.shape
    shown = {each.name for each in shape.shown} | {each.name for each in shape.shown_links}
    if shape.shown_edges or shown & set(names):
        return None
    return [_adder(church, table, name, find) for name in names if name in shape.includes]


def splice(table: Table, id: int, fragment: bytes, adders: Sequence[Adder]) -> bytes:
    """A listed object with added relationships."""
    if not adders:
        return fragment
    hidden = table.hidden(id)
    additions = b",".join([add(id, hidden) for add in adders])
    place = fragment.rindex(_LINKS)
    if table.shape.shown or table.shape.shown_links:
        return b"".join((fragment[: place - 1], b",", additions, b"}", fragment[place:]))
    return b"".join((fragment[:place], b',"relationships":{', additions, b"}", fragment[place:]))


def _adder(church: Church, table: Table, name: str, find: Find) -> Adder:
    shape = table.shape
    if name in shape.edges:
        return _edge_adder(church, table, shape.edges[name], find)
    if name in shape.links:
        return _link_adder(table, shape.links[name], find)
    return _relation_adder(church, table, shape.relation[name], find)


def _relation_adder(church: Church, table: Table, relation: Relation, find: Find) -> Adder:
    place = table.shape.hidden.index(relation)
    known: dict[object, bytes] = {}

    def add(_: int, hidden: Hidden) -> bytes:
        target: Target | None = hidden[place]  # type: ignore[assignment]
        written = known.get(target)
        if written is None:
            url = church.url_of(target)
            if target and url:
                find(target)
            relationship = {"links": {"related": url}, "data": table.codec.identifier(relation, target)}
            written = known[target] = _named(relation.name, relationship)
        return written

    return add


def _link_adder(table: Table, link: Link, find: Find) -> Adder:
    place = len(table.shape.hidden) + table.shape.hidden_links.index(link)

    def add(id: int, hidden: Hidden) -> bytes:
        ids: tuple[int, ...] = hidden[place]  # type: ignore[assignment]
        for each in ids:
            find((link.target, each))
        related = f"{table.own_url(id)}/{link.name}"
        return _named(link.name, {"links": {"related": related}, "data": table.codec.identifiers(link, ids)})

    return add


def _edge_adder(church: Church, table: Table, edge: Edge, find: Find) -> Adder:
    name, end = table.shape.stream.name, church.end_of(edge)
    kind = church.shapes[end].stream.type

    def add(id: int, _: Hidden) -> bytes:
        ids = church.linked(edge, (name, id))
        for each in ids:
            find((end, each))
        named = ",".join([f'{{"type":"{kind}","id":"{each}"}}' for each in ids])
        data = (named or "null") if edge.is_single else f"[{named}]"
        return f'"{edge.name}":{{"links":{{"related":"{table.own_url(id)}/{edge.name}"}},"data":{data}}}'.encode()

    return add


def _named(name: str, relationship: object) -> bytes:
    return orjson.dumps({name: relationship})[1:-1]
