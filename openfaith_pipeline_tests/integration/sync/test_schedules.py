"""Whole syncs of a source that changes and fails between any two requests: no row that stays is lost or deleted."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from openfaith_pipeline.catalog.completeness import READINGS
from openfaith_pipeline.catalog.reading import Document
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.table_names import raw_name
from openfaith_pipeline.errors import RateLimitedError
from openfaith_pipeline.load.sync_log import SyncStart, begin_sync
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.asking import CONFIRMED_AT_MOST
from openfaith_pipeline.sync.attempt import sync_streams
from openfaith_pipeline.sync.results import StreamResult, SyncMode
from openfaith_pipeline_tests.unit.catalog.test_completeness import (
    Change,
    changing,
    contents,
    schedules,
)
from openfaith_pipeline_tests.unit.planning_center.extract.collection import Bugs, Collection, World

TABS, EMAILS = STREAMS["people.tabs"], STREAMS["people.emails"]
LISTS, RESULTS = STREAMS["people.lists"], STREAMS["people.list_results"]
EVERYTHING = (TABS, EMAILS, LISTS, RESULTS)

failures = st.lists(st.booleans(), max_size=40).map(
    lambda flags: [flag and place % 3 == 0 for place, flag in enumerate(flags)]
)


def world_of(content: Mapping[int, int | None], lists: int = 0) -> World:
    made = {stream.path: Collection(dict(content), type=stream.type) for stream in (TABS, EMAILS)}
    made[LISTS.path] = Collection(dict.fromkeys(range(1, lists + 1), 1), type=LISTS.type)
    for number in range(1, lists + 1):
        ids = range(number * 100_000, number * 100_000 + 40 * number)
        made[RESULTS.path.format(list_id=number)] = Collection(dict.fromkeys(ids, 1), type=RESULTS.type)
    return World(made)


class Gateway:
    """In the place of the client: answers from the world, or breaks off where the failures say so."""

    def __init__(self, world: World, failing: Iterator[bool]) -> None:
        self._world, self._failing = world, failing

    async def get(self, path: str, params: Mapping[str, str], *, product: object, **_more: object) -> Document:
        if next(self._failing, False):
            raise RateLimitedError(f"{product} wants silence for longer than anybody waits")
        return await self._world.fetch(path, params)


def sync(
    database: Database,
    org_id: str,
    world: World,
    mode: SyncMode,
    *,
    streams: Sequence[Stream] = EVERYTHING,
    failing: Iterable[bool] = (),
) -> dict[str, StreamResult]:
    """Attempt upon attempt until no stream fails any more."""

    @asynccontextmanager
    async def gateway(_database: Database, _org_id: str, _adapter: str) -> AsyncIterator[Any]:
        yield Gateway(world, breaks)

    breaks, sync_id = iter(failing), f"sync_{uuid4().hex}"
    for _ in range(60):
        with database.connect() as connection:
            begin_sync(connection, SyncStart(sync_id, None, mode.value, "test", {}))
        results = asyncio.run(
            sync_streams(database, org_id, streams, mode=mode, sync_id=sync_id, client_factory=gateway)
        )
        if all(result.status != "failed" for result in results.values()):
            return results
    raise AssertionError(f"it fails for ever: {results}")


def live(database: Database, org_id: str, stream: Stream) -> set[int]:
    table = raw_name(stream)
    with database.connect() as connection:
        rows = connection.execute(
            sql.SQL("SELECT id::int FROM {} WHERE org_id = %s AND _deleted_at IS NULL").format(table), (org_id,)
        ).fetchall()
    return {identifier for (identifier,) in rows}


def there(world: World) -> dict[Stream, set[int]]:
    found = {stream: set(world.collections[stream.path].rows) for stream in (TABS, EMAILS, LISTS)}
    of_lists = (world.collections[RESULTS.path.format(list_id=number)].rows for number in found[LISTS])
    found[RESULTS] = {identifier for rows in of_lists for identifier in rows}
    return found


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contents, st.integers(0, 4), schedules, failures)
def test_no_row_that_is_there_all_the_time_is_lost_or_taken_for_deleted(
    database: Database,
    content: dict[int, int | None],
    lists: int,
    schedule: list[list[Change]],
    failing: list[bool],
) -> None:
    org_id, world = f"org_{uuid4().hex}", world_of(content, lists)
    sync(database, org_id, world, SyncMode.INCREMENTAL)
    before = there(world)
    world.tick = changing(world, [[change for change in step if _is_possible(change, lists)] for step in schedule])
    results = sync(database, org_id, world, SyncMode.RECONCILE, failing=failing)
    assert {result.status for result in results.values()} <= {"succeeded", "incomplete"}
    for stream, rows in there(world).items():
        assert before[stream] & rows <= live(database, org_id, stream), stream.name
    world.tick = lambda: None
    results = sync(database, org_id, world, SyncMode.RECONCILE)
    for stream, rows in there(world).items():
        if results[stream.name].status == "succeeded":
            assert live(database, org_id, stream) == rows, stream.name


def _is_possible(change: Change, lists: int) -> bool:
    """Whether the change keeps to lists whose results the world knows."""
    what, collection, _ = change
    return not (what == "insert" and collection % (3 + lists) == 2)


@pytest.mark.parametrize(
    "bugs",
    [
        Bugs(hides_next=True, total=100),
        Bugs(hides_next=True),
        Bugs(total=100),
        Bugs(total=100, visible=100),
        Bugs(total=0),
        Bugs(page_limit=25),
        Bugs(page_limit=25, hides_next=True, total=25),
        Bugs(visible=0, total=0),
    ],
    ids=str,
)
def test_the_bugs_of_production_delete_nothing(database: Database, bugs: Bugs) -> None:
    content = {number: number // 10 for number in range(1, 341)}
    org_id, world = f"org_{uuid4().hex}", world_of(content)
    sync(database, org_id, world, SyncMode.INCREMENTAL, streams=[TABS, EMAILS])
    for stream in (TABS, EMAILS):
        world.collections[stream.path].bugs = bugs
    results = sync(database, org_id, world, SyncMode.RECONCILE, streams=[TABS, EMAILS])
    assert {result.deleted for result in results.values()} == {0}
    assert live(database, org_id, TABS) == live(database, org_id, EMAILS) == set(content)
    is_harmless = bugs == Bugs(page_limit=25)
    assert {result.status for result in results.values()} == {"succeeded" if is_harmless else "incomplete"}


def test_a_listing_in_doubt_is_read_again_and_then_believed(database: Database) -> None:
    org_id, world = f"org_{uuid4().hex}", world_of(dict.fromkeys(range(1, 251), 1))
    tabs = world.collections[TABS.path]
    sync(database, org_id, world, SyncMode.INCREMENTAL, streams=[TABS])
    world.requests = 0
    world.tick = lambda: tabs.delete(0) if world.requests == 2 else None
    [result] = sync(database, org_id, world, SyncMode.RECONCILE, streams=[TABS]).values()
    assert (result.status, result.deleted) == ("succeeded", 1)
    assert (
        result.requests == world.requests == 5 + 3 + 1
    )  # a reading that steps back and on again, a second reading, and the request for the missing one
    assert live(database, org_id, TABS) == set(tabs.rows)


def test_a_listing_that_never_holds_still_ends_incomplete_published_and_deletes_nothing(database: Database) -> None:
    org_id, world = f"org_{uuid4().hex}", world_of(dict.fromkeys(range(1, 251), 1))
    tabs = world.collections[TABS.path]
    sync(database, org_id, world, SyncMode.INCREMENTAL, streams=[TABS])
    tabs.delete(0)
    world.requests, world.tick = 0, lambda: tabs.insert(0)
    [result] = sync(database, org_id, world, SyncMode.RECONCILE, streams=[TABS]).values()
    assert (result.status, result.deleted) == ("incomplete", 0)
    assert result.error is not None and "moved" in result.error
    assert result.requests == world.requests == READINGS * 3
    assert live(database, org_id, TABS) > set(tabs.rows) - {max(tabs.rows)}


def test_the_requests_that_confirm_deletions_are_counted_and_bounded(database: Database) -> None:
    org_id, world = f"org_{uuid4().hex}", world_of(dict.fromkeys(range(1, 251), 1))
    sync(database, org_id, world, SyncMode.INCREMENTAL, streams=[TABS])
    for _ in range(CONFIRMED_AT_MOST + 15):
        world.collections[TABS.path].delete(0)
    world.requests = 0
    [result] = sync(database, org_id, world, SyncMode.RECONCILE, streams=[TABS]).values()
    assert (result.status, result.deleted) == ("succeeded", CONFIRMED_AT_MOST + 15)
    assert result.requests == world.requests == 3 + CONFIRMED_AT_MOST
