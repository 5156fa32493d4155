"""After a sync the raw tables are the source, row by row and value by value."""

from collections import Counter

import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.options import Faults, RateLimit, Traps
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline_tests.integration.sync.church import (
    PEOPLE_ONLY,
    connect,
    differences,
    row_versions,
    statuses,
    stored,
    sync,
)
from openfaith_pipeline_tests.integration.sync.conftest import CHURCHES

PEOPLE, EMAILS = STREAMS["people.people"], STREAMS["people.emails"]
NOTES = STREAMS["people.notes"]
SYNCED = PEOPLE_ONLY


def last_full(database: Database, org_id: str) -> set[str]:
    with database.connect() as connection:
        rows = connection.execute(
            "SELECT stream FROM sync.stream_states WHERE org_id = %s AND last_full_at IS NOT NULL", (org_id,)
        ).fetchall()
    return {stream for (stream,) in rows}


def test_two_churches_that_share_ids_are_each_their_own(database: Database, simulator: SimulatorClient) -> None:
    first, second = connect(database, simulator)
    for org_id in (first, second):
        results = sync(database, org_id)
        assert statuses(results) == {}
        assert sum(result.inserted for result in results.values()) > 1500
    assert differences(database, simulator, first) == []
    assert differences(database, simulator, second) == []
    shared = stored(database, first, PEOPLE).keys() & stored(database, second, PEOPLE).keys()
    assert shared and shared & stored(database, first, EMAILS).keys()


def test_a_second_sync_writes_nothing(database: Database, synced_org: str) -> None:
    before = row_versions(database)
    results = sync(database, synced_org)
    assert statuses(results) == {}
    assert {(result.inserted, result.updated) for result in results.values()} == {(0, 0)}
    assert row_versions(database) == before
    assert results["people.people"].requests == 1


def test_a_first_sync_is_a_full_reading_and_a_sync_of_changes_is_none(
    database: Database, simulator: SimulatorClient
) -> None:
    [org_id, _] = connect(database, simulator)
    simulator.inject(org_id, "people.tabs", {"type": "Tab", "id": None, "attributes": {}})
    assert statuses(sync(database, org_id)) == {}
    read = {stream.name for stream in PEOPLE_ONLY}
    assert last_full(database, org_id) == read - {"people.tabs"}, "a record that could not be kept is missing"
    with database.connect() as connection:
        connection.execute("UPDATE sync.stream_states SET last_full_at = NULL")
    sync(database, org_id)
    assert last_full(database, org_id) == set()


def test_a_first_sync_that_finds_rows_here_and_does_not_list_them_is_no_full_reading(
    database: Database, simulator: SimulatorClient
) -> None:
    [org_id, _] = connect(database, simulator)
    sync(database, org_id, [EMAILS, PEOPLE])
    [gone, *_] = stored(database, org_id, EMAILS)
    simulator.delete(org_id, "people.emails", [int(gone)])
    with database.connect() as connection:
        connection.execute("DELETE FROM sync.stream_states WHERE org_id = %s", (org_id,))
    assert statuses(sync(database, org_id, [EMAILS, PEOPLE])) == {}
    assert last_full(database, org_id) == {"people.people"}


@pytest.mark.usefixtures("synced_org")
def test_changes_are_followed(database: Database, simulator: SimulatorClient) -> None:
    org_id, other = (church.org_id for church in CHURCHES)
    for stream in PEOPLE_ONLY:
        # Records that never change, and those included with parents that grow with the church, wait for reconcile.
        if stream.cursor != "created_at" and not stream.carried_as:
            simulator.edit(org_id, stream.name, count=3)
        if not stream.placeholders and not stream.is_singleton:
            simulator.add(org_id, stream.name, count=2)
    results = sync(database, org_id)
    assert statuses(results) == {}
    assert results["people.emails"].inserted == 2 and results["people.emails"].updated >= 1
    assert differences(database, simulator, org_id) == []
    assert stored(database, other, PEOPLE) == {}
    for stream in PEOPLE_ONLY:
        simulator.edit(org_id, stream.name, count=3)
    results = sync(database, org_id, mode=SyncMode.RECONCILE)
    assert statuses(results) == {}
    assert results["people.emails"].caught == results["people.tabs"].caught == 0
    assert differences(database, simulator, org_id) == []
    assert last_full(database, org_id) == {stream.name for stream in PEOPLE_ONLY}


