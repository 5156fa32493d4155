"""A held deletion decided in Dagster, by a real run on a real database."""

from collections.abc import Iterator

import dagster as dg
import pytest
from psycopg import Connection

from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.failure_reasons import reason_of
from openfaith_pipeline.defs.instance import open_instance
from openfaith_pipeline.defs.location import definitions
from openfaith_pipeline.review.held_deletions import list_held
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline_tests.integration.sync.church import connect, stored, sync
from openfaith_pipeline_tests.integration.sync.test_deletes import EMAILS, delete
from openfaith_pipeline_tests.rates import GENEROUS


@pytest.fixture
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator(made_up_churches(1, people=150), rate_limit=GENEROUS) as running:
        yield running


def decide(database: Database, held_id: int, decision: str) -> dg.ExecuteInProcessResult:
    config = {"ops": {"decide_held": {"config": {"held_id": held_id, "decision": decision}}}}
    with open_instance(database.settings, database) as instance:
        job = definitions().resolve_job_def("decide_held_deletion")
        return job.execute_in_process(run_config=config, instance=instance, raise_on_error=False)


def waiting(connection: Connection) -> list[int]:
    return [held.id for held in list_held(connection)]


def test_the_config_that_the_launchpad_opens_with_names_the_fields_to_fill_in(
    database: Database, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for job, field in (("decide_held_deletion", "held_id"), ("resolve_conflicts", "conflict_ids")):
        with open_instance(database.settings, database) as instance:
            done = definitions().resolve_job_def(job).execute_in_process(instance=instance, raise_on_error=False)
            assert f"fill in `{field}`: " in (reason_of(instance, done.run_id) or "")


def test_a_held_deletion_is_rejected_and_approved_in_dagster(
    database: Database,
    simulator: SimulatorClient,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    [org_id] = connect(database, simulator)
    sync(database, org_id, [EMAILS])
    emails = list(stored(database, org_id, EMAILS))
    delete(simulator, org_id, "people.emails", emails[:60])
    sync(database, org_id, [EMAILS], SyncMode.RECONCILE)
    with database.connect() as connection:
        [first] = waiting(connection)
    assert decide(database, first, "REJECT").success
    assert stored(database, org_id, EMAILS).keys() == set(emails)

    sync(database, org_id, [EMAILS], SyncMode.RECONCILE)
    with database.connect() as connection:
        [second] = waiting(connection)
    assert decide(database, second, "APPROVE").success
    assert stored(database, org_id, EMAILS).keys() == set(emails[60:])

    again = decide(database, second, "APPROVE")
    assert not again.success
    assert "no held deletion" in str(again.failure_data_for_node("decide_held").user_failure_data.description)
