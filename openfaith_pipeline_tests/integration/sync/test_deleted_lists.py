"""Deleted plans that still answer by id are gone all the same: the source's list of deleted plans names them."""

from collections.abc import Iterator

import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.faults import Script
from openfaith_pipeline.simulator.options import Traps
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline_tests.integration.sync.church import connect, differences, statuses, stored, sync
from openfaith_pipeline_tests.rates import GENEROUS

TYPES, PLANS, TEMPLATES, TIMES, ITEMS = (
    STREAMS[f"services.{name}"] for name in ("service_types", "plans", "plan_templates", "plan_times", "items")
)
SOME = [TYPES, PLANS, TEMPLATES, TIMES, ITEMS]
READABLE = Traps(readable_deleted=(PLANS.name, TIMES.name, ITEMS.name))
DELETED_LISTS = "*/unscoped_plans"


@pytest.fixture
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator(made_up_churches(1, people=16), rate_limit=GENEROUS) as running:
        yield running


@pytest.fixture
def church(database: Database, simulator: SimulatorClient) -> str:
    """A church in which one plan was deleted after the first sync."""
    [org_id] = connect(database, simulator)
    simulator.set_traps(org_id, READABLE)
    assert statuses(sync(database, org_id, SOME)) == {}
    simulator.delete(org_id, PLANS.name, [int(sorted(stored(database, org_id, PLANS))[2])])
    simulator.forget_requests()
    return org_id


def asked(simulator: SimulatorClient) -> list[str]:
    return [each["target"] for each in simulator.requests() if "unscoped_plans" in each["target"]]


def test_a_deleted_plan_that_still_answers_goes_with_all_below_it(
    database: Database, simulator: SimulatorClient, church: str
) -> None:
    [plan] = stored(database, church, PLANS).keys() - {each["id"] for each in simulator.truth(church, PLANS.name)}
    for stream in (TIMES, ITEMS):
        assert plan in {row["plan_id"] for row in stored(database, church, stream).values()}
    assert statuses(sync(database, church, [TYPES, PLANS], SyncMode.RECONCILE)) == {}
    assert len(asked(simulator)) == 1
    assert differences(database, simulator, church, [PLANS, TIMES]) == []
    assert statuses(sync(database, church, SOME, SyncMode.RECONCILE)) == {}
    assert differences(database, simulator, church, SOME) == []


def test_a_plan_that_answers_no_more_needs_no_list(database: Database, simulator: SimulatorClient, church: str) -> None:
    simulator.set_traps(church, Traps())
    assert statuses(sync(database, church, SOME, SyncMode.RECONCILE)) == {}
    assert differences(database, simulator, church, SOME) == []
    assert asked(simulator) == []


@pytest.mark.parametrize("answer", ["forbidden", "not_found", "bad_request", "server_error", "silence"])
def test_where_the_list_is_refused_the_plan_stays_in_doubt(
    database: Database, simulator: SimulatorClient, church: str, answer: str
) -> None:
    before = stored(database, church, PLANS)
    simulator.script(Script(answer=answer, path=DELETED_LISTS, times=None))
    results = sync(database, church, [TYPES, PLANS], SyncMode.RECONCILE)
    assert "still there" in str(statuses(results)[PLANS.name])
    assert stored(database, church, PLANS).keys() == before.keys()
    assert asked(simulator)


def test_a_list_that_ignores_its_filter_proves_nothing(
    database: Database, simulator: SimulatorClient, church: str
) -> None:
    before = stored(database, church, PLANS)
    simulator.set_traps(church, Traps(readable_deleted=READABLE.readable_deleted, ignored_filters=(PLANS.name,)))
    results = sync(database, church, [TYPES, PLANS], SyncMode.RECONCILE)
    assert "still there" in str(statuses(results)[PLANS.name])
    assert stored(database, church, PLANS).keys() == before.keys()


@pytest.mark.parametrize("readable", [(), ("people.workflows", "people.workflow_steps")])
def test_a_deleted_workflow_is_gone_although_its_time_of_deletion_is_always_null(
    database: Database, simulator: SimulatorClient, readable: tuple[str, ...]
) -> None:
    [org_id] = connect(database, simulator)
    simulator.set_traps(org_id, Traps(readable_deleted=readable))
    some = [STREAMS[f"people.{name}"] for name in ("workflow_categories", "workflows", "workflow_steps")]
    assert statuses(sync(database, org_id, some)) == {}
    simulator.delete(org_id, "people.workflows", [int(min(stored(database, org_id, STREAMS["people.workflows"])))])
    assert statuses(sync(database, org_id, some, SyncMode.RECONCILE)) == {}
    assert differences(database, simulator, org_id, some) == []
