"""Records that several parents list: one row that keeps every parent, proven complete by each listing for itself."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql
from psycopg.rows import dict_row

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk import End, Page, Record, RouteEnd
from openfaith_pipeline.catalog.walk_planner import plan_walks
from openfaith_pipeline.database import Database
from openfaith_pipeline.load.deletions import Verdict
from openfaith_pipeline.load.publishing import Published, publish
from openfaith_pipeline.load.sessions import SyncRequest, open_session
from openfaith_pipeline.load.staging import commit_page
from openfaith_pipeline.load.sync_log import SyncStart, begin_sync
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.faults import Script
from openfaith_pipeline.simulator.options import Traps
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline.sources import STREAMS, streams_of
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline_tests.integration.replay import replay_differences
from openfaith_pipeline_tests.integration.sync.church import connect, differences, row_versions, statuses, stored, sync
from openfaith_pipeline_tests.rates import GENEROUS

GROUPS = streams_of(Product.GROUPS)
RESOURCES = STREAMS["groups.resources"]
OF_PLANS = tuple(STREAMS[f"services.{name}"] for name in ("items", "plan_people", "plan_notes"))
SERVICES = (
    *(STREAMS[f"services.{name}"] for name in ("service_types", "plans", "plan_templates", "item_notes")),
    *OF_PLANS,
)


@pytest.fixture
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator(made_up_churches(1, people=150), rate_limit=GENEROUS) as running:
        yield running


@pytest.fixture
def church(database: Database, simulator: SimulatorClient) -> str:
    """A church whose groups are all of one type, with a resource of that type that every group lists too."""
    [org_id] = connect(database, simulator)
    type_id = int(simulator.truth(org_id, "groups.group_types")[0]["id"])
    simulator.edit(org_id, "groups.groups", "all", relations={"group_type": type_id})
    simulator.add(org_id, "groups.resources", relations={"group_type": type_id})
    return org_id


def links(database: Database, org_id: str) -> dict[str, list[str]]:
    """By resource, the groups that list it, in the table's order."""
    with database.connect() as connection:
        rows = connection.execute(
            "SELECT id, array_agg(related_id ORDER BY position) FROM pco_groups.resources_groups WHERE org_id = %s"
            " GROUP BY id",
            (org_id,),
        ).fetchall()
    return dict(rows)


def links_at_the_source(simulator: SimulatorClient, org_id: str) -> dict[str, list[str]]:
    truth = {
        record["id"]: [group["id"] for group in record["relationships"]["groups"]["data"]]
        for record in simulator.truth(org_id, "groups.resources")
    }
    return {identifier: groups for identifier, groups in truth.items() if groups}


def test_a_record_listed_by_a_group_type_and_its_groups_is_one_row_with_all_of_them(
    database: Database, simulator: SimulatorClient, church: str
) -> None:
    org_id = church
    for mode in (SyncMode.INCREMENTAL, SyncMode.RECONCILE, SyncMode.INCREMENTAL):
        results = sync(database, org_id, GROUPS, mode)
        assert statuses(results) == {}
        assert differences(database, simulator, org_id, GROUPS) == []
        assert links(database, org_id) == links_at_the_source(simulator, org_id)
        if mode is SyncMode.INCREMENTAL and results["groups.resources"].inserted:
            before = row_versions(database, GROUPS)
        assert row_versions(database, GROUPS) == before
    both = [row for row in stored(database, org_id, RESOURCES).values() if row["group_id"] and row["group_type_id"]]
    assert both and max(map(len, links(database, org_id).values())) > 1


