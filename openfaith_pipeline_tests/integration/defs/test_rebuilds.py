"""The job `rebuild`, by real runs on a real database."""

from typing import Any

import dagster as dg
import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.location import definitions
from openfaith_pipeline.defs.partitions import align_partitions
from openfaith_pipeline.defs.run_tags import CHURCH_TAG, ORG_TAG, SYNC_ID_TAG
from openfaith_pipeline.review.delete_guards import Guard, set_guard
from openfaith_pipeline.sync.rollback import RollbackOrder, roll_back
from openfaith_pipeline_tests.integration.inbox.conftest import connected_org
from openfaith_pipeline_tests.integration.raw_rows import put_row
from openfaith_pipeline_tests.integration.transform.tables import transform


class Desk:
    """Dagster's instance, and two churches of its own for each test."""

    def __init__(self, database: Database, instance: dg.DagsterInstance) -> None:
        self.database, self.instance = database, instance
        self.org, self.other = connected_org(database, "Amber Chapel"), connected_org(database, "Birch Chapel")
        align_partitions(instance, [self.org, self.other])
        with database.connect() as connection:
            for org_id in (self.org, self.other):
                for number in range(30):
                    put_row(connection, "people.emails", org_id, str(number), address="a@b.example")
                transform(connection, org_id)

    def launch(self, partition: str | None = None, **config: Any) -> dg.ExecuteInProcessResult:
        job = definitions().resolve_job_def("rebuild")
        return job.execute_in_process(
            run_config={"ops": {"rebuild_orgs": {"config": config}}},
            instance=self.instance,
            partition_key=partition,
            raise_on_error=False,
        )

    def execute(self, statement: str, *values: object) -> None:
        with self.database.connect() as connection:
            assert connection.execute(statement.encode(), values).rowcount

    def emails(self, org_id: str) -> int:
        with self.database.connect() as connection:
            query = 'SELECT count(*) FROM openfaith_emails WHERE "orgId" = %s AND "deletedAt" IS NULL'
            [(number,)] = connection.execute(query, (org_id,)).fetchall()
        return int(number)

    def sync(self, sync_id: str) -> tuple[Any, ...] | None:
        with self.database.connect() as connection:
            query = "SELECT run_id, mode, trigger, status, error FROM sync.syncs WHERE sync_id = %s"
            return connection.execute(query, (sync_id,)).fetchone()


@pytest.fixture
def desk(shared_place: tuple[Database, dg.DagsterInstance]) -> Desk:
    return Desk(*shared_place)


def metadata_of(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """Of the op's output, or of its failure."""
    failures = [event.step_failure_data.user_failure_data for event in result.all_events if event.is_step_failure]
    outputs = [event.step_output_data for event in result.all_events if event.is_successful_output]
    [told] = [*failures, *outputs]
    return {name: value.value for name, value in told.metadata.items()}


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    assert not result.success
    return str(result.failure_data_for_node("rebuild_orgs").user_failure_data.description)


def test_the_org_of_the_partition_is_rebuilt_and_a_rollback_undoes_it(desk: Desk) -> None:
    for org_id in (desk.org, desk.other):
        desk.execute('DELETE FROM openfaith_emails WHERE "orgId" = %s', org_id)
    result = desk.launch(desk.org)
    assert result.success
    assert (desk.emails(desk.org), desk.emails(desk.other)) == (30, 0)
    told = metadata_of(result)
    run = desk.instance.get_run_by_id(result.run_id)
    assert run
    assert (told["sync_id"], told["orgs_rebuilt"], told["orgs_failed"]) == (run.run_id, 1, 0)
    assert (told["rows_inserted"], told["rows_updated"], told["rows_ended"]) == (30, 30, 0)
    by_table = {record.data["table"]: record.data for record in told["changes"].records}
    assert by_table["emails"] == {
        "church": "Amber Chapel",
        "table": "emails",
        "inserted": 30,
        "updated": 0,
        "ended": 0,
        "unchanged": 0,
    }
    assert (run.tags[ORG_TAG], run.tags[CHURCH_TAG], run.tags[SYNC_ID_TAG]) == (desk.org, "Amber Chapel", run.run_id)
    assert desk.sync(run.run_id) == (run.run_id, "rebuild", "ui", "succeeded", None)
    roll_back(desk.database, RollbackOrder(run.run_id))
    assert desk.emails(desk.org) == 0


def test_a_dry_run_counts_and_changes_nothing(desk: Desk) -> None:
    desk.execute('DELETE FROM openfaith_emails WHERE "orgId" = %s', desk.org)
    result = desk.launch(orgs=[desk.org, desk.other], dry_run=True)
    told = metadata_of(result)
    assert (told["is_dry_run"], told["orgs_rebuilt"], told["rows_inserted"]) == (True, 0, 30)
    assert (desk.emails(desk.org), "sync_id" in told, desk.sync(result.run_id)) == (0, False, None)


def test_an_org_whose_guards_refuse_fails_the_run_alone_until_they_are_ignored(desk: Desk) -> None:
    desk.execute("DELETE FROM pco_people.emails WHERE org_id = %s AND id <> '1'", desk.org)
    desk.execute('DELETE FROM openfaith_emails WHERE "orgId" = %s', desk.other)
    with desk.database.connect() as connection:
        set_guard(connection, Guard(desk.org, "people.emails", 0.1, 5))
    result = desk.launch(orgs=[desk.org, desk.other])
    failure = failure_of(result)
    assert f"Amber Chapel ({desk.org}): nothing in the raw tables" in failure and "29 of emails" in failure
    assert "Birch" not in failure
    told = metadata_of(result)
    assert (told["orgs_rebuilt"], told["orgs_failed"], told["rows_ended"], told["rows_inserted"]) == (1, 1, 0, 30)
    assert (desk.emails(desk.org), desk.emails(desk.other)) == (30, 30)
    recorded = desk.sync(result.run_id)
    assert recorded and recorded[3] == "failed" and "29 of emails" in recorded[4]

    forced = desk.launch(orgs=[desk.org], ignores_guards=True)
    assert (forced.success, metadata_of(forced)["rows_ended"], desk.emails(desk.org)) == (True, 29, 1)


@pytest.mark.parametrize("has_both", [True, False])
def test_the_orgs_are_named_once(desk: Desk, has_both: bool) -> None:
    result = desk.launch(desk.org, orgs=[desk.other]) if has_both else desk.launch()
    assert "either as the run's partition, or in the config" in failure_of(result)


def test_an_unknown_org_fails_before_any_is_rebuilt(desk: Desk) -> None:
    desk.execute('DELETE FROM openfaith_emails WHERE "orgId" = %s', desk.org)
    result = desk.launch(orgs=[desk.org, "org_nobody"])
    assert "org_nobody" in failure_of(result)
    assert (desk.emails(desk.org), desk.sync(result.run_id)) == (0, None)
