"""Edges between records, derived from the declarations, and the includes, filters and orders that a stream supports."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, permutations
from typing import NamedTuple

from openfaith_pipeline.catalog.stream import ColumnType, Stream, snake
from openfaith_pipeline.planning_center.abilities import ABILITIES, Abilities
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
    """An edge from one record to many: to records whose `relation` points to it, or through these to others by `far`.

    is_single: to one at most.
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
    """A stream with the properties that the simulator derives.

    abilities: the parameters that its lists take; None if the reference lacks it. Then its lists filter and order by
    every plain attribute, by timestamps only as the declared cursor does, and include every relation.
    sources: (stream, relation) of the parents, for records named only by their parents; otherwise empty.
    """

    stream: Stream
    relations: tuple[Relation, ...]
    ways: tuple[Way, ...]
    edges: Mapping[str, Edge]
    abilities: Abilities | None = None

    @cached_property
    def relation(self) -> Mapping[str, Relation]:
        return {relation.name: relation for relation in self.relations}

    @cached_property
    def owners(self) -> tuple[Relation, ...]:
        """The alternative owner relations; each record has one of them."""
        return tuple(relation for relation in self.relations if relation.is_owner)

    @cached_property
    def sources(self) -> tuple[tuple[str, str], ...]:
        """(stream, relation) of the parents that name these records without being named by them; usually empty."""
        return tuple((way.parent, way.pointer) for way in self.ways if way.parent and way.pointer)

    def owner_of(self, relations: Mapping[str, Target | None]) -> tuple[Relation, Target] | None:
        """The owner in these relations of a record."""
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
        """Declared to-many relationships."""
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
        """Relations to the kept and the removed record, for a stream of mergers."""
        roles = {relation.merger_role: relation for relation in self.relations}
        return (roles["keep"], roles["remove"]) if {"keep", "remove"} <= set(roles) else None

    @cached_property
    def is_human(self) -> bool:
        return {"first_name", "last_name"} <= set(self.stream.attributes)

    @cached_property
    def can_order_by(self) -> tuple[str, ...]:
        """Names that `order` supports."""
        if self.abilities:
            return tuple(self.abilities.order.split())
        return self._plain_attributes(has_times=bool(self.stream.cursor) and self.stream.is_cursor_orderable)

    @cached_property
    def can_query_by(self) -> tuple[str, ...]:
        """Names that `where` supports."""
        if self.abilities:
            return tuple(self.abilities.query.split())
        return self._plain_attributes(has_times=bool(self.stream.cursor) and self.stream.is_cursor_filterable)

    def _plain_attributes(self, *, has_times: bool) -> tuple[str, ...]:
        plain = (name for name, kind in self.stream.attributes.items() if kind is not ColumnType.JSON)
        return tuple(name for name in plain if has_times or name not in _TIMES)

    @cached_property
    def can_filter(self) -> tuple[str, ...]:
        """Names that `filter` supports."""
        return tuple(self.abilities.filter.split()) if self.abilities else ()

    @cached_property
    def can_include(self) -> tuple[str, ...]:
        """Names that `include` supports."""
        return tuple(self.abilities.include.split()) if self.abilities else self._derived_includes

    @cached_property
    def includes(self) -> frozenset[str]:
        """Those of `can_include` that the simulated records have: the others bring nothing."""
        return frozenset(self.can_include) & frozenset(self._derived_includes)

    @cached_property
    def _derived_includes(self) -> tuple[str, ...]:
        offered = [name for name, edge in self.edges.items() if edge.is_offered]
        to_one = [relation.name for relation in self.relations if relation.is_asked or self._offers(relation)]
        return tuple(sorted({*offered, *to_one, *self.links}))

    def _offers(self, relation: Relation) -> bool:
        return relation.is_shown and relation.is_edge and not relation.is_owner and relation.target is not None

    def kind_of(self, name: str) -> ColumnType | None:
        """Type of the values that `where` and `order` compare; None if the simulated records have none of this name."""
        is_id = name == "id" or (name.endswith("_id") and name.removesuffix("_id") in self.relation)
        return self.stream.attributes.get(name) or (ColumnType.INTEGER if is_id else None)

    @cached_property
    def type_words(self) -> str:
        return snake(self.stream.type)


class _Kin(NamedTuple):
    """A stream and the relations of its records."""

    stream: Stream
    ways: tuple[Way, ...]
    relations: tuple[Relation, ...]


def shapes_of(streams: Mapping[str, Stream], abilities: Mapping[str, Abilities] = ABILITIES) -> dict[str, Shape]:
    """Shapes of all streams, by name. abilities: by name of the stream."""
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
    shapes = (Shape(kin.stream, kin.relations, kin.ways, edges[kin.stream.name]) for kin in kins)
    return {shape.stream.name: replace(shape, abilities=abilities.get(shape.stream.name)) for shape in shapes}


def _across(kin: _Kin, streams: Mapping[str, Stream]) -> Iterator[tuple[str, Edge]]:
    """Edges from either side of a tie to the other, with the stream where each starts.

    A `HouseholdMembership` lets a Household list its people, as recorded.
    """
    if not _is_tie(kin):
        return
    for near, far in permutations(kin.relations, 2):
        if near.target and far.target:
            is_shown = near.is_owner and kin.stream.type == f"{streams[near.target].type}Membership"
            name = last_segment(streams[far.target].path)
            yield near.target, Edge(name, kin.stream.name, near.name, far.name, True, is_shown)


def _down(kin: _Kin) -> Iterator[tuple[str, Edge]]:
    """Edges from parents to records listed or included under them."""
    for way in kin.ways:
        if way.parent and way.relation:
            is_offered, is_single = bool(kin.stream.carried_as), kin.stream.is_singleton
            yield way.parent, Edge(way.name, kin.stream.name, way.relation, None, is_offered, is_single=is_single)


def _back(kin: _Kin) -> Iterator[tuple[str, Edge]]:
    """Edges to records from the owners that determine their number, and from both sides of a tie."""
    name = last_segment(kin.stream.path)
    for relation in kin.relations:
        if relation.target and not kin.ways and relation.is_owner:
            yield relation.target, Edge(name, kin.stream.name, relation.name, is_offered=True)
        elif relation.target and relation.is_natural and _is_tie(kin):
            yield relation.target, Edge(name, kin.stream.name, relation.name)


def _is_tie(kin: _Kin) -> bool:
    """Whether the records only join two others, like memberships."""
    targets = {relation.target for relation in kin.relations}
    is_walked = bool(kin.stream.placeholders) and not kin.stream.carried_as
    is_pair = len(kin.relations) == len(targets) == 2 and None not in targets
    return is_walked and is_pair and kin.stream.type.endswith("Membership")
