"""Whatever way a record comes, it keeps the parent it was found under, though it names none itself."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from psycopg.rows import dict_row

from openfaith_pipeline.catalog import STREAMS, Stream
from openfaith_pipeline.database import Database
from openfaith_pipeline.extract.walks import plan_walks
from openfaith_pipeline.load.arrivals import publish_arrivals
from openfaith_pipeline.load.sessions import ARRIVED, SyncRequest
from openfaith_pipeline.load.sync_log import SyncStart, begin_sync
from openfaith_pipeline.polling import streams_between_polls
from openfaith_pipeline.results import StreamResult, SyncMode
from openfaith_pipeline.rolling import streams_due_for_reconcile
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline.sync import sync_streams
from openfaith_pipeline.walk import Record
from openfaith_pipeline_tests.integration.sync.church import (
    connect,
    differences,
    row_versions,
    statuses,
    stored,
    sync,
)
from openfaith_pipeline_tests.integration.sync.test_plans import apply_plan, make_plan
from openfaith_pipeline_tests.rates import GENEROUS

CARRYING = ("giving.donations", "services.people", "services.teams", "people.people", "people.lists", "people.campuses")


def _family(name: str) -> set[str]:
    """The stream, and all that comes included with it."""
    walks = plan_walks(STREAMS.values(), STREAMS, is_full=False)
    routes = [route for walk in walks for route in walk.routes if route.lead.name == name]
    return {name, *(each.stream.name for route in routes for each in route.carried)}


READ = {name for lead in CARRYING for name in _family(lead)}
FAMILIES = tuple(stream for stream in STREAMS.values() if stream.name in READ)
DESIGNATIONS, REFUNDS, EMAILS = (STREAMS[name] for name in ("giving.designations", "giving.refunds", "services.emails"))


@pytest.fixture
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator(made_up_churches(1, people=110), rate_limit=GENEROUS) as running:
        yield running


def _named(names: set[str] | Sequence[str]) -> list[Stream]:
    return [stream for stream in FAMILIES if stream.name in names]


def _begun(database: Database, mode: str) -> str:
    sync_id = f"{mode}_{uuid4().hex}"
    with database.connect() as connection:
        begin_sync(connection, SyncStart(sync_id, None, mode, "test", {}))
    return sync_id


def _rotate(database: Database, org_id: str, streams: Sequence[Stream]) -> dict[str, StreamResult]:
    """As a sync that comes often does."""
    sync_id = _begun(database, "incremental")
    return asyncio.run(
        sync_streams(database, org_id, streams, mode=SyncMode.INCREMENTAL, sync_id=sync_id, is_rotating=True)
    )


def test_with_nothing_changed_nothing_is_written_whatever_way_it_is_read(
    database: Database, simulator: SimulatorClient
) -> None:
    [org_id] = connect(database, simulator)
    assert statuses(sync(database, org_id, FAMILIES)) == {}
    assert differences(database, simulator, org_id, FAMILIES) == []
    assert stored(database, org_id, DESIGNATIONS) and stored(database, org_id, EMAILS)
    before = row_versions(database, FAMILIES)
    now = datetime.now(UTC)
    with database.connect() as connection:
        quick = streams_between_polls(connection, org_id, now)
        rolling = streams_due_for_reconcile(connection, org_id, timedelta(days=1), now)
    plan, _ = make_plan(database, org_id, FAMILIES)
    for results in (
        apply_plan(database, org_id, plan, FAMILIES),
        sync(database, org_id, FAMILIES),
        sync(database, org_id, _named(quick)),
        _rotate(database, org_id, FAMILIES),
        sync(database, org_id, _named(rolling), SyncMode.RECONCILE),
        sync(database, org_id, FAMILIES, SyncMode.FULL_REFRESH),
    ):
        assert results and statuses(results) == {}
        assert {name for name, each in results.items() if each.inserted or each.updated or each.deleted} == set()
    assert row_versions(database, FAMILIES) == before
    assert differences(database, simulator, org_id, FAMILIES) == []


def test_a_child_that_gets_another_parent_has_it_after_the_next_sync(
    database: Database, simulator: SimulatorClient
) -> None:
    [org_id] = connect(database, simulator)
    sync(database, org_id, FAMILIES)
    rows = stored(database, org_id, DESIGNATIONS)
    moved, other = sorted(rows)[:2]
    donation = rows[other]["donation_id"]
    assert rows[moved]["donation_id"] != donation
    simulator.edit(org_id, DESIGNATIONS.name, [int(moved)], relations={"donation": int(donation)})
    simulator.edit(org_id, "giving.donations", [int(donation), int(rows[moved]["donation_id"])])
    results = sync(database, org_id, FAMILIES)
    assert results[DESIGNATIONS.name].updated == 1
    assert stored(database, org_id, DESIGNATIONS)[moved]["donation_id"] == donation
    assert differences(database, simulator, org_id, FAMILIES) == []


def _arrive(database: Database, org_id: str, stream: Stream, *records: Record) -> None:
    """Publish records that came by themselves."""
    request = SyncRequest(org_id, _begun(database, ARRIVED), ARRIVED, "test:1")

    async def run() -> None:
        async with database.pool(size=1, row_factory=dict_row) as pool, pool.connection() as connection:
            await publish_arrivals(connection, request, [stream], {stream.name: list(records)}, {})

    asyncio.run(run())


def _email(identifier: str, **relationships: object) -> Record:
    return Record({"type": "Email", "id": identifier, "attributes": {}, "relationships": relationships}, {})


def test_a_record_that_says_nothing_of_its_parent_keeps_it(database: Database, simulator: SimulatorClient) -> None:
    """And one that says that it has none, or another, has what it says."""
    [org_id] = connect(database, simulator)
    sync(database, org_id, _named(_family("services.people")))
    first, second, third, fourth = sorted(stored(database, org_id, EMAILS))[:4]
    parents = {each: stored(database, org_id, EMAILS)[each]["person_id"] for each in (first, second)}
    _arrive(
        database,
        org_id,
        EMAILS,
        _email(first),
        _email(second, person={"links": {"related": None}}),
        _email(third, person={"data": None}),
        _email(fourth, person={"data": {"type": "Person", "id": "7"}}),
        _email("new", person={"data": {"type": "Person", "id": "8"}}),
        _email("new"),
    )
    rows = stored(database, org_id, EMAILS)
    told = {each: rows[each]["person_id"] for each in (first, second, third, fourth, "new")}
    assert told == {**parents, third: None, fourth: "7", "new": "8"}
