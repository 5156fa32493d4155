"""Lists that nobody has seen and that save thousands of requests: read where they are, gone around where not."""

from itertools import product

from openfaith_pipeline.database import Database
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.faults import Script
from openfaith_pipeline.simulator.options import Traps
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline_tests.integration.sync.church import IMPATIENT, connect, differences, statuses, stored, sync

TIMES = STREAMS["services.plan_person_times"]
ABOVE_TIMES = ("service_types", "people", "plans", "plan_templates", "plan_people")
WITH_TIMES = [STREAMS[f"services.{name}"] for name in ABOVE_TIMES] + [TIMES]
PERIODS = STREAMS["check_ins.location_event_periods"]
WITH_PERIODS = [STREAMS[f"check_ins.{name}"] for name in ("events", "locations", "event_periods")] + [PERIODS]


def test_the_times_of_people_in_plans_come_by_one_list_for_each_service_type(
    database: Database, simulator: SimulatorClient
) -> None:
    [org_id, _] = connect(database, simulator)
    assert statuses(sync(database, org_id, WITH_TIMES)) == {}
    assert differences(database, simulator, org_id, WITH_TIMES) == []
    rows = stored(database, org_id, TIMES)
    assert rows and all(row["person_id"] and row["plan_person_id"] for row in rows.values())

    simulator.edit(org_id, TIMES.name, [int(next(iter(rows)))], attributes={"status": "D"})
    simulator.forget_requests()
    result = sync(database, org_id, [TIMES])[TIMES.name]
    assert (result.status, result.updated, result.inserted, result.deleted) == ("succeeded", 1, 0, 0)
    assert len(simulator.requests()) == len(stored(database, org_id, STREAMS["services.service_types"]))

    simulator.delete(org_id, TIMES.name, [int(next(iter(rows)))])
    result = sync(database, org_id, [TIMES], SyncMode.RECONCILE)[TIMES.name]
    assert (result.status, result.deleted) == ("succeeded", 1)
    assert differences(database, simulator, org_id, [TIMES]) == []


def test_a_list_that_fails_deletes_none_of_its_rows_though_none_says_that_it_is_of_it(
    database: Database, simulator: SimulatorClient
) -> None:
    """Rows do not name the service type whose list shows them, and without plan people there is no path to them."""
    types = STREAMS["services.service_types"]
    [org_id, _] = connect(database, simulator)
    assert statuses(sync(database, org_id, [types, TIMES])) == {}
    rows = stored(database, org_id, TIMES)
    assert rows and not any(row["person_id"] for row in rows.values())
    for service_type in sorted(stored(database, org_id, types))[:-1]:
        path = f"/services/v2/service_types/{service_type}/plan_person_times"
        simulator.script(Script(answer="server_error", path=path, times=None))
    result = sync(database, org_id, [types, TIMES], SyncMode.RECONCILE, client_factory=IMPATIENT)[TIMES.name]
    assert (result.status, result.deleted, result.held) == ("incomplete", 0, 0)
    assert stored(database, org_id, TIMES) == rows


def test_rows_that_came_by_the_longer_way_stay_as_they_are_by_the_shorter(
    database: Database, simulator: SimulatorClient
) -> None:
    [org_id, _] = connect(database, simulator)
    simulator.set_traps(org_id, Traps(absent_paths=(TIMES.name,)))
    assert statuses(sync(database, org_id, WITH_TIMES)) == {}
    assert differences(database, simulator, org_id, WITH_TIMES) == []
    simulator.edit(org_id, TIMES.name, [int(next(iter(stored(database, org_id, TIMES))))], attributes={"status": "D"})
    assert sync(database, org_id, [TIMES])[TIMES.name].updated == 1, "an order that is not known there is not relied on"

    simulator.set_traps(org_id, Traps())
    result = sync(database, org_id, [TIMES], SyncMode.RECONCILE)[TIMES.name]
    assert (result.status, result.inserted, result.updated, result.deleted) == ("succeeded", 0, 0, 0)
    assert differences(database, simulator, org_id, [TIMES]) == []


def test_a_list_below_parents_that_is_absent_costs_itself_only(database: Database, simulator: SimulatorClient) -> None:
    [org_id, _] = connect(database, simulator)
    assert statuses(sync(database, org_id, WITH_PERIODS)) == {}
    rows = stored(database, org_id, PERIODS)
    assert rows
    for absent, mode in product([(PERIODS.name,), ("check_ins.locations", PERIODS.name)], SyncMode):
        simulator.set_traps(org_id, Traps(absent_paths=absent))
        results = sync(database, org_id, WITH_PERIODS, mode)
        assert set(statuses(results)) == {PERIODS.name}, mode
        assert results[PERIODS.name].status == "unavailable"
    assert stored(database, org_id, PERIODS) == rows
    simulator.set_traps(org_id, Traps())
    assert statuses(sync(database, org_id, WITH_PERIODS, SyncMode.RECONCILE)) == {}
    assert differences(database, simulator, org_id, WITH_PERIODS) == []
