"""Generation of a stream's initial records: relations first, so that names and addresses can agree with them."""

import random
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from openfaith_pipeline.simulator.personas import scatter
from openfaith_pipeline.simulator.records import Record
from openfaith_pipeline.simulator.relations import Relation, Target
from openfaith_pipeline.simulator.shapes import Shape
from openfaith_pipeline.simulator.values import FIRST_ID, Sketch, made_up_secret, value_of

if TYPE_CHECKING:
    from openfaith_pipeline.simulator.church import Church

_UNSET_SHARE = 0.15
_UNSET_SHARE_OF_ASKED = 0.4
_MOST_LINKS = 4
_SHEET = "Attendance"
_MERGED_AWAY = 700_000_000
"""Ids of records that were merged into others before the first generated day."""
Chooser = Callable[["Maker"], Target | None]


class Maker:
    """Makes the records of one stream of one church, reproducibly from the same random numbers."""

    def __init__(self, church: "Church", shape: Shape, dice: random.Random) -> None:
        self.church = church
        self.shape = shape
        self.dice = dice
        self._choosers = [(relation.name, _chooser(relation, shape)) for relation in shape.relations]
        self._values = [(name, value_of(shape, name)) for name in shape.stream.attributes]
        self.chosen: dict[str, Target | None] = {}
        self.index = 0
        self.rank = 0
        self._above: tuple[Target | None, Mapping[str, Target | None]] = None, {}

    def make(self, index: int, rank: int, times: tuple[int, int], given: Mapping[str, Target | None]) -> Record:
        """Record number `index`, the `rank`-th of its owner.

        times: created and updated, seconds since 1970. given: relations that are already decided, at least the owner.
        """
        self.index, self.rank = index, rank
        self.chosen = dict(given)
        for name, choose in self._choosers:
            if name not in self.chosen:
                self.chosen[name] = choose(self)
        relations = {relation.name: self.chosen[relation.name] for relation in self.shape.relations}
        church = self.church
        sketch = Sketch(
            self.dice,
            self.shape,
            index,
            rank,
            relations,
            *times,
            seed=church.spec.seed,
            humans=church.humans,
            until=church.spec.until,
            owned_since=self._owned_since,
            church=church.spec.name,
        )
        attributes = {name: value(sketch) for name, value in self._values}
        id = church.census.id_of(self.shape.stream.name, index)
        for name in self.shape.stream.withheld:
            attributes[name] = made_up_secret(church.spec.org_id, self.shape.stream.name, name, id)
        links = {name: self.some_of(link.target) for name, link in self.shape.links.items()}
        return Record(id, attributes, relations, links)

    def above(self) -> Mapping[str, Target | None]:
        """The relations of the record's owner."""
        owner = self.owner
        if owner is None:
            return {}
        if self._above[0] != owner:
            self._above = owner, self.church.table(owner[0]).record(owner[1]).relations
        return self._above[1]

    @cached_property
    def listed_streams(self) -> tuple[str, ...]:
        """Streams of the same product with a listing of their own."""
        return self.church.listed_streams(self.shape.stream.product)

    @property
    def owner(self) -> Target | None:
        found = self.shape.owner_of(self.chosen)
        return found[1] if found else None

    def _owned_since(self) -> int:
        owner = self.owner
        return self.church.census.created_at(owner[0], owner[1] - FIRST_ID) if owner else 0

    def any_of(self, stream: str) -> Target | None:
        count = self.church.census.count(stream)
        if not count:
            return None
        return stream, self.church.census.id_of(stream, int(self.dice.random() * count))

    def one_of_circle(self, stream: str) -> Target | None:
        """The next of the regulars on each of a group's sheets; None unless this is a sheet of a living church."""
        group = self.above().get("group") if self.shape.stream.type == _SHEET and self.church.spec.until else None
        if group is None:
            return None
        first = scatter(self.church.spec.seed, "circle", group[1]) % self.church.census.count(stream)
        return self.shifted((stream, self.church.census.id_of(stream, first)), self.rank)

    def some_of(self, stream: str) -> list[int]:
        """Up to four distinct ids in no particular order."""
        count = self.church.census.count(stream)
        places = self.dice.sample(range(count), min(count, int(self.dice.random() * (_MOST_LINKS + 1))))
        return [self.church.census.id_of(stream, place) for place in places]

    def shifted(self, target: Target, by: int) -> Target:
        """The target `by` places after this one, wrapping around."""
        first = self.church.census.id_of(target[0], 0)
        return target[0], first + (target[1] - first + by) % self.church.census.count(target[0])


