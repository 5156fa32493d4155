"""Emails, addresses and the like that belong to nobody: no page of people brings them, only their own listing."""

import asyncio
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest

from openfaith_pipeline.audit.verification import Extent, verify_org
from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import DatabaseUnavailable
from openfaith_pipeline.simulator import Script
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.attempt import Attempt
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline_tests.integration.sync.church import connect, statuses, sync
from openfaith_pipeline_tests.rates import GENEROUS

ORPHANED = ("people.emails", "people.phone_numbers", "people.addresses", "people.social_profiles")
CHOSEN = [STREAMS[name] for name in ("people.people", *ORPHANED)]


@pytest.fixture
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator(made_up_churches(1, people=30), rate_limit=GENEROUS) as running:
        yield running


@pytest.fixture
def org_id(database: Database, simulator: SimulatorClient) -> str:
    [org_id] = connect(database, simulator)
    return org_id


def orphan(simulator: SimulatorClient, org_id: str, *streams: str) -> dict[str, int]:
    """A record of each stream that names no person."""
    made = {name: simulator.add(org_id, name)[0] for name in streams}
    for name, identifier in made.items():
        simulator.edit(org_id, name, [identifier], relations={"person": None})
    return made


def equals_truth(database: Database, simulator: SimulatorClient, org_id: str) -> bool:
    with database.connect() as connection:
        for name in ORPHANED:
            rows = connection.execute(
                f"SELECT id FROM pco_{name} WHERE org_id = %s AND _deleted_at IS NULL".encode(),  # noqa: S608
                (org_id,),
            ).fetchall()
            if {identifier for (identifier,) in rows} != {each["id"] for each in simulator.truth(org_id, name)}:
                return False
    return True


@pytest.mark.parametrize("mode", list(SyncMode))
def test_a_first_sync_has_them(database: Database, simulator: SimulatorClient, org_id: str, mode: SyncMode) -> None:
    orphan(simulator, org_id, *ORPHANED)
    results = sync(database, org_id, CHOSEN, mode)
    assert statuses(results) == {}
    assert equals_truth(database, simulator, org_id)
    emails = results["people.emails"]
    assert (emails.inserted, emails.mode) == (len(simulator.truth(org_id, "people.emails")), mode.value)


@pytest.mark.parametrize("mode", [SyncMode.RECONCILE, SyncMode.FULL_REFRESH])
def test_they_stay_and_a_deletion_beside_them_is_found(
    database: Database, simulator: SimulatorClient, org_id: str, mode: SyncMode
) -> None:
    sync(database, org_id, CHOSEN)
    orphan(simulator, org_id, *ORPHANED)
    for name in ORPHANED:
        simulator.delete(org_id, name, [int(simulator.truth(org_id, name)[0]["id"])])
    results = sync(database, org_id, CHOSEN, mode)
    assert statuses(results) == {}
    assert {results[name].deleted for name in ORPHANED} == {1}
    assert equals_truth(database, simulator, org_id)


def test_one_that_is_deleted_is_found(database: Database, simulator: SimulatorClient, org_id: str) -> None:
    made = orphan(simulator, org_id, "people.emails")
    sync(database, org_id, CHOSEN)
    simulator.delete(org_id, "people.emails", [made["people.emails"]])
    assert sync(database, org_id, CHOSEN, SyncMode.RECONCILE)["people.emails"].deleted == 1
    assert equals_truth(database, simulator, org_id)


def test_a_sync_that_ends_between_the_two_readings_goes_on_with_the_second(
    database: Database, simulator: SimulatorClient, org_id: str
) -> None:
    orphan(simulator, org_id, *ORPHANED)

    async def die(*_: object) -> NoReturn:
        raise DatabaseUnavailable("it went away")

    with pytest.MonkeyPatch.context() as patch, pytest.raises(DatabaseUnavailable):
        patch.setattr(Attempt, "read_alone", die)
        sync(database, org_id, CHOSEN, sync_id="sync_x")
    assert not equals_truth(database, simulator, org_id)
    simulator.forget_requests()
    assert statuses(sync(database, org_id, CHOSEN, sync_id="sync_x")) == {}
    assert equals_truth(database, simulator, org_id)
    assert simulator.requests(org=org_id, stream="people.people") == []


def test_another_attempt_at_a_finished_sync_reads_nothing(
    database: Database, simulator: SimulatorClient, org_id: str
) -> None:
    orphan(simulator, org_id, *ORPHANED)
    sync(database, org_id, CHOSEN, sync_id="sync_x")
    simulator.forget_requests()
    assert statuses(sync(database, org_id, CHOSEN, sync_id="sync_x")) == {}
    assert simulator.requests(org=org_id) == []


def test_who_has_none_pays_one_request_for_each_stream(
    database: Database, simulator: SimulatorClient, org_id: str
) -> None:
    sync(database, org_id, CHOSEN, SyncMode.RECONCILE)
    for name in ORPHANED:
        assert len(simulator.requests(org=org_id, stream=name)) == 1


@pytest.mark.parametrize("answer", ["server_error", "forbidden"])
def test_where_their_listing_fails_the_others_are_synced(
    database: Database, simulator: SimulatorClient, org_id: str, answer: str
) -> None:
    orphan(simulator, org_id, "people.emails")
    simulator.script(Script(answer=answer, path=STREAMS["people.emails"].path, times=None))
    results = sync(database, org_id, CHOSEN)
    assert statuses(results) == {}
    assert results["people.emails"].inserted == len(simulator.truth(org_id, "people.emails")) - 1


@pytest.mark.parametrize("extent", [{}, {"is_full": True}])
def test_a_verification_misses_one_that_is_not_here(
    database: Database, simulator: SimulatorClient, org_id: str, extent: dict[str, Any]
) -> None:
    made = orphan(simulator, org_id, "people.emails")
    sync(database, org_id, CHOSEN)
    assert verified(database, org_id, **extent) == "equal"
    with database.connect() as connection:
        connection.execute("DELETE FROM pco_people.emails WHERE id = %s", (str(made["people.emails"]),))
    assert verified(database, org_id, **extent) == "differs"


def verified(database: Database, org_id: str, **extent: Any) -> str:
    found = asyncio.run(verify_org(database, org_id, Extent(CHOSEN, seed=1, **extent)))
    return found.streams["people.emails"].status
