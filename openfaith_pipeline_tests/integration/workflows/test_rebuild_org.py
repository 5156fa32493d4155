"""`RebuildOrgWorkflow`: changes and their counts, refusals that another attempt does not change, and those it may."""

from typing import Any

import pytest
from psycopg import Connection

from openfaith_pipeline.database import Database
from openfaith_pipeline.inbox.requests import Ask, get_request, submit
from openfaith_pipeline.review.delete_guards import Guard, set_guard
from openfaith_pipeline.sync.rollback import RollbackOrder, roll_back
from openfaith_pipeline.workflows.definition import ActivityFailed
from openfaith_pipeline.workflows.execution import ActivityToRetry, Executor, outcome_of
from openfaith_pipeline_tests.integration.inbox.conftest import connected_org
from openfaith_pipeline_tests.integration.raw_rows import put_row
from openfaith_pipeline_tests.integration.transform.tables import transform


class Church:
    """A church with 20 emails, and executions of the workflow for it."""

    def __init__(self, database: Database) -> None:
        self.database, self.org_id = database, connected_org(database)
        with database.connect() as connection:
            for number in range(20):
                put_row(connection, "people.emails", self.org_id, str(number), address="a@b.example")
            transform(connection, self.org_id)

    def ask(self, **payload: Any) -> Executor:
        with self.database.connect() as connection:
            asked = Ask("RebuildOrgWorkflow", self.org_id, {"orgId": self.org_id, **payload}, "api")
            return Executor(self.database, submit(connection, asked)[0].request_id)

    def execute(self, statement: str) -> None:
        with self.database.connect() as connection:
            assert connection.execute(statement.encode(), (self.org_id,)).rowcount

    def emails(self) -> int:
        with self.database.connect() as connection:
            return emails_of(connection, self.org_id)


def emails_of(connection: Connection[Any], org_id: str) -> int:
    query = 'SELECT count(*) FROM openfaith_emails WHERE "orgId" = %s AND "deletedAt" IS NULL'
    [(number,)] = connection.execute(query, (org_id,)).fetchall()
    return int(number)


@pytest.fixture
def church(database: Database) -> Church:
    return Church(database)


def test_it_counts_first_and_then_does_it_as_a_sync_that_can_be_rolled_back(church: Church) -> None:
    church.execute('DELETE FROM openfaith_emails WHERE "orgId" = %s')
    foreseen = church.ask(dryRun=True).run("rebuild_tables")
    assert (foreseen["syncId"], church.emails()) == (None, 0)
    executor = church.ask()
    done = executor.run("rebuild_tables")
    assert (done["syncId"], done["tables"]) == (executor.request_id, foreseen["tables"])
    assert done["tables"]["emails"] == {"inserted": 20, "updated": 0, "ended": 0, "unchanged": 0, "rowCount": 20}
    assert (church.emails(), done["rows"], set(done["tables"])) == (20, 40, {"emails", "externalLinks"})
    roll_back(church.database, RollbackOrder(executor.request_id))
    assert church.emails() == 0


def test_guards_refuse_for_good_until_they_are_ignored(church: Church) -> None:
    church.execute("DELETE FROM pco_people.emails WHERE org_id = %s AND id <> '1'")
    with church.database.connect() as connection:
        set_guard(connection, Guard(church.org_id, "people.emails", 0.1, 5))
    executor = church.ask()
    with pytest.raises(ActivityFailed, match="19 of emails"):
        executor.run("rebuild_tables")
    with church.database.connect() as connection:
        error, _ = outcome_of(connection, get_request(connection, executor.request_id))
    assert error and "19 of emails" in error
    assert church.emails() == 20
    church.ask(ignoreGuards=True).run("rebuild_tables")
    assert church.emails() == 1


def test_an_org_that_is_being_synced_is_tried_again_as_the_same_sync(church: Church) -> None:
    church.execute('DELETE FROM openfaith_emails WHERE "orgId" = %s')
    church.execute(
        "INSERT INTO sync.stream_states (org_id, stream, holder, lease_expires_at)"
        " VALUES (%s, 'people.emails', 'elsewhere:1:x', now() + interval '1 hour')"
    )
    executor = church.ask()
    with pytest.raises(ActivityToRetry, match="being synced by elsewhere:1"):
        executor.run("rebuild_tables")
    church.execute("UPDATE sync.stream_states SET holder = NULL, lease_expires_at = NULL WHERE org_id = %s")
    assert executor.run("rebuild_tables")["syncId"] == executor.request_id
    with church.database.connect() as connection:
        syncs = connection.execute("SELECT sync_id, mode, status FROM sync.syncs").fetchall()
    assert syncs == [(executor.request_id, "rebuild", "succeeded")]
    assert church.emails() == 20