def test_a_parent_that_lists_a_record_no_more_goes_and_the_others_stay(
    database: Database, simulator: SimulatorClient, church: str
) -> None:
    org_id = church
    sync(database, org_id, GROUPS)
    shared = next(identifier for identifier, groups in links(database, org_id).items() if len(groups) > 1)
    type_id = stored(database, org_id, RESOURCES)[shared]["group_type_id"]
    leaving, *staying = links(database, org_id)[shared]
    other_type = next(each["id"] for each in simulator.truth(org_id, "groups.group_types") if each["id"] != type_id)
    simulator.edit(org_id, "groups.groups", [int(leaving)], relations={"group_type": int(other_type)})

    place = f"/groups/v2/groups/{leaving}/resources"
    simulator.script(Script(answer="forbidden", path=place, times=None))
    for mode in (SyncMode.INCREMENTAL, SyncMode.RECONCILE):
        assert set(statuses(sync(database, org_id, GROUPS, mode))) == {RESOURCES.name}
        assert leaving in links(database, org_id)[shared], "its listing was not read"
    simulator.clear_scripts()
    assert statuses(sync(database, org_id, GROUPS)) == {}
    assert links(database, org_id)[shared] == staying
    row = stored(database, org_id, RESOURCES)[shared]
    assert (row["group_id"], row["group_type_id"]) == (staying[0], type_id)
    assert differences(database, simulator, org_id, GROUPS) == []
    assert links(database, org_id) == links_at_the_source(simulator, org_id)

    # The last groups that list it go over too: none lists it any more, and its type still does.
    simulator.edit(org_id, "groups.groups", "all", relations={"group_type": int(other_type)})
    assert statuses(sync(database, org_id, GROUPS)) == {}
    row = stored(database, org_id, RESOURCES)[shared]
    assert (row["group_id"], row["group_type_id"]) == (None, type_id)
    assert shared not in links(database, org_id)
    assert differences(database, simulator, org_id, GROUPS) == []

    simulator.delete(org_id, "groups.resources", [int(shared)])
    results = sync(database, org_id, GROUPS, SyncMode.RECONCILE)
    assert (statuses(results), results["groups.resources"].deleted) == ({}, 1)
    assert shared not in stored(database, org_id, RESOURCES) and shared not in links(database, org_id)
    with database.connect() as connection:
        assert replay_differences(connection, org_id) == []


def test_a_record_listed_by_a_plan_and_a_template_keeps_both(database: Database, simulator: SimulatorClient) -> None:
    [org_id] = connect(database, simulator)
    simulator.set_traps(org_id, Traps(is_sharing_records=True))
    for mode in (SyncMode.INCREMENTAL, SyncMode.RECONCILE):
        assert statuses(sync(database, org_id, SERVICES, mode)) == {}
        assert differences(database, simulator, org_id, SERVICES) == []
    for stream in OF_PLANS:
        assert any(row["plan_id"] and row["plan_template_id"] for row in stored(database, org_id, stream).values())
    before = row_versions(database, SERVICES)
    assert statuses(sync(database, org_id, SERVICES, SyncMode.RECONCILE)) == {}
    assert row_versions(database, SERVICES) == before

    simulator.set_traps(org_id, Traps())
    results = sync(database, org_id, SERVICES, SyncMode.RECONCILE)
    assert (statuses(results), {result.deleted for result in results.values()}) == ({}, {0})
    assert differences(database, simulator, org_id, SERVICES) == []


Listing = tuple[str, str]
"""(relationship, id of the parent)"""
Lists = Mapping[str, set[Listing]]

PARENTS: Sequence[Listing] = (
    ("group", "2"),
    ("group", "10"),
    ("group", "1"),
    ("group_type", "7"),
    ("group_type", "11"),
)
RECORDS = ("100", "101")

listed = st.dictionaries(st.sampled_from(RECORDS), st.sets(st.sampled_from(PARENTS), min_size=1), max_size=2)
steps = st.lists(
    st.tuples(listed, st.permutations(PARENTS), st.none() | st.sets(st.sampled_from(PARENTS)), st.integers(0, 5)),
    min_size=1,
    max_size=3,
)
"""Which parents list what; the order of the listings; which are visited, None for a reconcile; where it is killed."""


async def read(
    database: Database,
    lists: Lists,
    order: Sequence[Listing],
    sync_id: str,
    killed: int,
    *,
    proven: bool,
) -> Published:
    """Stage the listings in this order, killed and gone on with after so many, and publish."""
    [walk] = plan_walks([RESOURCES], STREAMS, is_full=True)
    ends = End(tuple(RouteEnd(doubt=None if proven else "some were not visited") for _ in walk.routes))
    async with database.pool(size=1, row_factory=dict_row) as pool, pool.connection() as connection:
        request = SyncRequest("an org", sync_id, "reconcile", "a holder")
        session = await open_session(connection, request, walk, is_anew=False)
        for number, parent in enumerate(order):
            if number == killed:
                await connection.execute("UPDATE sync.stream_states SET lease_expires_at = now()")
                session = await open_session(connection, request, walk, is_anew=False)
                assert session.state == ({"read": number} if number else None)
            records = [_record(each, dict([parent])) for each, parents in sorted(lists.items()) if parent in parents]
            end = ends if number == len(order) - 1 else None
            await commit_page(connection, session, Page({RESOURCES.name: records}, {"read": number + 1}, end=end))
        gone = sorted(stored(database, "an org", RESOURCES).keys() - lists.keys()) if proven else []
        verdict = Verdict(deletions={RESOURCES.name: gone}, proven=[RESOURCES.name] if proven else [])
        return (await publish(connection, session, verdict))[RESOURCES.name]