def test_reconcile_finds_deletions_and_changes_without_a_new_timestamp(
    database: Database, simulator: SimulatorClient, synced_org: str
) -> None:
    gone = [int(identifier) for identifier in list(stored(database, synced_org, EMAILS))[:4]]
    simulator.delete(synced_org, "people.emails", gone)
    simulator.edit(synced_org, "people.phone_numbers", count=2, attributes={"location": "Elsewhere"}, is_quiet=True)
    assert differences(database, simulator, synced_org)
    results = sync(database, synced_org, mode=SyncMode.RECONCILE)
    assert statuses(results) == {}
    assert results["people.emails"].deleted == 4
    assert results["people.phone_numbers"].updated == results["people.phone_numbers"].caught == 2
    assert differences(database, simulator, synced_org) == []


def test_a_storm_of_faults_ends_equal_to_truth(database: Database, simulator: SimulatorClient) -> None:
    [org_id, _] = connect(database, simulator)
    simulator.set_faults(Faults.evenly(0.2, seed=7, slow_ms=20, retry_after=0))
    results = sync(database, org_id)
    assert statuses(results) == {}
    simulator.set_faults(Faults())
    assert differences(database, simulator, org_id) == []
    met = Counter(request["status"] for request in simulator.requests())
    assert sum(count for status, count in met.items() if status != 200) > 10


def test_the_rate_limit_is_never_overrun(database: Database, simulator: SimulatorClient) -> None:
    [org_id, _] = connect(database, simulator)
    simulator.set_rate_limit(RateLimit(limit=40, period_seconds=2, is_sliding=True))
    assert statuses(sync(database, org_id)) == {}
    assert simulator.stats()["rate_limited"] == 0
    assert len(simulator.requests()) > 80


def test_a_broken_record_is_set_aside_and_the_rest_goes_on(database: Database, simulator: SimulatorClient) -> None:
    [org_id, _] = connect(database, simulator)
    [edited] = simulator.edit(org_id, "people.emails", attributes={"created_at": "not a moment", "shoe_size": 44})
    simulator.inject(org_id, "people.tabs", {"type": "Tab", "id": None, "attributes": {}})
    results = sync(database, org_id)
    assert statuses(results) == {}
    assert results["people.emails"].quarantined == 1 and results["people.tabs"].quarantined == 1
    row = stored(database, org_id, EMAILS)[str(edited)]
    assert row["created_at"] is None and row["_extra"] == {"created_at": "not a moment", "shoe_size": 44}
    with database.connect() as connection:
        entries = connection.execute(
            "SELECT stream, record_id, field FROM sync.quarantine WHERE resolved_at IS NULL ORDER BY stream"
        ).fetchall()
    assert entries == [("people.emails", str(edited), "created_at"), ("people.tabs", None, None)]
    every = "SELECT id, resolved_at FROM sync.quarantine ORDER BY id"
    with database.connect() as connection:
        before = connection.execute(every).fetchall()
    for mode in (SyncMode.INCREMENTAL, SyncMode.RECONCILE):
        again = sync(database, org_id, mode=mode)
        assert again["people.tabs"].quarantined == 1
    with database.connect() as connection:
        assert connection.execute(every).fetchall() == before, "what is read again as it was leaves no second entry"
    simulator.edit(org_id, "people.emails", [edited], attributes={"created_at": "2026-01-01T00:00:00Z"})
    sync(database, org_id, [EMAILS])
    with database.connect() as connection:
        left = connection.execute("SELECT stream FROM sync.quarantine WHERE resolved_at IS NULL").fetchall()
    assert left == [("people.tabs",)]


def test_withheld_streams_are_recorded_and_delete_nothing(
    database: Database, simulator: SimulatorClient, synced_org: str
) -> None:
    before = stored(database, synced_org, NOTES)
    simulator.set_traps(synced_org, Traps(forbidden_streams=("people.notes", "people.households")))
    results = sync(database, synced_org, mode=SyncMode.RECONCILE)
    assert set(statuses(results)) == {
        "people.notes",
        "people.households",
        "people.household_memberships",
    }
    assert results["people.notes"].status == "unavailable"
    assert stored(database, synced_org, NOTES) == before
    simulator.set_traps(synced_org, Traps())
    assert statuses(sync(database, synced_org)) == {}


def test_full_pages_without_next_lose_nothing(database: Database, simulator: SimulatorClient) -> None:
    [org_id, _] = connect(database, simulator)
    simulator.set_traps(org_id, Traps(missing_next=("people.people", "people.tabs")))
    assert statuses(sync(database, org_id)) == {}
    assert differences(database, simulator, org_id) == []


def test_a_total_that_is_stuck_deletes_nothing(database: Database, simulator: SimulatorClient, synced_org: str) -> None:
    before = stored(database, synced_org, PEOPLE)
    simulator.set_traps(synced_org, Traps(stuck_total={"people.people": 100}))
    results = sync(database, synced_org, [PEOPLE], mode=SyncMode.RECONCILE)
    assert results["people.people"].status == "incomplete" and results["people.people"].deleted == 0
    assert stored(database, synced_org, PEOPLE) == before
