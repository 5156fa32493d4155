"""Silence under one parent is emptiness only where the source says so: else its rows stay, and it is named."""

import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.faults import Script
from openfaith_pipeline.simulator.options import Traps
from openfaith_pipeline.simulator.server import made_up_churches
from openfaith_pipeline.sources import STREAMS, streams_of
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline_tests.integration.sync.church import (
    IMPATIENT,
    differences,
    row_versions,
    statuses,
    stored,
    sync,
)

CHURCHES = made_up_churches(1, people=110)
GROUPS = SYNCED = streams_of(Product.GROUPS)
MEMBERSHIPS, RSVPS, ATTENDANCES = (STREAMS[f"groups.{name}"] for name in ("memberships", "rsvps", "attendances"))


def under(database: Database, org_id: str, name: str, parent: str) -> dict[str, list[str]]:
    """By parent, the ids of the stream's rows, in one order: that of Postgres depends on its plan."""
    found: dict[str, list[str]] = {}
    for identifier, row in sorted(stored(database, org_id, STREAMS[name]).items()):
        found.setdefault(row[f"{parent}_id"], []).append(identifier)
    return found


@pytest.mark.parametrize("single", ["pass", "forbidden", "server_error"])
def test_a_record_that_a_parent_does_not_list_and_does_not_deny_stays(
    database: Database, simulator: SimulatorClient, synced_org: str, single: str
) -> None:
    rows = under(database, synced_org, RSVPS.name, "event")
    event, other = sorted(rows)[:2]
    place = f"/groups/v2/events/{event}/rsvps"
    simulator.script(Script(answer="silence", path=place, times=None))
    simulator.script(Script(answer=single, path=f"{place}/*", times=None))
    simulator.delete(synced_org, RSVPS.name, [int(rows[other][0])])

    results = sync(database, synced_org, GROUPS, SyncMode.RECONCILE, client_factory=IMPATIENT)
    assert set(statuses(results)) == {RSVPS.name}
    assert results[RSVPS.name].status == "withheld"
    assert place in str(results[RSVPS.name].error)
    rows[other].pop(0)
    left = under(database, synced_org, RSVPS.name, "event")
    assert left == {each: ids for each, ids in rows.items() if ids}

    # An incremental sync requests none of them and still reports them as withheld.
    simulator.forget_requests()
    results = sync(database, synced_org, GROUPS)
    assert results[RSVPS.name].status == "withheld" and place in str(results[RSVPS.name].error)
    assert not [each for each in simulator.requests(stream=RSVPS.name) if f"{place}/" in each["target"]]

    simulator.clear_scripts()
    assert statuses(sync(database, synced_org, GROUPS, SyncMode.RECONCILE)) == {}
    assert differences(database, simulator, synced_org, GROUPS) == []


def test_a_parents_count_is_believed_though_a_request_finds_none(
    database: Database, simulator: SimulatorClient, synced_org: str
) -> None:
    rows = under(database, synced_org, MEMBERSHIPS.name, "group")
    hidden, *emptied = sorted(rows)
    simulator.edit(synced_org, "groups.groups", [int(hidden)], attributes={"memberships_count": len(rows[hidden])})
    simulator.edit(synced_org, "groups.groups", [int(group) for group in emptied], attributes={"memberships_count": 0})
    simulator.script(Script(answer="silence", path=f"/groups/v2/groups/{hidden}/memberships", times=None))
    simulator.script(Script(answer="not_found", path=f"/groups/v2/groups/{hidden}/memberships/*", times=None))
    simulator.delete(synced_org, MEMBERSHIPS.name, [int(each) for group in emptied[:1] for each in rows[group]])

    results = sync(database, synced_org, GROUPS, SyncMode.RECONCILE)
    assert results[MEMBERSHIPS.name].status == "withheld"
    assert f"its parent counts {len(rows[hidden])}" in str(results[MEMBERSHIPS.name].error)
    left = under(database, synced_org, MEMBERSHIPS.name, "group")
    assert left.keys() == rows.keys() - set(emptied[:1])
    assert left[hidden] == rows[hidden]