def generate(church: "Church", shape: Shape) -> Iterator[Record]:
    """All initial records of a stream, ascending by id."""
    name, census = shape.stream.name, church.census
    maker = Maker(church, shape, random.Random(f"{church.spec.seed}.{name}"))  # noqa: S311 - not a secret
    for part in census.parts(name):
        last_owner, rank = -1, -1
        for index, owner in enumerate(part.owners, part.start):
            rank = rank + 1 if owner == last_owner and part.relation else 0
            last_owner = owner
            created_at = census.created_at(name, index)
            times = created_at, census.updated_at(name, index, created_at)
            yield maker.make(index, rank, times, settled(church, shape, part.relation, owner))


def settled(church: "Church", shape: Shape, owner: Relation | None, index: int) -> dict[str, Target | None]:
    """The relation of record number `index` to its owner, with the relations to other kinds of owners empty."""
    given: dict[str, Target | None] = {other.name: None for other in shape.owners}
    if owner and owner.target:
        given[owner.name] = owner.target, church.census.id_of(owner.target, index)
    return given


def _chooser(relation: Relation, shape: Shape) -> Chooser:
    target = relation.target
    if any(relation.name in way.placeholders for way in shape.ways):
        return _ancestor(relation)
    if target is None:
        return _polymorphic(relation, is_owner=any(not owner.is_declared for owner in shape.owners))
    if relation.merger_role == "remove":
        return _merged_away(target)
    if relation.is_pointer:
        return _covering(relation, target)
    if target == shape.stream.name:
        return _earlier(target)
    is_sibling = shape.owners and relation.is_natural and not relation.is_asked
    return _sibling(target) if is_sibling else _anyone(relation, target)


def _merged_away(target: str) -> Chooser:
    return lambda maker: (target, _MERGED_AWAY + maker.index)


def _ancestor(relation: Relation) -> Chooser:
    """The outer part of the record's path: the parent of its owner."""

    def choose(maker: Maker) -> Target | None:
        above = maker.above()
        if relation.name in above:
            return above[relation.name]
        return next((target for target in above.values() if target and target[0] == relation.target), None)

    return choose


def _polymorphic(relation: Relation, *, is_owner: bool) -> Chooser:
    """The owner, if nothing else names it; otherwise a listed type of the same product, two in turn."""

    def choose(maker: Maker) -> Target | None:
        if is_owner:
            return maker.owner
        kinds = maker.listed_streams
        if not kinds or maker.dice.random() < _UNSET_SHARE:
            return None
        return maker.any_of(kinds[(len(relation.name) + maker.index % 2) % len(kinds)])

    return choose


def _covering(relation: Relation, target: str) -> Chooser:
    """First each record of the target once, so that all are reachable; then any of them."""

    def choose(maker: Maker) -> Target | None:
        source = (maker.shape.stream.name, relation.name)
        part = next(part for part in maker.church.census.pointed(target) if part.source == source)
        if maker.index < part.size:
            return target, maker.church.census.id_of(target, part.start + maker.index)
        return None if maker.dice.random() < _UNSET_SHARE else maker.any_of(target)

    return choose


def _earlier(target: str) -> Chooser:
    """A record of the same stream made earlier: gives trees without loops."""

    def choose(maker: Maker) -> Target | None:
        if not maker.index or maker.dice.random() < 0.5:
            return None
        return target, maker.church.census.id_of(target, int(maker.dice.random() * maker.index))

    return choose


def _sibling(target: str) -> Chooser:
    """A different target for each record of one owner, the owner's own first: a household's members."""

    def choose(maker: Maker) -> Target | None:
        owner = maker.owner
        count = maker.church.census.count(target)
        if owner is None or not count:
            return maker.any_of(target)
        relations = maker.church.shapes[owner[0]].relations
        above = maker.above().values() if any(relation.target == target for relation in relations) else ()
        first = next((each for each in above if each and each[0] == target), None)
        return maker.shifted(first or (target, FIRST_ID + scatter(0, target, owner[1]) % count), maker.rank)

    return choose


def _anyone(relation: Relation, target: str) -> Chooser:
    unset = _UNSET_SHARE_OF_ASKED if relation.is_asked else 0 if relation.is_natural else _UNSET_SHARE

    def choose(maker: Maker) -> Target | None:
        if unset and not relation.merger_role and maker.dice.random() < unset:
            return None
        return maker.one_of_circle(target) or maker.any_of(target)

    return choose
