"""The first records of a stream: relations first, so that names, numbers and addresses can agree with them."""

import random
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from openfaith_pipeline.simulator.personas import scatter
from openfaith_pipeline.simulator.records import Record
from openfaith_pipeline.simulator.shapes import Relation, Shape
from openfaith_pipeline.simulator.values import FIRST_ID, Sketch, Target, value_of

if TYPE_CHECKING:
    from openfaith_pipeline.simulator.church import Church

_UNSET_SHARE = 0.15
_MERGED_AWAY = 700_000_000
"""Ids of records that were merged into others before the first day told of here."""
Chooser = Callable[["Maker"], Target | None]


class Maker:
    """Makes records of one stream of one church, the same ones from the same dice."""

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

        times: created and updated, seconds since 1970. given: relations that are settled, the owner at least.
        """
        self.index, self.rank = index, rank
        self.chosen = dict(given)
        for name, choose in self._choosers:
            if name not in self.chosen:
                self.chosen[name] = choose(self)
        relations = {relation.name: self.chosen[relation.name] for relation in self.shape.relations}
        church = self.church
        sketch = Sketch(
            self.dice, self.shape, index, rank, relations, *times, seed=church.spec.seed, humans=church.humans
        )
        attributes = {name: value(sketch) for name, value in self._values}
        return Record(church.census.id_of(self.shape.stream.name, index), attributes, relations)

    def above(self) -> Mapping[str, Target | None]:
        """The relations of the record's owner."""
        owner = self.chosen.get(self.shape.owner.name) if self.shape.owner else None
        if owner is None:
            return {}
        if self._above[0] != owner:
            self._above = owner, self.church.table(owner[0]).record(owner[1]).relations
        return self._above[1]

    def any_of(self, stream: str) -> Target | None:
        count = self.church.census.count(stream)
        if not count:
            return None
        return stream, self.church.census.id_of(stream, int(self.dice.random() * count))

    def shifted(self, target: Target, by: int) -> Target:
        """The target `by` places after this one, round the end."""
        first = self.church.census.id_of(target[0], 0)
        return target[0], first + (target[1] - first + by) % self.church.census.count(target[0])


def generate(church: "Church", shape: Shape) -> Iterator[Record]:
    """All first records of a stream, ascending in id."""
    name, census = shape.stream.name, church.census
    maker = Maker(church, shape, random.Random(f"{church.spec.seed}.{name}"))  # noqa: S311 - not a secret
    owners = census.owners(name)
    last_owner, rank = -1, -1
    for index in range(census.count(name)):
        owner = owners[index] if owners else index
        rank = rank + 1 if owner == last_owner and owners else 0
        last_owner = owner
        created_at = census.created_at(name, index)
        times = created_at, census.updated_at(name, index, created_at)
        yield maker.make(index, rank, times, _owner_of(church, shape, owner))


def _owner_of(church: "Church", shape: Shape, owner: int) -> dict[str, Target | None]:
    if not shape.owner or not shape.owner.target:
        return {}
    return {shape.owner.name: (shape.owner.target, church.census.id_of(shape.owner.target, owner))}


def _chooser(relation: Relation, shape: Shape) -> Chooser:
    if relation.merger_role == "remove" and relation.target:
        return _merged_away(relation.target)
    if relation.name in shape.stream.placeholders:
        return _ancestor(relation)
    if relation.target is None:
        return _polymorphic(relation)
    if relation.target == shape.stream.name:
        return _earlier(relation.target)
    if shape.owner and relation.is_natural:
        return _sibling(relation.target)
    return _anyone(relation, relation.target)


def _merged_away(target: str) -> Chooser:
    return lambda maker: (target, _MERGED_AWAY + maker.index)


def _ancestor(relation: Relation) -> Chooser:
    """The outer part of the record's path: what its owner belongs to."""

    def choose(maker: Maker) -> Target | None:
        above = maker.above()
        if relation.name in above:
            return above[relation.name]
        return next((target for target in above.values() if target and target[0] == relation.target), None)

    return choose


def _polymorphic(relation: Relation) -> Chooser:
    """Some listed type of the same product, two in turn."""

    def choose(maker: Maker) -> Target | None:
        kinds = maker.church.listed_streams(maker.shape.stream.product)
        if not kinds or maker.dice.random() < _UNSET_SHARE:
            return None
        return maker.any_of(kinds[(len(relation.name) + maker.index % 2) % len(kinds)])

    return choose


def _earlier(target: str) -> Chooser:
    """A record of the same stream, made before: trees, without loops."""

    def choose(maker: Maker) -> Target | None:
        if not maker.index or maker.dice.random() < 0.5:
            return None
        return target, maker.church.census.id_of(target, int(maker.dice.random() * maker.index))

    return choose


def _sibling(target: str) -> Chooser:
    """A different one for each record of one owner, from the owner's own on if it has one: a household's members."""

    def choose(maker: Maker) -> Target | None:
        owner = maker.chosen[maker.shape.owner.name] if maker.shape.owner else None
        count = maker.church.census.count(target)
        if owner is None or not count:
            return maker.any_of(target)
        relations = maker.church.shapes[owner[0]].relations
        above = maker.above().values() if any(relation.target == target for relation in relations) else ()
        first = next((each for each in above if each and each[0] == target), None)
        return maker.shifted(first or (target, FIRST_ID + scatter(0, target, owner[1]) % count), maker.rank)

    return choose


def _anyone(relation: Relation, target: str) -> Chooser:
    def choose(maker: Maker) -> Target | None:
        if not relation.is_natural and not relation.merger_role and maker.dice.random() < _UNSET_SHARE:
            return None
        return maker.any_of(target)

    return choose