def test_many_silent_at_once_are_not_believed_and_one_that_is_empty_is(
    database: Database, simulator: SimulatorClient, synced_org: str
) -> None:
    rows, versions = under(database, synced_org, RSVPS.name, "event"), row_versions(database, [RSVPS])
    first, *others = sorted(rows)
    assert len(others) > 1
    simulator.delete(synced_org, RSVPS.name, [int(each) for each in rows[first]])
    for event in others[:-1]:
        place = f"/groups/v2/events/{event}/rsvps"
        simulator.script(Script(answer="silence", path=place, times=None))
        simulator.script(Script(answer="not_found", path=f"{place}/*", times=None))
    results = sync(database, synced_org, GROUPS, SyncMode.RECONCILE)
    assert results[RSVPS.name].status == "withheld"
    assert under(database, synced_org, RSVPS.name, "event") == rows
    assert row_versions(database, [RSVPS]) == versions, "nothing was written to them either"

    simulator.clear_scripts()
    results = sync(database, synced_org, GROUPS, SyncMode.RECONCILE)
    assert statuses(results) == {}
    assert results[RSVPS.name].deleted == len(rows[first])
    assert differences(database, simulator, synced_org, GROUPS) == []


def test_where_no_request_shows_a_single_record_one_silent_parent_proves_nothing(
    database: Database, simulator: SimulatorClient, synced_org: str
) -> None:
    rows = under(database, synced_org, ATTENDANCES.name, "event")
    hidden, gone, other = sorted(rows)[:3]
    place = f"/groups/v2/events/{hidden}/attendances"
    simulator.script(Script(answer="silence", path=place, times=None))
    simulator.delete(synced_org, "groups.events", [int(gone)])
    simulator.delete(synced_org, ATTENDANCES.name, [int(rows[other].pop())])
    del rows[gone]

    results = sync(database, synced_org, GROUPS, SyncMode.RECONCILE)
    assert set(statuses(results)) == {ATTENDANCES.name}
    assert results[ATTENDANCES.name].status == "withheld" and place in str(results[ATTENDANCES.name].error)
    assert under(database, synced_org, ATTENDANCES.name, "event") == {each: ids for each, ids in rows.items() if ids}
    assert not [each for each in simulator.requests(stream=ATTENDANCES.name) if f"{place}/" in each["target"]]

    simulator.clear_scripts()
    assert statuses(sync(database, synced_org, GROUPS, SyncMode.RECONCILE)) == {}
    assert differences(database, simulator, synced_org, GROUPS) == []


def test_a_product_with_lists_by_permission_is_not_taken_for_emptied(
    database: Database, simulator: SimulatorClient, synced_org: str
) -> None:
    streams = streams_of(Product.REGISTRATIONS)
    assert statuses(sync(database, synced_org, streams)) == {}
    before = {stream.name: stored(database, synced_org, stream) for stream in streams}
    simulator.set_traps(synced_org, Traps(silent_products=("registrations",)))
    results = sync(database, synced_org, streams, SyncMode.RECONCILE)
    assert {stream.name: stored(database, synced_org, stream) for stream in streams} == before
    assert results["registrations.signups"].status == results["registrations.attendees"].status == "withheld"
    simulator.set_traps(synced_org, Traps())
    assert statuses(sync(database, synced_org, streams, SyncMode.RECONCILE)) == {}


def test_the_last_record_of_a_stream_is_seen_to_go_where_the_product_is_readable_otherwise(
    database: Database, simulator: SimulatorClient, synced_org: str
) -> None:
    campuses = STREAMS["groups.campuses"]
    first, *others = sorted(stored(database, synced_org, campuses))
    simulator.delete(synced_org, campuses.name, [int(each) for each in others])
    assert statuses(sync(database, synced_org, GROUPS, SyncMode.RECONCILE)) == {}
    simulator.set_traps(synced_org, Traps(silent_products=("groups",)))
    results = sync(database, synced_org, GROUPS, SyncMode.RECONCILE)
    assert results[campuses.name].status == "withheld"
    assert stored(database, synced_org, campuses).keys() == {first}

    simulator.set_traps(synced_org, Traps())
    simulator.script(Script(answer="silence", path=campuses.path, times=None))
    results = sync(database, synced_org, GROUPS, SyncMode.RECONCILE)
    assert results[campuses.name].status == "withheld", "asking finds it"
    simulator.delete(synced_org, campuses.name, [int(first)])
    results = sync(database, synced_org, [campuses], SyncMode.RECONCILE)
    assert (statuses(results), results[campuses.name].deleted) == ({}, 1)
    assert stored(database, synced_org, campuses) == {}
