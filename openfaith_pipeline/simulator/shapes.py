"""What follows from a declaration for the simulator: edges between records, includes, filters and orders."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, permutations
from typing import NamedTuple

from openfaith_pipeline.catalog.stream import ColumnType, Stream, snake
from openfaith_pipeline.simulator.relations import (
    Link,
    Relation,
    Target,
    Way,
    last_segment,
    relations_of,
    ways_of,
)

_TIMES = ("created_at", "updated_at")


@dataclass(frozen=True)
class Edge:
    """Many records reached from one: those whose `relation` is it, or through them, by `far`, others.

    is_single: at most one is.
    """

    name: str
    stream: str
    relation: str
    far: str | None = None
    is_offered: bool = False
    is_always_shown: bool = False
    is_single: bool = False


@dataclass(frozen=True)
class Shape:
    """A stream and what the simulator derives from it.

    sources: of records that their parents name, (stream, relation) that does; empty for all others.
    """

    stream: Stream
    relations: tuple[Relation, ...]
    ways: tuple[Way, ...]
    edges: Mapping[str, Edge]

    @cached_property
    def relation(self) -> Mapping[str, Relation]:
        return {relation.name: relation for relation in self.relations}

    @cached_property
    def owners(self) -> tuple[Relation, ...]:
        """The relations of which each record has one: that to its owner."""
        return tuple(relation for relation in self.relations if relation.is_owner)

    @cached_property
    def sources(self) -> tuple[tuple[str, str], ...]:
        """(stream, relation) of the parents that name these records, which do not name them; mostly none."""
        return tuple((way.parent, way.pointer) for way in self.ways if way.parent and way.pointer)

    def owner_of(self, relations: Mapping[str, Target | None]) -> tuple[Relation, Target] | None:
        """The owner of a record with these relations."""
        for owner in self.owners:
            target = relations.get(owner.name)
            if target:
                return owner, target
        return None

    @cached_property
    def shown(self) -> tuple[Relation, ...]:
        return tuple(relation for relation in self.relations if relation.is_shown)

    @cached_property
    def hidden(self) -> tuple[Relation, ...]:
        return tuple(relation for relation in self.relations if not relation.is_shown)

    @cached_property
    def links(self) -> Mapping[str, Link]:
        """The to-many relationships of the declaration."""
        asked = self.stream.asks_for
        return {name: Link(name, target, name in asked) for name, target in self.stream.has_many.items() if target}

    @cached_property
    def shown_links(self) -> tuple[Link, ...]:
        return tuple(link for link in self.links.values() if not link.is_asked)

    @cached_property
    def hidden_links(self) -> tuple[Link, ...]:
        return tuple(link for link in self.links.values() if link.is_asked)

    @cached_property
    def shown_edges(self) -> tuple[Edge, ...]:
        return tuple(edge for edge in self.edges.values() if edge.is_always_shown)

    @cached_property
    def merger(self) -> tuple[Relation, Relation] | None:
        """The keeping and the removed side, when records of this stream tell of merges."""
        roles = {relation.merger_role: relation for relation in self.relations}
        return (roles["keep"], roles["remove"]) if {"keep", "remove"} <= set(roles) else None

    @cached_property
    def is_human(self) -> bool:
        return {"first_name", "last_name"} <= set(self.stream.attributes)

    @cached_property
    def can_order_by(self) -> tuple[str, ...]:
        """Attributes `order` works on: a type's own timestamps only where the catalog has a cursor to order by."""
        return self._plain_attributes(has_times=bool(self.stream.cursor) and self.stream.is_cursor_orderable)

    @cached_property
    def can_query_by(self) -> tuple[str, ...]:
        """Attributes `where` works on: a type's own timestamps only where the catalog has a cursor to filter by."""
        return self._plain_attributes(has_times=bool(self.stream.cursor) and self.stream.is_cursor_filterable)

    def _plain_attributes(self, *, has_times: bool) -> tuple[str, ...]:
        plain = (name for name, kind in self.stream.attributes.items() if kind is not ColumnType.JSON)
        return tuple(name for name in plain if has_times or name not in _TIMES)

    @cached_property
    def can_include(self) -> tuple[str, ...]:
        offered = [name for name, edge in self.edges.items() if edge.is_offered]
        to_one = [relation.name for relation in self.relations if relation.is_asked or self._offers(relation)]
        return tuple(sorted({*offered, *to_one, *self.links}))

    def _offers(self, relation: Relation) -> bool:
        return relation.is_shown and relation.is_edge and not relation.is_owner and relation.target is not None

    @cached_property
    def type_words(self) -> str:
        return snake(self.stream.type)


class _Kin(NamedTuple):
    """A stream and how its records hang on others."""

    stream: Stream
    ways: tuple[Way, ...]
    relations: tuple[Relation, ...]


def shapes_of(streams: Mapping[str, Stream]) -> dict[str, Shape]:
    """The shape of every stream, by the stream's name."""
    kins: list[_Kin] = []
    for stream in streams.values():
        ways = ways_of(stream, streams)
        relations = relations_of(stream, streams, ways)
        kins.append(_Kin(stream, ways, tuple(relations)))
    edges: dict[str, dict[str, Edge]] = {name: {} for name in streams}
    ties = (found for kin in kins for found in _across(kin, streams))
    for start, edge in chain(ties, chain.from_iterable(map(_down, kins)), chain.from_iterable(map(_back, kins))):
        if edge.name not in (*streams[start].belongs_to, *streams[start].has_many):
            edges[start].setdefault(edge.name, edge)
    return {kin.stream.name: Shape(kin.stream, kin.relations, kin.ways, edges[kin.stream.name]) for kin in kins}


def _across(kin: _Kin, streams: Mapping[str, Stream]) -> Iterator[tuple[str, Edge]]:
    """From either side of a tie to the other, by the stream an edge starts at.

    A `HouseholdMembership` makes a Household list its people, as recorded.
    """
    if not _is_tie(kin):
        return
    for near, far in permutations(kin.relations, 2):
        if near.target and far.target:
            is_shown = near.is_owner and kin.stream.type == f"{streams[near.target].type}Membership"
            name = last_segment(streams[far.target].path)
            yield near.target, Edge(name, kin.stream.name, near.name, far.name, True, is_shown)


def _down(kin: _Kin) -> Iterator[tuple[str, Edge]]:
    """From parents to what is listed or included under them."""
    for way in kin.ways:
        if way.parent and way.relation:
            is_offered, is_single = bool(kin.stream.include), kin.stream.is_singleton
            yield way.parent, Edge(way.name, kin.stream.name, way.relation, None, is_offered, is_single=is_single)


def _back(kin: _Kin) -> Iterator[tuple[str, Edge]]:
    """From owners that records of a top-level listing are counted by, and from both sides of a tie, to the records."""
    name = last_segment(kin.stream.path)
    for relation in kin.relations:
        if relation.target and not kin.ways and relation.is_owner:
            yield relation.target, Edge(name, kin.stream.name, relation.name, is_offered=True)
        elif relation.target and relation.is_natural and _is_tie(kin):
            yield relation.target, Edge(name, kin.stream.name, relation.name)


def _is_tie(kin: _Kin) -> bool:
    """Whether the records do nothing but tie two others together: memberships."""
    targets = {relation.target for relation in kin.relations}
    is_walked = bool(kin.stream.placeholders) and not kin.stream.include
    is_pair = len(kin.relations) == len(targets) == 2 and None not in targets
    return is_walked and is_pair and kin.stream.type.endswith("Membership")
