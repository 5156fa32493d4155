"""Paging with includes: however rows move, come twice or are left out, every child ends with its right parent."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openfaith_pipeline.catalog.reading import Fetches, WalkSource
from openfaith_pipeline.catalog.walk import Walk
from openfaith_pipeline.catalog.walk_planner import plan_walks
from openfaith_pipeline.load.look_back import LEAST
from openfaith_pipeline.planning_center.extract.extraction import read_pages
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline_tests.unit.planning_center.extract.collection import Change
from openfaith_pipeline_tests.unit.planning_center.extract.family import Family, Generation

# A listed stream and those included with it, for each way of paging.
WALKS = {
    "windows": ("giving.donations", "giving.refunds", "giving.designation_refunds"),
    "windows of all": ("people.lists", "people.rules", "people.conditions"),
    "newest first": ("services.people", "services.emails"),
    "offsets": ("services.service_types", "services.time_preference_options"),
}

# Many rows in one second, and seconds far enough apart for a second sync to leave the older ones out.
rows = st.builds(
    lambda count, seconds: {number: seconds[number % len(seconds)] for number in range(1, count + 1)},
    st.integers(0, 250),
    st.lists(st.sampled_from([0, 1, 5_000, 5_001, 90_000]), min_size=1, max_size=12),
)
delays = st.lists(st.integers(0, 6), max_size=20)
kinds = st.sampled_from((Family.update, Family.delete, Family.insert, Family.bear, Family.move))
change = st.builds(lambda kind, at: lambda family: kind(family, at), kinds, st.integers(0, 10_000))
changes = st.lists(st.lists(change, max_size=4), max_size=12)


@dataclass
class Reader:
    """Reads a walk again and again, as syncs do. parents: by stream, each child's parent as it was written last."""

    walk: Walk
    family: Family
    starts: dict[str, datetime | None] = field(default_factory=dict)
    parents: dict[str, dict[int, str]] = field(default_factory=dict)

    def read(self) -> dict[str, int]:
        """Every page, to the end; how many records came, by stream."""
        return asyncio.run(self._read())

    async def _read(self) -> dict[str, int]:
        came: dict[str, int] = {}
        relationship = {each.stream.name: each.relationship for each in self.walk.routes[0].carried}
        async for page in read_pages(
            self.walk, WalkSource(Fetches(*[self.family.fetch] * 3), _no_parents, self.starts), None
        ):
            ids = {name: {each.resource["id"] for each in records} for name, records in page.records.items()}
            kept = {each.stream.name: ids.get(each.parent.name, set()) for each in self.walk.routes[0].carried}
            for name, records in page.records.items():
                came[name] = came.get(name, 0) + len(records)
                for record in records if name in relationship else ():
                    parent = record.parents[relationship[name]]
                    assert parent in kept[name], "a child of a row that was not kept"
                    self.parents.setdefault(name, {})[int(record.resource["id"])] = parent
            if page.end and (reached := page.end.routes[0].reached):
                self.starts = {self.walk.routes[0].lead.name: datetime.fromisoformat(reached) - LEAST}
        return came


async def _no_parents(*_: Any) -> AsyncIterator[Any]:
    raise AssertionError("nothing is read under parents")
    yield


def read_by(kind: str, content: dict[int, int], spread: int, schedule: Iterator[list[Change]]) -> Reader:
    """A reader of rows that have up to three children each, and grandchildren where the walk brings them."""
    [walk] = plan_walks([STREAMS[name] for name in WALKS[kind]], STREAMS, is_full=False)
    generations, above = [], list(content)
    for each in walk.routes[0].carried:
        children = {child: above[child * spread % len(above)] for child in range(1, 2 * len(above))}
        generations.append(Generation(each.name, each.stream.type, children))
        above = list(children)
    family = Family(dict(content), schedule, type=walk.routes[0].lead.type, generations=tuple(generations))
    return Reader(walk, family)


def assert_right(reader: Reader) -> None:
    for each, generation in zip(reader.walk.routes[0].carried, reader.family.generations, strict=True):
        written = reader.parents.get(each.stream.name, {})
        alive = {child: written.get(child) for child in generation.parent_of}
        assert alive == {child: str(parent) for child, parent in generation.parent_of.items()}


@pytest.mark.parametrize("kind", WALKS)
@settings(max_examples=15, deadline=None)
@given(rows, changes, st.integers(1, 50), delays)
def test_every_child_ends_with_its_right_parent_once_the_changes_stop(
    kind: str, content: dict[int, int], schedule: list[list[Any]], spread: int, late: list[int]
) -> None:
    reader = read_by(kind, content, spread, iter(schedule))
    reader.family.delays = iter(late)
    reader.read()
    reader.family.changes = iter(())
    reader.read()
    assert_right(reader)


@pytest.mark.parametrize("kind", WALKS)
@settings(max_examples=6, deadline=None)
@given(rows, st.integers(1, 50))
def test_in_a_quiet_listing_every_reading_says_the_same(kind: str, content: dict[int, int], spread: int) -> None:
    reader = read_by(kind, content, spread, iter(()))
    for _ in range(3):
        came = reader.read()
        assert_right(reader)
    if reader.walk.is_whole:
        for each, generation in zip(reader.walk.routes[0].carried, reader.family.generations, strict=True):
            assert came.get(each.stream.name, 0) == len(generation.parent_of)
    else:
        newest = sum(second == max(content.values()) for second in content.values())
        assert newest <= came.get(WALKS[kind][0], 0) <= len(content)
