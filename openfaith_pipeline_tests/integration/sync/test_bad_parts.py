"""An include that always fails, and a record that makes its page fail, cost themselves only."""

from collections.abc import Iterator, Sequence
from functools import partial

import pytest

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database import Database
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.faults import Script
from openfaith_pipeline.simulator.options import Traps
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.results import StreamResult, SyncMode
from openfaith_pipeline_tests.integration.sync.church import (
    IMPATIENT,
    PEOPLE_ONLY,
    connect,
    differences,
    statuses,
    stored,
)
from openfaith_pipeline_tests.integration.sync.church import sync as sync_with
from openfaith_pipeline_tests.rates import GENEROUS

sync = partial(sync_with, client_factory=IMPATIENT)
PEOPLE, APPS, PROFILES = (STREAMS[f"people.{name}"] for name in ("people", "person_apps", "social_profiles"))
SOME = [PEOPLE, STREAMS["people.emails"], APPS, PROFILES]
LISTS = [STREAMS[f"people.{name}"] for name in ("lists", "rules", "conditions", "list_shares")]


@pytest.fixture
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator(made_up_churches(1, people=16), rate_limit=GENEROUS) as running:
        yield running


def ends(results: dict[str, StreamResult]) -> dict[str, str]:
    return {name: result.status for name, result in results.items() if result.status != "succeeded"}


@pytest.mark.parametrize(
    ("answer", "streams"), [("server_error", PEOPLE_ONLY), ("not_json", SOME), ("forbidden", SOME)]
)
def test_a_stream_whose_include_always_fails_is_read_by_its_own_listing(
    database: Database, simulator: SimulatorClient, answer: str, streams: Sequence[Stream]
) -> None:
    [org_id] = connect(database, simulator)
    simulator.script(Script(answer=answer, include=PROFILES.short_name, times=None))
    for mode in (SyncMode.INCREMENTAL, SyncMode.RECONCILE):
        simulator.forget_requests()
        assert statuses(sync(database, org_id, streams, mode)) == {}
        assert differences(database, simulator, org_id, streams) == []
        tries = [each for each in simulator.requests(stream=PEOPLE.name) if "social_profiles" in each["target"]]
        assert 0 < len(tries) < 30


def test_streams_included_with_few_parents_are_read_under_each(database: Database, simulator: SimulatorClient) -> None:
    [org_id] = connect(database, simulator)
    simulator.script(Script(answer="server_error", include="rules", times=None))
    assert statuses(sync(database, org_id, LISTS)) == {}
    assert differences(database, simulator, org_id, LISTS) == []


@pytest.mark.parametrize(("answer", "status"), [("server_error", "failed"), ("forbidden", "unavailable")])
def test_a_stream_that_comes_by_no_other_way_fails_alone_and_nothing_of_it_is_missed_later(
    database: Database, simulator: SimulatorClient, answer: str, status: str
) -> None:
    [org_id] = connect(database, simulator)
    assert statuses(sync(database, org_id, SOME)) == {}
    before = stored(database, org_id, APPS)
    simulator.script(Script(answer=answer, include=APPS.short_name, times=None))
    simulator.edit(org_id, APPS.name, "all")
    simulator.edit(org_id, PEOPLE.name, "all")
    for mode in (SyncMode.INCREMENTAL, SyncMode.RECONCILE):
        results = sync(database, org_id, SOME, mode)
        assert ends(results) == {APPS.name: status}
        assert "include=person_apps" in str(results[APPS.name].error)
        assert stored(database, org_id, APPS) == before
        assert differences(database, simulator, org_id, [PEOPLE, PROFILES]) == []
    with database.connect() as connection:
        [newest] = connection.execute(
            "SELECT status FROM sync.stream_syncs WHERE stream = %s ORDER BY id DESC LIMIT 1", (APPS.name,)
        ).fetchall()
    assert newest == (status,)
    simulator.clear_scripts()
    assert statuses(sync(database, org_id, SOME)) == {}
    assert differences(database, simulator, org_id, SOME) == []


def test_a_relationship_that_cannot_be_requested_stays_as_it_was(
    database: Database, simulator: SimulatorClient
) -> None:
    [org_id] = connect(database, simulator)
    assert statuses(sync(database, org_id, SOME)) == {}
    known = {id: row["marital_status_id"] for id, row in stored(database, org_id, PEOPLE).items()}
    assert any(known.values())
    simulator.script(Script(answer="server_error", include="marital_status", times=None))
    simulator.edit(org_id, PEOPLE.name, "all", attributes={"nickname": "Skip"})
    results = sync(database, org_id, SOME)
    assert ends(results) == {PEOPLE.name: "incomplete"}
    assert "include=marital_status" in str(results[PEOPLE.name].error)
    rows = stored(database, org_id, PEOPLE)
    assert {row["nickname"] for row in rows.values()} == {"Skip"}
    assert {id: row["marital_status_id"] for id, row in rows.items()} == known


@pytest.mark.parametrize("answer", ["server_error", "not_json"])
def test_a_record_that_makes_its_page_fail_is_left_out_alone(
    database: Database, simulator: SimulatorClient, answer: str
) -> None:
    [org_id] = connect(database, simulator)
    assert statuses(sync(database, org_id, SOME)) == {}
    bad = sorted(stored(database, org_id, PEOPLE))[3]
    simulator.script(Script(answer=answer, record=bad, path=PEOPLE.path, times=None))
    simulator.edit(org_id, PEOPLE.name, "all", attributes={"nickname": "Skip"})
    for mode in (SyncMode.INCREMENTAL, SyncMode.RECONCILE):
        results = sync(database, org_id, SOME, mode)
        assert results[PEOPLE.name].status == "incomplete"
        assert "/people/v2/people, record " in str(results[PEOPLE.name].error)
        rows = stored(database, org_id, PEOPLE)
        assert {id for id, row in rows.items() if row["nickname"] != "Skip"} == {bad}
    simulator.clear_scripts()
    assert statuses(sync(database, org_id, SOME)) == {}
    assert differences(database, simulator, org_id, SOME) == []


@pytest.mark.parametrize(("answer", "status"), [("server_error", "incomplete"), ("forbidden", "succeeded")])
def test_a_record_that_its_page_lacks_and_that_cannot_be_requested_holds_up_no_other(
    database: Database, simulator: SimulatorClient, answer: str, status: str
) -> None:
    both = [PEOPLE, STREAMS["people.emails"]]
    [org_id] = connect(database, simulator)
    assert statuses(sync(database, org_id, both)) == {}
    simulator.set_traps(org_id, Traps(lagging_includes=("people.emails",)))
    simulator.script(Script(answer=answer, path="/people/v2/emails/*", times=None))
    simulator.edit(org_id, PEOPLE.name, "all", attributes={"nickname": "Skip"})
    results = sync(database, org_id, both)
    assert {result.status for result in results.values()} == {status}
    if status == "incomplete":
        assert "/people/v2/emails/" in str(results[PEOPLE.name].error)
    assert {row["nickname"] for row in stored(database, org_id, PEOPLE).values()} == {"Skip"}
    simulator.set_traps(org_id, Traps())
    simulator.clear_scripts()
    assert statuses(sync(database, org_id, both)) == {}
    assert differences(database, simulator, org_id, both) == []
