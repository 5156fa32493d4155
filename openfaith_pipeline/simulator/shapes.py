"""What follows from a declaration for the simulator: relations, owners, edges, includes, filters and orders.

The declarations say which relations a type has, not which of them Planning Center offers where. The rules here are
those that give the recorded responses: a list shows its to-one relationships except those its path already names;
a record can include what belongs to it, and what it refers to unless it belongs to that.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from openfaith_pipeline.catalog import ColumnType, Stream

# Recorded: this relationship's type is its own name in CamelCase, not the type of the resource it points to.
_RELATIONSHIP_TYPES = {"primary_campus": "PrimaryCampus"}
_MERGER = re.compile(r"(\w+)_to_(keep|remove)")


def snake(type_name: str) -> str:
    """`FieldDatum` -> `field_datum`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type_name).lower()


@dataclass(frozen=True)
class Relation:
    """A to-one relation of a stream's records.

    target: stream it points to, None when polymorphic (a polymorphic owner has what its records are counted by).
    is_shown: part of a listed record. is_declared: in the catalog (an owner that the type does not name is not).
    is_owner: records are made and listed under it. is_natural: named after its target's type (`person` -> Person).
    """

    name: str
    target: str | None
    is_shown: bool
    is_declared: bool
    is_owner: bool
    is_natural: bool
    is_polymorphic: bool = False

    @property
    def merger_role(self) -> str | None:
        """`keep` or `remove` for the two relations of a merger record."""
        match = _MERGER.fullmatch(self.name)
        return match.group(2) if match else None

    @property
    def is_cascading(self) -> bool:
        """Whether deleting the target deletes the record too; otherwise the relation is emptied."""
        return self.is_natural or (self.is_owner and self.is_polymorphic)

    @property
    def is_edge(self) -> bool:
        """Whether `/<record>/<name>` leads to the target."""
        return not self.merger_role and (self.is_natural or not self.is_owner)

    def type_of(self, target: "Shape") -> str:
        """JSON:API type in the relationship object."""
        return _RELATIONSHIP_TYPES.get(self.name, target.stream.type)


@dataclass(frozen=True)
class Edge:
    """Many records reached from one: those whose `relation` is it, or through them, by `far`, others."""

    name: str
    stream: str
    relation: str
    far: str | None = None
    is_offered: bool = False
    is_always_shown: bool = False


@dataclass(frozen=True)
class Shape:
    """A stream and what the simulator derives from it."""

    stream: Stream
    relations: tuple[Relation, ...]
    edges: Mapping[str, Edge]

    @cached_property
    def relation(self) -> Mapping[str, Relation]:
        return {relation.name: relation for relation in self.relations}

    @cached_property
    def owner(self) -> Relation | None:
        return next((relation for relation in self.relations if relation.is_owner), None)

    @cached_property
    def shown(self) -> tuple[Relation, ...]:
        return tuple(relation for relation in self.relations if relation.is_shown)

    @cached_property
    def hidden(self) -> tuple[Relation, ...]:
        return tuple(relation for relation in self.relations if not relation.is_shown)

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
        return tuple(name for name, kind in self.stream.attributes.items() if kind is not ColumnType.JSON)

    @cached_property
    def can_query_by(self) -> tuple[str, ...]:
        """Attributes `where` works on: a type's own timestamps only where the catalog has a filterable cursor."""
        has_times = bool(self.stream.cursor) and self.stream.is_cursor_filterable
        return tuple(name for name in self.can_order_by if has_times or name not in ("created_at", "updated_at"))

    @cached_property
    def can_include(self) -> tuple[str, ...]:
        offered = [name for name, edge in self.edges.items() if edge.is_offered]
        to_one = [
            relation.name
            for relation in self.relations
            if relation.is_edge and not relation.is_owner and relation.target and relation.is_shown
        ]
        return tuple(sorted({*offered, *to_one}))

    @cached_property
    def type_words(self) -> str:
        return snake(self.stream.type)


def shapes_of(streams: Mapping[str, Stream], *, is_hiding_parents: bool = False) -> dict[str, Shape]:
    """The shape of every stream, by the stream's name."""
    relations = {name: tuple(_relations(stream, streams, is_hiding_parents)) for name, stream in streams.items()}
    edges: dict[str, dict[str, Edge]] = {name: {} for name in streams}
    for name, stream in streams.items():
        for target, edge in _joins(stream, relations[name], streams):
            edges[target].setdefault(edge.name, edge)
    for name, stream in streams.items():
        for relation in relations[name]:
            if relation.target and _is_reverse_edge(relation, stream):
                edge = _reverse(stream, relation)
                edges[relation.target].setdefault(edge.name, edge)
    return {name: Shape(stream, relations[name], edges[name]) for name, stream in streams.items()}


def _relations(stream: Stream, streams: Mapping[str, Stream], is_hiding_parents: bool) -> Iterable[Relation]:
    owner = _owner_name(stream, streams)
    for name, target in stream.belongs_to.items():
        is_from_include = bool(stream.include) and name == stream.placeholders[-1] and not is_hiding_parents
        yield Relation(
            name,
            target or (stream.population.per if name == owner else None),
            is_shown=name not in stream.placeholders or is_from_include,
            is_declared=True,
            is_owner=name == owner,
            is_natural=name in stream.placeholders or bool(target and name == snake(streams[target].type)),
            is_polymorphic=target is None,
        )
    per = stream.population.per
    if owner is None and per is not None and per in streams:
        yield Relation(snake(streams[per].type), per, False, False, True, True)


def _owner_name(stream: Stream, streams: Mapping[str, Stream]) -> str | None:
    """Relation whose target's records own this stream's: the path's parent, else what the population counts by."""
    if stream.placeholders:
        return stream.placeholders[-1]
    per = stream.population.per
    if per is None or per not in streams:
        return None
    natural = snake(streams[per].type)
    targets = stream.belongs_to
    candidates = [name for name, target in targets.items() if target == per]
    candidates.sort(key=lambda name: name != natural)
    return next(iter(candidates), next((name for name, target in targets.items() if target is None), None))


def _is_reverse_edge(relation: Relation, stream: Stream) -> bool:
    return not relation.merger_role and (relation.is_owner or relation.is_natural) and not stream.is_singleton


def _reverse(stream: Stream, relation: Relation) -> Edge:
    is_walked = bool(stream.placeholders) and not stream.include
    name = stream.include if stream.include and relation.is_owner else _last_segment(stream)
    return Edge(name, stream.name, relation.name, is_offered=relation.is_owner and not is_walked)


def _last_segment(stream: Stream) -> str:
    return stream.path.rstrip("/").rsplit("/", 1)[-1]


def _joins(
    stream: Stream, relations: tuple[Relation, ...], streams: Mapping[str, Stream]
) -> Iterable[tuple[str, Edge]]:
    """Edges through a walked stream that does nothing but tie two others together (memberships).

    The side it is walked under always lists the other side's records, as recorded for households and their people.
    """
    targets = [relation.target for relation in relations]
    is_join = bool(stream.placeholders) and not stream.include and not stream.cursor
    if not is_join or len(relations) != 2 or None in targets or len(set(targets)) != 2:
        return
    for near, far in (relations, relations[::-1]):
        if near.target and far.target:
            name = _last_segment(streams[far.target])
            yield near.target, Edge(name, stream.name, near.name, far.name, True, near.is_owner)
