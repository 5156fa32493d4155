"""Whatever way a record comes, it keeps the parent it was found under, though it names none itself."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from psycopg import sql
from psycopg.rows import dict_row

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk import Record
from openfaith_pipeline.catalog.walk_planner import plan_walks
from openfaith_pipeline.checks import Finding, rules_for
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.parentage import is_parentless
from openfaith_pipeline.database.table_names import raw_name
from openfaith_pipeline.load.arrivals import publish_arrivals
from openfaith_pipeline.load.sessions import ARRIVED, SyncRequest
from openfaith_pipeline.load.sync_log import SyncStart, begin_sync
from openfaith_pipeline.orgs.status import read_status
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.attempt import sync_streams
from openfaith_pipeline.sync.results import StreamResult, SyncMode
from openfaith_pipeline.sync.stream_selection import streams_between_polls, streams_due_for_reconcile
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
        rolling = streams_due_for_reconcile(connection, org_id, timedelta(days=1), now, "pco")
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
    """A record that names another parent, or none, gets that."""
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


def _lose_parents(database: Database, org_id: str, stream: Stream, column: str, most: int) -> list[str]:
    """As an earlier version did: some rows without their parent, and nothing that says since when that is minded."""
    table, where = f"{stream.schema}.{stream.short_name}", "org_id = %s"
    with database.connect() as connection:
        rows = connection.execute(
            f"UPDATE {table} SET {column} = NULL, _content_hash = 'lost'"  # noqa: S608
            f" WHERE {where} AND id IN (SELECT id FROM {table} WHERE {where} ORDER BY id LIMIT {most}) RETURNING id",
            (org_id, org_id),
        ).fetchall()
        connection.execute("UPDATE sync.stream_states SET parents_read_at = NULL, parentless = NULL")
    return [identifier for (identifier,) in rows]


def _fetched(results: Mapping[str, StreamResult]) -> int:
    return results["giving.donations"].fetched


def test_rows_that_lost_their_parent_get_it_back_by_the_next_sync(
    database: Database, simulator: SimulatorClient
) -> None:
    [org_id] = connect(database, simulator)
    first = sync(database, org_id, FAMILIES)
    [status] = read_status(database, org_id, adapter="pco")
    assert {each.parentless for each in status.streams} == {0}
    lost = _lose_parents(database, org_id, DESIGNATIONS, "donation_id", 3)
    with database.connect() as connection:
        [rule] = [rule for rule in rules_for(DESIGNATIONS) if rule.name == "rows_have_their_parent"]
        assert rule.examine(connection, DESIGNATIONS, org_id) == Finding(False, {"parentless": 3})

    plan, planned = make_plan(database, org_id, FAMILIES)
    assert planned.changes[DESIGNATIONS.name].counts == {"update": 3}
    results = apply_plan(database, org_id, plan, FAMILIES)
    assert statuses(results) == {} and results[DESIGNATIONS.name].updated == 3
    assert differences(database, simulator, org_id, FAMILIES) == []

    _lose_parents(database, org_id, DESIGNATIONS, "donation_id", 3)
    sync_id = _begun(database, "incremental")
    results = sync(database, org_id, FAMILIES, sync_id=sync_id)
    assert {name: each.updated for name, each in results.items() if each.updated} == {DESIGNATIONS.name: 3}
    assert _fetched(results) == _fetched(first)
    assert results["services.people"].fetched < first["services.people"].fetched, "and nothing else is read again"
    assert differences(database, simulator, org_id, FAMILIES) == []
    with database.connect() as connection:
        journaled = connection.execute(
            "SELECT row_key ->> 'id' FROM sync.journal WHERE sync_id = %s ORDER BY 1", (sync_id,)
        ).fetchall()
    assert [identifier for (identifier,) in journaled] == sorted(lost)
    assert _fetched(sync(database, org_id, FAMILIES)) < _fetched(first), "once"


def test_a_record_without_a_parent_at_the_source_is_looked_for_once(
    database: Database, simulator: SimulatorClient
) -> None:
    [org_id] = connect(database, simulator)
    streams = _named(_family("giving.donations"))
    whole = _fetched(sync(database, org_id, streams))
    _lose_parents(database, org_id, DESIGNATIONS, "donation_id", 1)
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO pco_giving.designations (org_id, id, _content_hash, _first_seen_at, _synced_at, _sync_id)"
            " VALUES (%s, 'orphan', '', now(), now(), 'sync')",
            (org_id,),
        )
    assert _fetched(sync(database, org_id, streams)) == whole
    [status] = read_status(database, org_id, adapter="pco")
    assert {each.stream: each.parentless for each in status.streams if each.parentless} == {DESIGNATIONS.name: 1}
    assert _fetched(sync(database, org_id, streams)) < whole


def test_a_note_without_plan_is_parentless_unless_its_item_is_a_templates(database: Database) -> None:
    notes = STREAMS["services.item_notes"]
    bare = "INSERT INTO pco_services.{} (_content_hash, _first_seen_at, _synced_at, _sync_id, org_id, id, "
    with database.connect() as connection:
        for table, columns, rows in (
            ("items", "plan_id, plan_template_id", ("'planned', '1', '2', NULL", "'templated', '1', NULL, '3'")),
            ("item_notes", "plan_id, item_id", ("'1', '1', '2', 'planned'", "'2', '1', NULL, 'templated'")),
            ("item_notes", "plan_id, item_id", ("'3', '1', NULL, 'planned'", "'4', '1', NULL, 'unknown'")),
            ("item_notes", "plan_id, item_id", ("'5', NULL, NULL, 'templated'", "'6', '1', NULL, NULL")),
        ):
            for row in rows:
                connection.execute(
                    f"{bare.format(table)}service_type_id, {columns}) VALUES ('', now(), now(), 'sync', 'org', {row})"
                )
        query = sql.SQL("SELECT id FROM {} WHERE {} ORDER BY id").format(raw_name(notes), is_parentless(notes))
        assert [identifier for (identifier,) in connection.execute(query)] == ["3", "4", "5", "6"]


def test_the_record_above_its_parent_is_known_from_that_one(database: Database, simulator: SimulatorClient) -> None:
    """An item that comes by itself names its plan; the service type is the plan's, also after it went to another."""
    [org_id] = connect(database, simulator)
    plans, items = STREAMS["services.plans"], STREAMS["services.items"]
    sync(database, org_id, [STREAMS["services.service_types"], plans, STREAMS["services.plan_templates"], items])
    of_plan = {each: row["service_type_id"] for each, row in stored(database, org_id, plans).items()}
    rows = {each: row for each, row in stored(database, org_id, items).items() if row["plan_id"]}
    kept, moved = sorted(rows)[:2]
    other = next(each for each, of_type in of_plan.items() if of_type != rows[moved]["service_type_id"])

    def item(identifier: str, **relationships: object) -> Record:
        return Record({"type": "Item", "id": identifier, "attributes": {}, "relationships": relationships}, {})

    to_other = {"data": {"type": "Plan", "id": other}}
    _arrive(database, org_id, items, item(kept), item(moved, plan=to_other), item("new", plan=to_other))
    now = stored(database, org_id, items)
    told = {each: (now[each]["plan_id"], now[each]["service_type_id"]) for each in (kept, moved, "new")}
    there = other, of_plan[other]
    assert told == {kept: (rows[kept]["plan_id"], rows[kept]["service_type_id"]), moved: there, "new": there}


def test_a_parent_of_any_type_comes_with_its_type(database: Database, simulator: SimulatorClient) -> None:
    [org_id] = connect(database, simulator)
    answers = STREAMS["people.field_data"]
    sync(database, org_id, [STREAMS["people.people"], answers])
    [known, *_] = sorted(stored(database, org_id, answers))
    before = stored(database, org_id, answers)[known]
    blank = {"type": "FieldDatum", "attributes": {}, "relationships": {}}
    _arrive(
        database,
        org_id,
        answers,
        Record({**blank, "id": known}, {}),
        Record({**blank, "id": "new"}, {"customizable": "7"}),
    )
    rows = stored(database, org_id, answers)
    told = [(rows[each]["customizable_id"], rows[each]["customizable_type"]) for each in (known, "new")]
    assert told == [(before["customizable_id"], before["customizable_type"]), ("7", "Person")]
