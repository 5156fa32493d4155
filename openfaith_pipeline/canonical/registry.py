"""The declarations put together: tables and relationships are derived from them, and contradictions are refused."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from types import MappingProxyType, ModuleType
from typing import Final, TypeVar, get_args

from openfaith_pipeline.canonical.model import (
    SAME_ID,
    Alias,
    Answers,
    Declaration,
    Edge,
    Entity,
    Field,
    Folder,
)
from openfaith_pipeline.canonical.relationships import (
    Relationship,
    is_listed_by_owner,
    is_named_by_owner,
    of_edge,
    of_entity,
)
from openfaith_pipeline.canonical.rules import Day, FirstOf, Integer32, Money, Phone, Reference, Rule, Take
from openfaith_pipeline.catalog.stream import ColumnType, Merging, Stream

_D = TypeVar("_D", bound=Declaration)


@dataclass(frozen=True)
class CanonicalColumn:
    """A column that declarations feed. default: used if the source has no value; the column is then not null.

    is_32_bit: of a whole number.
    """

    name: str
    kind: ColumnType
    default: str | bool | int | None
    is_32_bit: bool = False


@dataclass(frozen=True, eq=False)
class CanonicalTable:
    """`openfaith_<name>` and the declarations that make rows of it."""

    name: str
    tag: str
    entities: tuple[Entity, ...]
    columns: Mapping[str, CanonicalColumn]

    @property
    def adapters(self) -> tuple[str, ...]:
        """The sources that its rows are made of."""
        return tuple(dict.fromkeys(entity.stream.adapter for entity in self.entities))


@dataclass(frozen=True, eq=False)
class Merges:
    """A stream of mergers: which records of an entity were merged into which others."""

    stream: Stream
    merging: Merging
    entity: Entity


@dataclass(frozen=True, eq=False)
class Model:
    """Everything that the declarations say. Raises ValueError if they do not fit each other or their streams.

    entities: by stream, in declaration order; a folder is one.
    """

    entities: Mapping[str, Entity]
    edges: Mapping[str, Edge]
    fields: tuple[Field, ...]
    answers: tuple[Answers, ...]
    aliases: Mapping[str, Alias]
    streams: Mapping[str, Stream]

    def __post_init__(self) -> None:
        for problem in (*self._problems_of_streams(), *self._problems_of_rules(), *self._problems_of_fields()):
            raise ValueError(problem)
        for problem in self._problems_of_edges():
            raise ValueError(problem)
        _ = self.tables  # raises for types that do not agree

    @cached_property
    def known(self) -> Mapping[str, Entity]:
        """By stream, the entity that its records become; streams of aliases are included."""
        return {**self.entities, **{name: self.entities[alias.of.name] for name, alias in self.aliases.items()}}

    @cached_property
    def tables(self) -> Mapping[str, CanonicalTable]:
        """Tables by name, in declaration order."""
        names = dict.fromkeys(entity.table for entity in self.entities.values())
        return {name: _table(name, [e for e in self.entities.values() if e.table == name]) for name in names}

    @cached_property
    def relationships(self) -> tuple[Relationship, ...]:
        """Everything that refers to an entity: edges, and references in columns."""
        own = (each for entity in self.entities.values() for each in of_entity(entity, self.known))
        return (*own, *(each for edge in self.edges.values() for each in of_edge(edge, self.known)))

    @cached_property
    def merges(self) -> Mapping[str, Merges]:
        """Merges by the stream of the merged records."""
        mergers = ((stream, stream.merging) for stream in self.streams.values() if stream.merging)
        return {
            merging.target: Merges(stream, merging, self.entities[merging.target])
            for stream, merging in mergers
            if merging.target in self.entities
        }

    @property
    def declarations(self) -> tuple[Declaration, ...]:
        """All declarations; for a folder, its entity."""
        return (*self.entities.values(), *self.edges.values(), *self.fields, *self.answers, *self.aliases.values())

    @cached_property
    def adapters(self) -> tuple[str, ...]:
        """The sources that entities are declared for, in declaration order."""
        return tuple(dict.fromkeys(entity.stream.adapter for entity in self.entities.values()))

    def siblings(self, entity: Entity) -> list[Entity]:
        """The other entities of the same tag, of any source."""
        return [other for other in self.entities.values() if other.tag == entity.tag and other is not entity]

    def fields_on(self, stream: Stream) -> list[Field]:
        return [each for each in self.fields if each.on is stream]

    def answers_on(self, stream: Stream) -> list[Answers]:
        return [each for each in self.answers if each.on is stream]

    def sources_of(self, stream: Stream) -> Iterator[Stream]:
        """Every stream that can change the row or the edge made of a record of the stream."""
        yield stream
        for answers in self.answers_on(stream):
            yield from (answers.stream, answers.definitions)
        yield from (each.stream for each in self.fields_on(stream))
        if stream.name in self.merges:
            yield self.merges[stream.name].stream

    def _problems_of_streams(self) -> Iterator[str]:
        for name in self.entities.keys() & (self.edges.keys() | self.aliases.keys()) | (
            self.edges.keys() & self.aliases.keys()
        ):
            yield f"{name} is declared as two things"
        for name, alias in self.aliases.items():
            if alias.of.name not in self.entities:
                yield f"{name} stands for {alias.of.name}, which is not an entity"
        plain: dict[tuple[str, str], str] = {}
        for entity in self.entities.values():
            kind = entity.stream.adapter, entity.tag
            first = plain.setdefault(kind, entity.stream.name) if not entity.is_qualified else None
            if first and first != entity.stream.name:
                yield f"{entity.stream.name} and {first} both have plain ids of {entity.tag}: one needs is_qualified"

    def _problems_of_rules(self) -> Iterator[str]:
        for entity in self.entities.values():
            if sum(isinstance(rule, Phone) for rule in entity.columns.values()) > 1:
                yield f"{entity.stream.name} has two phone numbers: only one is worked out"
            for name, rule in entity.columns.items():
                yield from _problems_of(rule, entity.stream, f"{entity.table}.{name}")
            for key, streams in entity.names.items():
                yield from self._problems_of_names(entity, key, streams)
        for edge in self.edges.values():
            for name, rule in edge.metadata.items():
                yield from _problems_of(rule, edge.stream, f"metadata {name}")
        for each in self.fields:
            for name, rule in each.values.items():
                yield from _problems_of(rule, each.stream, f"field {name}")

    def _problems_of_names(self, entity: Entity, key: str, streams: Iterable[Stream]) -> Iterator[str]:
        if entity.stream.belongs_to.get(key, "") is not None:
            yield f"{entity.stream.name} has no polymorphic relationship {key!r}"
        for stream in streams:
            if stream.name not in self.known:
                yield f"{entity.stream.name} names records of {stream.name} by {key!r}, which are not entities"

    def _problems_of_edges(self) -> Iterator[str]:
        """Kinds of edges that share a key: an edge of one kind would have the metadata of the other."""
        kinds: dict[tuple[frozenset[str], str], Relationship] = {}
        for each in self.relationships:
            for type_ in each.types if each.is_edge else ():
                ends = frozenset((each.owner.stream.name, each.target.stream.name))
                first = kinds.setdefault((ends, type_), each)
                if first is not each and first.key != each.key and (first.edge or each.edge):
                    yield f"{first.key} and {each.key} are both {type_}: choose a name with an underscore"

    def _problems_of_fields(self) -> Iterator[str]:
        for each in self.fields:
            where = f"field {each.stream.name} on {each.on.name}"
            if each.on.name not in self.entities and each.on.name not in self.edges:
                yield f"{where}: {each.on.name} is neither an entity nor an edge"
            elif any(isinstance(rule, Reference | Phone) for rule in each.values.values()):
                yield f"{where}: a field's value can be no Reference and no Phone"
            elif not _has_way(each, self.aliases):
                yield f"{where}: {each.via!r} joins neither to the other"
            elif each.on.name in self.entities:
                taken = each.values.keys() & set(self.entities[each.on.name].unmapped_attributes)
                if taken:
                    yield f"{where}: attributes are called so already: {sorted(taken)}"


def model_of(modules: Iterable[ModuleType], streams: Mapping[str, Stream]) -> Model:
    """The declarations of the modules, in their order; raises ValueError if they do not fit."""
    kinds = get_args(Declaration)
    values = (value for module in modules for value in vars(module).values() if isinstance(value, kinds))
    found = list(dict.fromkeys(values))  # one module may import another's
    entities = [
        each.entity if isinstance(each, Folder) else each for each in found if isinstance(each, Entity | Folder)
    ]
    aliases = _by_stream(_only(found, Alias))
    return Model(
        entities=_by_stream(entities),
        edges=_by_stream(_only(found, Edge)),
        fields=tuple(_only(found, Field)),
        answers=tuple(_only(found, Answers)),
        aliases=aliases,
        streams=streams,
    )


def declaration_of(declared: Declaration) -> object:
    """The content of a declaration, with streams by name: equal declarations, and only those, have equal `repr`."""
    said = {name: value.name if isinstance(value, Stream) else value for name, value in vars(declared).items()}
    return type(declared).__name__, {field.name: said[field.name] for field in fields(declared)}


def _only(found: Iterable[object], kind: type[_D]) -> list[_D]:
    return [each for each in found if isinstance(each, kind)]


def _by_stream(declared: list[_D]) -> Mapping[str, _D]:
    by_stream = {each.stream.name: each for each in declared}
    if len(by_stream) != len(declared):
        raise ValueError("one stream is declared twice")
    return MappingProxyType(by_stream)


def _table(name: str, entities: list[Entity]) -> CanonicalTable:
    if len({entity.tag for entity in entities}) > 1:
        raise ValueError(f"{name} has several tags: {sorted({entity.tag for entity in entities})}")
    names = dict.fromkeys(column for entity in entities for column in entity.columns)
    return CanonicalTable(
        name, entities[0].tag, tuple(entities), {column: _column(name, column, entities) for column in names}
    )


def _column(table: str, name: str, entities: list[Entity]) -> CanonicalColumn:
    """Not null only where every stream of the table has a default for it."""
    rules = [(entity.columns[name], entity.stream) for entity in entities if name in entity.columns]
    kinds = {(kind_of(rule, stream), isinstance(rule, Integer32)) for rule, stream in rules}
    if len(kinds) > 1:
        raise ValueError(f"{table}.{name} has several types: {sorted(kinds)}")
    defaults = [rule.default for rule, _ in rules]
    is_required = len(rules) == len(entities) and None not in defaults
    kind, is_32_bit = kinds.pop()
    return CanonicalColumn(name, kind, defaults[0] if is_required else None, is_32_bit)


def kind_of(rule: Rule, stream: Stream) -> ColumnType:
    """The type of the rule's values."""
    match rule:
        case Take(attribute):
            return stream.attributes[attribute]
        case FirstOf(attributes):
            return stream.attributes[attributes[0]]
        case Money() | Integer32():
            return ColumnType.INTEGER
    return ColumnType.TEXT


