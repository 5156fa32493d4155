"""How many records each stream of a church has, whose they are, and when they were made: all from the seed."""

import random
from collections.abc import Mapping

from openfaith_pipeline.simulator.personas import scatter
from openfaith_pipeline.simulator.shapes import Shape
from openfaith_pipeline.simulator.values import DAY, EPOCH, FIRST_ID

_YEARS = 8
_MONTH = 30 * DAY


class Census:
    """The numbers of one church, known without making a single record."""

    def __init__(self, shapes: Mapping[str, Shape], *, people: int, seed: int, organization_id: int) -> None:
        self._shapes = shapes
        self._people = people
        self._seed = seed
        self._organization_id = organization_id
        self._owners: dict[str, list[int] | None] = {}

    def count(self, stream: str) -> int:
        owners = self.owners(stream)
        return self._counted(stream) if owners is None else len(owners)

    def id_of(self, stream: str, index: int) -> int:
        """The id of a stream's record number `index`; a product's singleton has the organization's."""
        declaration = self._shapes[stream].stream
        is_organization = declaration.is_singleton and not declaration.placeholders
        return self._organization_id if is_organization else FIRST_ID + index

    def owners(self, stream: str) -> list[int] | None:
        """Index of the owner of each record, ascending; None for a stream that nothing owns."""
        if stream not in self._owners:
            self._owners[stream] = self._spread(self._shapes[stream])
        return self._owners[stream]

    def created_at(self, stream: str, index: int) -> int:
        """Seconds since 1970: ascending with the id, whole batches of imports in one second, after the owner's."""
        owners, owner = self.owners(stream), self._shapes[stream].owner
        if owners and owner and owner.target:
            late = scatter(self._seed, stream, index)
            return min(self.created_at(owner.target, owners[index]) + 60 + late % _MONTH, EPOCH - 1)
        total = self.count(stream)
        batch = max(20, min(300, total // 4))
        is_imported = (index // batch) % 4 == 1
        place = index // batch * batch if is_imported else index
        return EPOCH - _YEARS * 365 * DAY + _YEARS * 365 * DAY * place // max(total, 1)

    def updated_at(self, stream: str, index: int, created_at: int) -> int:
        """Seconds since 1970: often as created, often in the second of a bulk change, else any time since."""
        number = scatter(self._seed, f"{stream} updated", index)
        draw, fraction = number % 100, number // 100
        if draw < 40:
            return created_at
        if draw < 55:
            changes = max(1, self.count(stream) // 3000)
            return max(created_at, EPOCH - (1 + fraction % changes) * 40 * DAY)
        return created_at + (EPOCH - created_at) * (fraction % 10_000) // 10_000

    def _counted(self, stream: str) -> int:
        population = self._shapes[stream].stream.population
        if self._shapes[stream].stream.is_singleton:
            return 1
        if population.per is None:
            return round(population.amount)
        per = self._people if population.per not in self._shapes else self.count(population.per)
        return round(population.amount * per)

    def _spread(self, shape: Shape) -> list[int] | None:
        if not shape.owner or not shape.owner.target:
            return None
        owners = self.count(shape.owner.target)
        population = shape.stream.population
        if shape.stream.is_singleton:
            return list(range(owners))
        if population.per != shape.owner.target:
            total = self._counted(shape.stream.name) if owners else 0
            return [index * owners // total for index in range(total)]
        dice = random.Random(f"{self._seed}.owners.{shape.stream.name}")  # noqa: S311 - not a secret
        draw = dice.random
        return [owner for owner in range(owners) for _ in range(_drawn(population.amount, draw()))]


def _drawn(amount: float, draw: float) -> int:
    """How many records one owner has: `amount` on average, never the same for all."""
    if amount >= 1:
        return int(draw * 2 * amount + 0.5)
    if draw >= amount * 0.9:
        return 0
    return 2 if draw < amount * 0.1 else 1
