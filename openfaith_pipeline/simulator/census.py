"""Numbers, owners and creation times of the records of each stream of a church, all derived from the seed."""

import random
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

from openfaith_pipeline.simulator import rhythm
from openfaith_pipeline.simulator.personas import scatter
from openfaith_pipeline.simulator.relations import Relation
from openfaith_pipeline.simulator.shapes import Shape
from openfaith_pipeline.simulator.values import DAY, EPOCH, FIRST_ID

_YEARS = 8
_MONTH = 30 * DAY
_MAIN_SHARE = 0.7
"""Share of the records listed by several paths that the first path lists."""

_SOON = 3 * rhythm.HOUR
_MANY = 3
"""Records for each owner, from which on they are not all of the time when the owner came."""

_MEETINGS = frozenset({"starts_at", "sort_date"})
"""Attributes of something that is held."""

_EVENING = "Event"
_GIFT = "Donation"
_WEEKS_BETWEEN = (4, 2, 1)
"""An evening is held every fourth week, every other or every week, by its owner; everything else every week."""
_MORE_EVENINGS = 2
"""So many times those of a church without a rhythm, so that it shows who has stopped coming."""

_NEWEST_MADE = 3
_NEWEST_CHANGED = 12
"""Records of a large stream that share its newest second, approximately."""


@dataclass(frozen=True)
class Part:
    """Adjacent records that belong to one kind of owner.

    start: index of the first. owners: for each record the index of its owner in the owner's stream, ascending.
    relation: to the owner, None if nothing owns them.
    """

    start: int
    owners: Sequence[int]
    relation: Relation | None

    def owner(self, index: int) -> tuple[str, int] | None:
        """The owner of record `index`: its stream and its place there."""
        if self.relation is None or self.relation.target is None:
            return None
        return self.relation.target, self.owners[index - self.start]


@dataclass(frozen=True)
class Pointed:
    """Adjacent records that the first records of a parent point to, one after the other, each at least once.

    source: the parent's stream and its relation.
    """

    source: tuple[str, str]
    start: int
    size: int