_NEEDED: Final[Mapping[type, ColumnType]] = {
    Day: ColumnType.DATE,
    Money: ColumnType.INTEGER,
    Integer32: ColumnType.INTEGER,
}


def _problems_of(rule: Rule, stream: Stream, place: str) -> Iterator[str]:
    others = (getattr(rule, "attribute", None), getattr(rule, "also", None))
    unknown = {*rule.attributes, *(str(name) for name in others if name)} - stream.attributes.keys()
    if unknown:
        yield f"{place} takes attributes that {stream.name} does not have: {sorted(unknown)}"
    elif type(rule) in _NEEDED and stream.attributes[rule.attributes[0]] is not _NEEDED[type(rule)]:
        yield f"{place}: {rule.attributes[0]} of {stream.name} is not of type {_NEEDED[type(rule)].value}"
    if isinstance(rule, Reference) and rule.relationship not in stream.belongs_to:
        yield f"{place} refers to a relationship that {stream.name} does not have: {rule.relationship!r}"


def _has_way(each: Field, aliases: Mapping[str, Alias]) -> bool:
    if each.via == SAME_ID or is_named_by_owner(each) or is_listed_by_owner(each):
        return True
    if each.via not in each.stream.belongs_to:
        return False
    target = each.stream.belongs_to[each.via]
    return target in {None, each.on.name} or (target in aliases and aliases[str(target)].of is each.on)