def _record(identifier: str, parents: dict[str, str]) -> Record:
    return Record({"type": "Resource", "id": identifier, "attributes": {"name": "A"}, "relationships": {}}, parents)


class Rows:
    """The expected rows: the known parents of each record, those read last before those known earlier."""

    def __init__(self) -> None:
        self.groups: dict[str, set[str]] = {}
        self.types: dict[str, str | None] = {}

    def apply(self, lists: Lists, *, proven: bool) -> None:
        if proven:
            self.groups, self.types = {}, {}
        for identifier, parents in lists.items():
            if parents:
                types = [parent for kind, parent in parents if kind == "group_type"]
                known = self.types.get(identifier)
                self.types[identifier] = min(types, key=in_order) if types else known
                groups = {parent for kind, parent in parents if kind == "group"}
                self.groups[identifier] = self.groups.get(identifier, set()) | groups

    def expected(self) -> dict[str, tuple[str | None, str | None, list[str]]]:
        return {
            identifier: (
                min(groups, key=in_order, default=None),
                self.types[identifier],
                sorted(groups, key=in_order),
            )
            for identifier, groups in self.groups.items()
        }


def in_order(identifier: str) -> tuple[int, str]:
    return len(identifier), identifier


def found(database: Database) -> dict[str, tuple[str | None, str | None, list[str]]]:
    by_record = links(database, "an org")
    return {
        identifier: (row["group_id"], row["group_type_id"], by_record.get(identifier, []))
        for identifier, row in stored(database, "an org", RESOURCES).items()
    }


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_neither_the_order_nor_a_kill_nor_the_mode_changes_the_row(database: Database, steps: list[tuple]) -> None:  # type: ignore[type-arg]
    with database.connect(autocommit=True) as connection:
        for table in ("pco_groups.resources", "pco_groups.resources_groups", "staging.groups__resources"):
            connection.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(*table.split("."))))
        connection.execute("TRUNCATE sync.stream_syncs, sync.stream_states, sync.syncs CASCADE")
    rows = Rows()
    for number, (lists, order, part, killed) in enumerate(steps):
        visited = list(order) if part is None else [parent for parent in order if parent in part]
        shown = {each: parents & set(visited) for each, parents in lists.items() if parents & set(visited)}
        rows.apply(shown, proven=part is None)
        for again in range(2):
            sync_id = f"sync {number} {again}"
            with database.connect() as connection:
                begin_sync(connection, SyncStart(sync_id, None, "reconcile", "test", {}))
            reading = visited if not again else visited[::-1]
            if not reading:
                break
            published = asyncio.run(read(database, shown, reading, sync_id, killed, proven=part is None))
            assert found(database) == rows.expected()
            if again:
                assert (published.inserted, published.updated, published.deleted) == (0, 0, 0)


def test_only_streams_under_parents_of_several_kinds_are_shared() -> None:
    assert {stream.name: stream.listing_kinds for stream in STREAMS.values() if stream.listing_kinds} == {
        "groups.resources": ("group", "group_type"),
        "services.items": ("plan", "plan_template"),
        "services.plan_notes": ("plan", "plan_template"),
        "services.plan_people": ("plan", "plan_template"),
    }
    with pytest.raises(ValueError, match="listed_by names a placeholder that is not a parent"):
        Stream(
            product=Product.GROUPS,
            type="Thing",
            path="/groups/v2/groups/{group_id}/things",
            attributes={},
            belongs_to={"group": "groups.groups", "owner": "groups.people"},
            listed_by={"owners": "owner"},
        )