@dataclass
class Census:
    """The numbers of one church, computed without making any record. until: as in ChurchSpec."""

    shapes: Mapping[str, Shape]
    people: int
    seed: int
    organization_id: int
    until: int | None = None
    _parts: dict[str, tuple[Part, ...]] = field(default_factory=dict)
    _pointed: dict[str, tuple[Pointed, ...]] = field(default_factory=dict)

    @property
    def end(self) -> int:
        """Seconds since 1970; no record is made later."""
        return EPOCH if self.until is None else self.until

    def count(self, stream: str) -> int:
        last = self.parts(stream)[-1]
        return last.start + len(last.owners)

    def id_of(self, stream: str, index: int) -> int:
        """The id of record number `index` of a stream; a product's singleton has the organization's id."""
        declaration = self.shapes[stream].stream
        is_organization = declaration.is_singleton and not declaration.placeholders
        return self.organization_id if is_organization else FIRST_ID + index

    def parts(self, stream: str) -> tuple[Part, ...]:
        """All records of a stream, grouped by kind of owner."""
        if stream not in self._parts:
            self._parts[stream] = self._divided(self.shapes[stream])
        return self._parts[stream]

    def pointed(self, stream: str) -> tuple[Pointed, ...]:
        """For records that only their parents name: the parents that are certain to name each of them."""
        if stream not in self._pointed:
            self._pointed[stream] = tuple(self._covered(self.shapes[stream]))
        return self._pointed[stream]

    def created_at(self, stream: str, index: int) -> int:
        """Seconds since 1970: ascending with the id and after the owner's, with batches of imports in one second.

        The last few records share a second too, so that an incremental read meets some of them again.
        """
        parts = self.parts(stream)
        part = parts[0] if len(parts) == 1 else parts[bisect_right(parts, index, key=lambda each: each.start) - 1]
        owner = part.owner(index)
        if owner:
            return min(self._created_after(self.created_at(*owner), stream, part, index), self.end - 1)
        total = self.count(stream)
        batch = max(20, min(300, total // 4))
        is_imported = (index // batch) % 4 == 1
        place = index // batch * batch if is_imported else min(index, max(total - _NEWEST_MADE, 0))
        if self.until is not None:
            return rhythm.moment(place / max(total, 1), self.until)
        return EPOCH - _YEARS * 365 * DAY + _YEARS * 365 * DAY * place // max(total, 1)

    def _created_after(self, owned_since: int, stream: str, part: Part, index: int) -> int:
        """Creation time of a record with an owner.

        In a living church, an owner's many records are spread over the latest weeks if they are meetings, otherwise
        over the time since the owner was created; gifts until their giver stopped.
        """
        late = scatter(self.seed, stream, index)
        if self.until is None:
            return owned_since + 60 + late % _MONTH
        declaration = self.shapes[stream].stream
        if declaration.population.amount < _MANY:
            return owned_since + 60 + late % _SOON
        place = index - part.start
        first, after = bisect_left(part.owners, part.owners[place]), bisect_right(part.owners, part.owners[place])
        if _MEETINGS & declaration.attributes.keys():
            every = _WEEKS_BETWEEN[part.owners[place] % 3] if declaration.type == _EVENING else 1
            return max(owned_since + 60, rhythm.meeting(after - place - 1, self.until, every=every))
        end = self.until
        if declaration.type == _GIFT:
            gave_until = rhythm.gave_until(scatter(self.seed, "gave", part.owners[place]), self.until)
            end = gave_until if gave_until > owned_since else self.until
        return max(owned_since + 60, rhythm.between(owned_since, (place - first + 0.5) / (after - first), end))

    def updated_at(self, stream: str, index: int, created_at: int) -> int:
        """Seconds since 1970: often the creation time, often the second of a bulk change, otherwise any time since.

        The newest second is that of a bulk change too, so no watermark lies after all of its rows.
        """
        number = scatter(self.seed, f"{stream} updated", index)
        draw, fraction = number % 100, number // 100
        if fraction % max(5, self.count(stream) // _NEWEST_CHANGED) == 0:
            return self.end - 1
        if draw < 40:
            return created_at
        if draw < 55:
            changes = max(1, self.count(stream) // 3000)
            return max(created_at, self.end - (1 + fraction % changes) * 40 * DAY)
        return created_at + (self.end - created_at) * (fraction % 10_000) // 10_000

    def _wanted(self, shape: Shape) -> float:
        """Number of records that the declaration calls for."""
        population, more = shape.stream.population, 1
        if shape.stream.is_singleton and not shape.stream.placeholders:
            return 1
        if population.per is None:
            return population.amount
        if self.until is not None and shape.stream.type == _EVENING:
            more = _MORE_EVENINGS
        return (
            more
            * population.amount
            * (self.people if population.per not in self.shapes else self.count(population.per))
        )

    def _divided(self, shape: Shape) -> tuple[Part, ...]:
        if shape.sources:
            return (Part(0, range(sum(part.size for part in self.pointed(shape.stream.name))), None),)
        if not shape.owners:
            return (Part(0, range(_whole(self._wanted(shape))), None),)
        parts: list[Part] = []
        for relation, share in self._shares(shape):
            start = parts[-1].start + len(parts[-1].owners) if parts else 0
            owners = self._spread(shape, relation, share) if relation else range(_whole(share * self._wanted(shape)))
            parts.append(Part(start, owners, relation))
        return tuple(parts)

    def _shares(self, shape: Shape) -> list[tuple[Relation | None, float]]:
        """Share of a stream's records by kind of owner; None for a top-level listing."""
        if not shape.ways:
            return [(shape.owners[0], 1.0)]
        relations = [shape.relation[way.relation] if way.relation else None for way in shape.ways]
        if len(relations) == 1:
            return [(relations[0], 1.0)]
        rest = (1 - _MAIN_SHARE) / (len(relations) - 1)
        return [(relation, rest if place else _MAIN_SHARE) for place, relation in enumerate(relations)]

    def _spread(self, shape: Shape, relation: Relation, share: float) -> list[int]:
        """The owner of each record. The total matches the declaration; some owners have more records, some none."""
        owners = self._possible_owners(shape, relation)
        total = _whole(share * self._wanted(shape))
        if not owners or not total:
            return []
        if shape.stream.is_singleton:
            total = min(total, len(owners))
            return [owners[index * len(owners) // total] for index in range(total)]
        dice = random.Random(f"{self.seed}.owners.{shape.stream.name}.{relation.name}")  # noqa: S311 - not a secret
        sums = list(accumulate(2 * dice.random() if total > len(owners) else dice.expovariate(1) for _ in owners))
        bounds = [0, *(round(total * reached / sums[-1]) for reached in sums)]
        numbers = (after - before for before, after in pairwise(bounds))
        return [owner for owner, number in zip(owners, numbers, strict=True) for _ in range(number)]

    def _possible_owners(self, shape: Shape, relation: Relation) -> Sequence[int]:
        """Indexes of the records that a path of this stream leads through: a template's items lead to no plan's."""
        parts = self.parts(relation.target) if relation.target else ()
        named = {name for way in shape.ways if way.relation == relation.name for name in way.placeholders}
        fitting = [part for part in parts if part.relation and part.relation.name in named]
        if not fitting or shape.stream.carried_as:
            return range(self.count(relation.target) if relation.target else 0)
        return [place for part in fitting for place in range(part.start, part.start + len(part.owners))]

    def _covered(self, shape: Shape) -> list[Pointed]:
        """Records that parents point to: never more than parents, divided in proportion to the parents of each kind."""
        capacities = [self.count(stream) for stream, _ in shape.sources]
        wanted, capacity = _whole(self._wanted(shape)), sum(capacities)
        found: list[Pointed] = []
        start = 0
        for source, most in zip(shape.sources, capacities, strict=True):
            size = min(most, -(-wanted * most // capacity)) if capacity else 0
            found.append(Pointed(source, start, size))
            start += size
        return found


def _whole(wanted: float) -> int:
    """Round, but never down to zero, so that even a small church has some records of each kind."""
    return max(1, round(wanted)) if wanted else 0
