"""The completeness proof: of a walk that it calls complete no row is lost or doubled, whatever changed meanwhile."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from openfaith_pipeline.catalog.completeness import READINGS, Doubt, Listed, find_doubts
from openfaith_pipeline.catalog.reading import Fetches, WalkSource
from openfaith_pipeline.catalog.walk import Checkpoint, End, Page, Parent, Route, RouteEnd, Walk
from openfaith_pipeline.catalog.walk_planner import plan_walks
from openfaith_pipeline.errors import StreamForbidden
from openfaith_pipeline.planning_center.extract.extraction import read_pages
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline_tests.unit.planning_center.extract.collection import Bugs, Collection, World

LISTS, RESULTS = "/people/v2/lists", "/people/v2/lists/{}/list_results"
BY_OFFSET, BY_WINDOWS, OF_EACH_PARENT = "people.tabs", "people.emails", "people.list_results"

Change = tuple[str, int, int]
"""(what happens, to which collection, to which place in it)"""

schedules = st.lists(
    st.lists(
        st.tuples(st.sampled_from(["update", "delete", "insert"]), st.integers(0, 10), st.integers(0, 10_000)),
        max_size=4,
    ),
    max_size=25,
)
few_changes = st.lists(st.lists(st.tuples(st.just("insert"), st.just(0), st.just(0)), max_size=1), max_size=6)
cuts = st.lists(st.integers(0, 4), max_size=4)
contents = st.builds(
    lambda seconds, nulls: dict(enumerate([None] * nulls + seconds, start=1)),
    st.lists(st.integers(0, 4), max_size=350),
    st.integers(0, 120),
)


@dataclass
class Reading:
    """The result of a walk. staged: how often each id was read. end: how the walk ended."""

    end: End = field(default_factory=End)
    staged: Counter[str] = field(default_factory=Counter)

    def doubt(self, walk: Walk) -> Doubt | None:
        name = walk.leads[0].name
        return find_doubts(walk, self.end, {name: Listed(len(self.staged))}, must_be_exact=True).get(name)


def walk_of(name: str) -> Walk:
    [walk] = plan_walks([STREAMS[name]], STREAMS, is_full=True)
    return walk


def changing(world: World, schedule: list[list[Change]]) -> Callable[[], None]:
    changes, collections = iter(schedule), list(world.collections.values())

    def tick() -> None:
        for what, collection, place in next(changes, []):
            getattr(collections[collection % len(collections)], what)(place)

    return tick


def parents(known: list[int]) -> Callable[[Route, str | None], AsyncIterator[Parent]]:
    async def visit(_route: Route, after: str | None) -> AsyncIterator[Parent]:
        for identifier in known:
            if after is None or identifier > int(after):
                yield Parent({"list": str(identifier)}, is_new=True)

    return visit


def read(walk: Walk, world: World, cuts: Iterator[int], known: list[int] | None = None) -> Reading:
    """Read to the end; killed after so many pages, it goes on from the checkpoint of the last one staged."""
    reading, source = Reading(), WalkSource(Fetches(*[world.fetch] * 3), parents(known or []))

    async def attempt(checkpoint: Checkpoint | None, pages_left: int) -> Page | None:
        last = None
        async with aclosing(read_pages(walk, source, checkpoint)) as pages:
            async for page in pages:
                if pages_left == 0:
                    break
                pages_left -= 1
                last = page
                reading.staged.update(record.resource["id"] for rows in page.records.values() for record in rows)
        return last

    checkpoint: Checkpoint | None = None
    while True:
        page = asyncio.run(attempt(checkpoint, next(cuts, -1)))
        if page and page.end:
            reading.end = page.end
            return reading
        checkpoint = json.loads(json.dumps(page.checkpoint)) if page else checkpoint


@settings(max_examples=100, deadline=None)
@given(contents, schedules | few_changes, cuts)
@example({1: 1}, [], [])
def test_a_listing_called_complete_has_every_row(
    content: dict[int, int | None], schedule: list[list[Change]], cuts: list[int]
) -> None:
    walk, collection = walk_of(BY_OFFSET), Collection(dict(content))
    world = World({walk.routes[0].path: collection})
    world.tick = changing(world, schedule)
    reading = read(walk, world, iter(cuts))
    assert content.keys() & collection.rows.keys() <= {int(identifier) for identifier in reading.staged}
    is_complete = reading.doubt(walk) is None
    assert is_complete or any(schedule)
    if is_complete:
        assert reading.staged == Counter(map(str, collection.rows))


@settings(max_examples=100, deadline=None)
@given(contents, schedules | few_changes, cuts)
@example({1: 1}, [], [])
def test_windows_called_complete_lack_no_row_that_was_there_all_the_time(
    content: dict[int, int | None], schedule: list[list[Change]], cuts: list[int]
) -> None:
    walk, collection = walk_of(BY_WINDOWS), Collection(dict(content))
    world = World({walk.routes[0].path: collection})
    world.tick = changing(world, schedule)
    reading = read(walk, world, iter(cuts))
    assert content.keys() & collection.rows.keys() <= {int(identifier) for identifier in reading.staged}
    is_complete = reading.doubt(walk) is None
    assert is_complete or any(schedule)
    if is_complete:
        assert len(reading.staged) == reading.end.routes[0].total


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 230), max_size=6), schedules, cuts)
@example([2, 0], [[("delete", 1, 1)], [("insert", 1, 0)]], [])
@example([0], [[("delete", 0, 0)], [("insert", 0, 0)]], [])
@example([2, 0], [], [])
def test_children_called_complete_lack_none_whose_parent_stayed(
    sizes: list[int], schedule: list[list[Change]], cuts: list[int]
) -> None:
    walk = walk_of(OF_EACH_PARENT)
    lists = Collection(dict.fromkeys(range(1, len(sizes) + 1), 1))
    world = World({LISTS: lists})
    for number, size in enumerate(sizes, start=1):
        ids = range(number * 100_000, number * 100_000 + size)
        world.collections[RESULTS.format(number)] = Collection(dict.fromkeys(ids, 1))

    def children() -> set[int]:
        return {identifier for path, each in world.collections.items() if path != LISTS for identifier in each.rows}

    there_always, known = children(), list(lists.rows)
    stayed, change = set(known), changing(world, schedule)

    def tick() -> None:
        change()
        # One that comes back was away.
        stayed.intersection_update(lists.rows)
        there_always.intersection_update(children())

    world.tick = tick
    try:
        reading = read(walk, world, iter(cuts), known)
    except StreamForbidden:
        # No list was there when its turn came: nothing is called complete.
        assert not stayed
        return
    there = {identifier for number in stayed for identifier in world.collections[RESULTS.format(number)].rows}
    is_complete = reading.doubt(walk) is None
    assert is_complete or any(schedule)
    if is_complete:
        assert there_always & there <= {int(identifier) for identifier in reading.staged}


@pytest.mark.parametrize(
    "bugs",
    [
        Bugs(hides_next=True, total=100),
        Bugs(total=100),
        Bugs(total=0),
        Bugs(blind=frozenset({3, 50})),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", [BY_OFFSET, BY_WINDOWS])
def test_a_listing_with_the_bugs_of_production_is_never_called_complete_when_rows_lack(name: str, bugs: Bugs) -> None:
    walk, content = walk_of(name), {number: number // 10 for number in range(1, 341)}
    reading = read(walk, World({walk.routes[0].path: Collection(dict(content), bugs=bugs)}), iter([]))
    is_whole = reading.staged.keys() == {str(identifier) for identifier in content}
    assert reading.doubt(walk) is not None or (is_whole and bugs.total is None)


@pytest.mark.parametrize("name", [BY_OFFSET, BY_WINDOWS])
def test_a_smaller_page_than_requested_is_no_reason_to_doubt(name: str) -> None:
    walk, content = walk_of(name), {number: number // 10 for number in range(1, 131)}
    reading = read(walk, World({walk.routes[0].path: Collection(content, bugs=Bugs(page_limit=25))}), iter([]))
    assert reading.doubt(walk) is None and len(reading.staged) == 130


def test_full_pages_without_next_leave_a_doubt_though_the_total_is_right() -> None:
    walk, content = walk_of(BY_OFFSET), dict.fromkeys(range(1, 341), 5)
    reading = read(walk, World({walk.routes[0].path: Collection(content, bugs=Bugs(hides_next=True))}), iter([]))
    doubt = reading.doubt(walk)
    assert doubt is not None and "had no next" in doubt.reason
    exactly_full = read(
        walk,
        World({walk.routes[0].path: Collection(dict.fromkeys(range(100), 5), bugs=Bugs(hides_next=True))}),
        iter([]),
    )
    assert exactly_full.doubt(walk) is None


def children_world(count: int) -> tuple[Walk, World]:
    lists, world = Collection(dict.fromkeys(range(1, count + 1), 1)), World({})
    world.collections = {LISTS: lists} | {
        RESULTS.format(number): Collection(dict.fromkeys(range(number * 1000, number * 1000 + 10), 1))
        for number in lists.rows
    }
    return walk_of(OF_EACH_PARENT), world


def test_only_the_parent_in_doubt_is_read_again_and_a_doubt_that_stays_is_not_chased() -> None:
    walk, world = children_world(20)
    world.collections[RESULTS.format(7)].bugs = Bugs(total=12)
    reading = read(walk, world, iter([]), list(range(1, 21)))
    assert world.requests == 20 + 1
    assert reading.doubt(walk) is not None and len(reading.staged) == 200


def test_a_parent_that_never_holds_still_is_read_a_few_times_and_no_more() -> None:
    walk, world = children_world(1)
    results = world.collections[RESULTS.format(1)]
    results.rows = dict.fromkeys(range(250), 1)
    world.tick = lambda: results.insert(0)
    reading = read(walk, world, iter([]), [1])
    doubt = reading.doubt(walk)
    assert doubt is not None and "moved" in doubt.reason
    assert world.requests == READINGS * 3


def test_a_parent_that_is_gone_has_no_children_and_leaves_no_doubt() -> None:
    walk, world = children_world(5)
    del world.collections[LISTS].rows[3]
    reading = read(walk, world, iter([]), [1, 2, 3, 4, 5])
    assert reading.doubt(walk) is None and len(reading.staged) == 40
    del world.collections[RESULTS.format(4)]
    end = read(walk, world, iter([]), [1, 2, 3, 4, 5]).end
    [left_out] = [each for route in end.routes for each in route.left_out]
    assert (left_out.parent, left_out.is_withheld) == ("4", True), "its path is not there, though its parent is"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(1, 250), unique=True, max_size=230), min_size=1, max_size=5),
    st.none() | st.tuples(st.integers(0, 4), st.integers(1, 3)),
    cuts,
)
def test_parents_that_list_the_same_records_are_complete_when_each_accounts_for_its_own(
    listings: list[list[int]], lacking: tuple[int, int] | None, cuts: list[int]
) -> None:
    """lacking: which parent counts so many more than it lists."""
    walk, world = walk_of(OF_EACH_PARENT), World({LISTS: Collection(dict.fromkeys(range(1, len(listings) + 1), 1))})
    for number, ids in enumerate(listings, start=1):
        world.collections[RESULTS.format(number)] = Collection(dict.fromkeys(ids, 1))
    if lacking:
        number = lacking[0] % len(listings)
        world.collections[RESULTS.format(number + 1)].bugs = Bugs(total=len(listings[number]) + lacking[1])
    reading = read(walk, world, iter(cuts), list(range(1, len(listings) + 1)))
    assert reading.staged.keys() == {str(identifier) for ids in listings for identifier in ids}
    assert (reading.doubt(walk) is None) == (lacking is None)


def joint_walk() -> Walk:
    """Groups and events are read together, because locations come with both."""
    names = ("groups", "enrollments", "locations", "events")
    [walk] = plan_walks([STREAMS[f"groups.{name}"] for name in names], STREAMS, is_full=True)
    return walk


@pytest.mark.parametrize(
    ("ends", "listed", "doubtful"),
    [
        ({}, {}, set()),
        ({"groups.groups": RouteEnd(2, doubt="moved")}, {}, {"groups", "enrollments", "locations"}),
        ({"groups.events": RouteEnd(3)}, {}, {"events", "locations"}),
        ({"groups.events": RouteEnd(1)}, {}, {"events", "locations"}),
        ({"groups.groups": RouteEnd(None)}, {}, {"groups", "enrollments", "locations"}),
        ({}, {"groups.enrollments": Listed(9, broken=1)}, {"enrollments"}),
        ({}, {"groups.groups": Listed(2, broken=1)}, {"groups"}),
        ({"groups.events": RouteEnd(2, shortage="lacks")}, {}, {"events", "locations"}),
    ],
)
def test_a_doubt_is_the_streams_own_and_of_streams_that_come_with_its_listing(
    ends: dict[str, RouteEnd], listed: dict[str, Listed], doubtful: set[str]
) -> None:
    walk = joint_walk()
    end = End(tuple(ends.get(route.lead.name, RouteEnd(2)) for route in walk.routes))
    counts = {stream.name: listed.get(stream.name, Listed(2)) for stream in walk.streams}
    found = find_doubts(walk, end, counts, must_be_exact=True)
    assert found.keys() == {f"groups.{name}" for name in doubtful}
