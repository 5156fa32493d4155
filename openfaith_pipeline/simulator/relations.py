"""Relations between the records of streams, derived from the declarations.

A record shows exactly the relations that its declaration says it shows: not those that need an `include`, nor those
known only from a path or the parent's linkage (`Stream.unshown`), nor those that the path of its listing already names.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from openfaith_pipeline.catalog.placeholders import placeholders_of
from openfaith_pipeline.catalog.stream import Stream, snake

Target = tuple[str, int]
"""A stream's name and the id of one of its records."""

_MERGER = re.compile(r"(\w+)_to_(keep|remove)")


def shown_type(relationship: str, target: Stream) -> str:
    """JSON:API type with which a relationship names its target: an alias if the relationship has its name."""
    return next((alias for alias in target.aliases if snake(alias) == relationship), target.type)


@dataclass(frozen=True)
class Relation:
    """A to-one relation of a stream's records.

    target: the stream it points to, None when polymorphic (a polymorphic owner has the stream that determines the
    counts).
    is_shown: part of a listed record. is_asked: shown only with `include=`. is_declared: in the catalog (an owner that
    the type does not name is not). is_owner: records are made and listed under it; where a stream has several, each
    record has one of them. is_natural: named after its target's type (`person` -> Person). is_pointer: the only way to
    its target, which does not name its parent.
    """

    name: str
    target: str | None
    is_shown: bool = False
    is_declared: bool = True
    is_owner: bool = False
    is_natural: bool = False
    is_polymorphic: bool = False
    is_asked: bool = False
    is_pointer: bool = False

    @property
    def merger_role(self) -> str | None:
        """`keep` or `remove` for the two relations of a merger record."""
        match = _MERGER.fullmatch(self.name)
        return match.group(2) if match else None

    @property
    def is_cascading(self) -> bool:
        """Whether deleting the target also deletes the record; otherwise the relation becomes empty."""
        is_part = self.is_natural and not self.is_asked and not self.is_pointer
        return is_part or (self.is_owner and self.is_polymorphic)

    @property
    def is_edge(self) -> bool:
        """Whether `/<record>/<name>` leads to the target."""
        return self.is_declared and not self.merger_role and (self.is_natural or not self.is_owner)


@dataclass(frozen=True)
class Link:
    """A to-many relationship of a stream's records; is_asked: shown only with `include=`."""

    name: str
    target: str
    is_asked: bool


@dataclass(frozen=True)
class Way:
    """A path under parents that reaches part of a stream's records.

    parent: stream of the path's innermost placeholder. relation: from the record to its parent.
    pointer: if the parent names the record instead, its relation to the record; then relation is None. Both are None
    for a top-level listing.
    """

    path: str
    parent: str | None
    relation: str | None
    pointer: str | None

    @property
    def placeholders(self) -> tuple[str, ...]:
        return placeholders_of(self.path)

    @property
    def name(self) -> str:
        """The last segment of the path: `resources`."""
        return last_segment(self.path)


def last_segment(path: str) -> str:
    return path.rstrip("/").rsplit("/", 1)[-1]


def ways_of(stream: Stream, streams: Mapping[str, Stream]) -> tuple[Way, ...]:
    """The paths that together reach every record; empty if a single top-level listing does."""
    ways = tuple(_way(stream, path, streams) for path in stream.paths(is_path_absent=True))
    return ways if any(way.parent for way in ways) else ()


def _way(stream: Stream, path: str, streams: Mapping[str, Stream]) -> Way:
    parent = stream.parent_of(path)
    if not parent:
        return Way(path, None, None, None)
    innermost, name = placeholders_of(path)[-1], last_segment(path)
    if innermost in stream.walked_under and streams[parent].belongs_to.get(name) == stream.name:
        return Way(path, parent, None, name)
    return Way(path, parent, innermost, None)


def relations_of(stream: Stream, streams: Mapping[str, Stream], ways: tuple[Way, ...]) -> Iterator[Relation]:
    """To-one relations of a stream's records: the declared ones, then unnamed ones to parents in its paths."""
    counted_by = None if ways else _counted_by(stream, streams)
    owners = {way.relation for way in ways if way.relation} | ({counted_by} if counted_by else set())
    unshown = {*stream.placeholders, *stream.unshown, *stream.asks_for}
    for name, target in stream.belongs_to.items():
        if name in stream.seldom:
            continue
        yield Relation(
            name,
            target or (stream.population.per if name in owners else None),
            is_shown=name not in unshown,
            is_owner=name in owners,
            is_natural=_is_natural(name, streams[target] if target else None, ways),
            is_polymorphic=target is None,
            is_asked=name in stream.asks_for,
            is_pointer=target is not None and any(way.pointer == name for way in ways_of(streams[target], streams)),
        )
    unnamed = (name for way in ways if way.relation for name in way.placeholders if name in stream.walked_under)
    for name in dict.fromkeys(unnamed):
        yield Relation(name, stream.walked_under[name], is_declared=False, is_owner=name in owners, is_natural=True)
    per = stream.population.per
    if per is not None and per in streams and not ways and not counted_by:
        yield Relation(snake(streams[per].type), per, is_declared=False, is_owner=True, is_natural=True)


def _is_natural(name: str, target: Stream | None, ways: tuple[Way, ...]) -> bool:
    return any(name in way.placeholders for way in ways) or bool(target and name == snake(target.type))


def _counted_by(stream: Stream, streams: Mapping[str, Stream]) -> str | None:
    """The relation whose target determines the number of records of a stream that is listed at top level."""
    per = stream.population.per
    if per is None or per not in streams:
        return None
    candidates = [name for name, target in stream.belongs_to.items() if target == per]
    candidates.sort(key=lambda name: name != snake(streams[per].type))
    return next(iter(candidates), next((name for name, target in stream.belongs_to.items() if target is None), None))
