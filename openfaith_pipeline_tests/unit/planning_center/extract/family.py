"""A collection whose rows bring children along, and these theirs: linkage says whose they are, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from openfaith_pipeline.catalog.reading import Document
from openfaith_pipeline_tests.unit.planning_center.extract.collection import Collection


@dataclass
class Generation:
    """One level of included records: their relationship and type, and child -> parent."""

    relationship: str
    type: str
    parent_of: dict[int, int] = field(default_factory=dict)

    def below(self, parents: set[int]) -> dict[int, int]:
        return {child: parent for child, parent in self.parent_of.items() if parent in parents}

    def by_parent(self, parents: list[int]) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {parent: [] for parent in parents}
        for child, parent in self.below(set(parents)).items():
            found[parent].append(child)
        return found


@dataclass
class Family(Collection):
    """generations: the rows' children, then their children."""

    generations: tuple[Generation, ...] = ()

    def delete(self, place: int) -> None:
        super().delete(place)
        alive = set(self.rows)
        for generation in self.generations:
            generation.parent_of = generation.below(alive)
            alive = set(generation.parent_of)

    def bear(self, place: int) -> None:
        """A row has one child more, and changes by that."""
        if not self.rows:
            return
        parent = sorted(self.rows)[place % len(self.rows)]
        children = self.generations[0].parent_of
        children[max(children, default=0) + 1] = parent
        self.rows[parent] = self._now()

    def move(self, place: int) -> None:
        """A child goes over to another row; both change by that."""
        children = self.generations[0].parent_of
        if not children:
            return
        child = sorted(children)[place % len(children)]
        for parent in (children[child], sorted(self.rows)[place % len(self.rows)]):
            children[child] = parent
            self.rows[parent] = self._now()

    def page(self, params: Mapping[str, str]) -> Document:
        document = super().page(params)
        if "include" not in params or not isinstance(document.data, list):
            return document
        included: list[dict[str, Any]] = []
        above = document.data
        for generation in self.generations:
            named = generation.by_parent([int(row["id"]) for row in above])
            for row in above:
                linkage = [{"type": generation.type, "id": str(child)} for child in named[int(row["id"])]]
                row["relationships"] = {generation.relationship: {"data": linkage}}
            above = [
                {"type": generation.type, "id": str(child), "attributes": {}}
                for children in named.values()
                for child in children
            ]
            included += above
        return replace(document, included=included[::-1])  # in no order, as Planning Center's
