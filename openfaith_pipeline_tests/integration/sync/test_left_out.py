"""One parent whose children cannot be read costs itself only."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.faults import Script
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline.sources import STREAMS, streams_of
from openfaith_pipeline.sync.results import StreamResult, SyncMode
from openfaith_pipeline_tests.integration.sync.church import IMPATIENT, connect, differences, statuses, stored
from openfaith_pipeline_tests.integration.sync.church import sync as sync_with
from openfaith_pipeline_tests.rates import GENEROUS

REGISTRATIONS = streams_of(Product.REGISTRATIONS)
ATTENDEES, CONTACTS = STREAMS["registrations.attendees"], STREAMS["registrations.emergency_contacts"]
UNDER_ATTENDEES = {"registrations.attendees", "registrations.emergency_contacts", "registrations.people"}

sync = partial(sync_with, client_factory=IMPATIENT)


@pytest.fixture
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator(made_up_churches(1, people=16), rate_limit=GENEROUS) as running:
        yield running


def break_parent(simulator: SimulatorClient, org_id: str, answer: str) -> str:
    """Let the attendees of the first signup that has some, and others after it, be answered so; its id."""
    owners = [record["relationships"]["signup"]["data"]["id"] for record in simulator.truth(org_id, ATTENDEES.name)]
    assert len(set(owners)) > 1
    simulator.script(Script(answer=answer, path=f"/registrations/v2/signups/{owners[0]}/attendees", times=None))
    return owners[0]


def under(rows: dict[str, dict[str, Any]], parent: str) -> set[str]:
    return {identifier for identifier, row in rows.items() if row["signup_id"] == parent}


def ends(results: dict[str, StreamResult]) -> dict[str, str]:
    return {name: result.status for name, result in results.items() if result.status != "succeeded"}


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        ("server_error", "incomplete", "500, Planning Center failed"),
        ("not_json", "incomplete", "not a JSON object"),
        ("forbidden", "withheld", "403, the connection's user may not read this"),
        ("not_found", "withheld", "404, there is nothing at this path"),
    ],
)
def test_the_others_are_published_and_it_is_named(
    database: Database, simulator: SimulatorClient, answer: str, status: str, said: str
) -> None:
    [org_id] = connect(database, simulator)
    bad = break_parent(simulator, org_id, answer)
    results = sync(database, org_id, REGISTRATIONS)
    assert ends(results) == dict.fromkeys(UNDER_ATTENDEES, status)
    named = f"/registrations/v2/signups/{bad}/attendees"
    for name in UNDER_ATTENDEES:
        assert named in str(results[name].error) and said in str(results[name].error)
    truth = {record["id"]: record for record in simulator.truth(org_id, ATTENDEES.name)}
    of_others = {id for id, each in truth.items() if each["relationships"]["signup"]["data"]["id"] != bad}
    assert stored(database, org_id, ATTENDEES).keys() == of_others


@pytest.mark.parametrize("answer", ["server_error", "forbidden"])
def test_nothing_of_it_is_deleted_rows_gone_elsewhere_are_and_the_next_sync_reads_all_of_it(
    database: Database, simulator: SimulatorClient, answer: str
) -> None:
    [org_id] = connect(database, simulator)
    assert statuses(sync(database, org_id, REGISTRATIONS)) == {}
    before = stored(database, org_id, ATTENDEES), stored(database, org_id, CONTACTS)
    bad = break_parent(simulator, org_id, answer)
    elsewhere = sorted(before[0].keys() - under(before[0], bad))[0]
    here = sorted(under(before[0], bad))[0]
    simulator.delete(org_id, ATTENDEES.name, [int(elsewhere), int(here)])

    results = sync(database, org_id, REGISTRATIONS, SyncMode.RECONCILE)
    assert set(ends(results)) == UNDER_ATTENDEES
    assert stored(database, org_id, ATTENDEES).keys() == before[0].keys() - {elsewhere}
    contacts = {id for id, row in before[1].items() if row["attendee_id"] != elsewhere}
    assert stored(database, org_id, CONTACTS).keys() == contacts

    simulator.clear_scripts()
    assert statuses(sync(database, org_id, REGISTRATIONS, SyncMode.RECONCILE)) == {}
    assert differences(database, simulator, org_id, [ATTENDEES]) == []


def test_a_sync_that_visits_only_changed_parents_visits_it_again(
    database: Database, simulator: SimulatorClient
) -> None:
    lists, results_of = STREAMS["people.lists"], STREAMS["people.list_results"]
    [org_id] = connect(database, simulator)
    owners = {record["relationships"]["list"]["data"]["id"] for record in simulator.truth(org_id, results_of.name)}
    bad = min(owners)
    simulator.script(Script(answer="server_error", path=f"/people/v2/lists/{bad}/list_results", times=None))
    assert ends(sync(database, org_id, [lists, results_of])) == {results_of.name: "incomplete"}
    assert ends(sync(database, org_id, [lists, results_of])) == {results_of.name: "incomplete"}
    simulator.clear_scripts()
    simulator.forget_requests()
    assert statuses(sync(database, org_id, [lists, results_of])) == {}
    assert differences(database, simulator, org_id, [results_of]) == []
    asked = [request["target"].partition("?")[0] for request in simulator.requests(stream=results_of.name)]
    assert f"/people/v2/lists/{bad}/list_results" in asked
    with database.connect() as connection:
        [(noted,)] = connection.execute(
            "SELECT left_out FROM sync.stream_states WHERE org_id = %s AND stream = %s", (org_id, results_of.name)
        ).fetchall()
    assert noted is None


def test_a_stream_that_no_parent_may_show_is_unavailable_as_before(
    database: Database, simulator: SimulatorClient
) -> None:
    [org_id] = connect(database, simulator)
    simulator.script(Script(answer="forbidden", path="/registrations/v2/signups/*/attendees", times=None))
    results = sync(database, org_id, REGISTRATIONS)
    assert ends(results) == dict.fromkeys(UNDER_ATTENDEES - {"registrations.people"}, "unavailable")


def test_a_stream_that_fails_under_every_parent_fails(database: Database, simulator: SimulatorClient) -> None:
    [org_id] = connect(database, simulator)
    simulator.script(Script(answer="not_json", path="/registrations/v2/signups/*/attendees", times=None))
    results = sync(database, org_id, REGISTRATIONS)
    assert ends(results) == dict.fromkeys(UNDER_ATTENDEES - {"registrations.people"}, "failed")
    assert "/registrations/v2/signups/" in str(results[ATTENDEES.name].error)
