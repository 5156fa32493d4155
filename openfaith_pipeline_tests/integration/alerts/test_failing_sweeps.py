"""An org that the sweep cannot sync again and again is one incident, until a turn succeeds."""

import pytest

from openfaith_pipeline.alerts.failing_sweeps import watch_turns
from openfaith_pipeline.alerts.incidents import list_alerts
from openfaith_pipeline.connections.registry import ConnectionState, set_connection_state
from openfaith_pipeline.database import Database
from openfaith_pipeline.orgs.registry import new_org_id, pause_org
from openfaith_pipeline_tests.tenants import add_orgs

ORG = new_org_id()


@pytest.fixture
def database(database: Database) -> Database:
    add_orgs(database, {ORG: "Amber"})
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO sync.org_schedules (org_id, kind, next_at) VALUES (%s, 'incremental', now())", (ORG,)
        )
    return database


def _after(database: Database, failures: int) -> list[tuple[str, str, int]]:
    with database.connect() as connection:
        connection.execute("UPDATE sync.org_schedules SET failures = %s, error = 'out of order'", (failures,))
        watch_turns(connection, "pco")
        return [(alert.incident, alert.message, alert.count) for alert in list_alerts(connection)]


def test_it_is_raised_at_the_second_failure_and_over_with_the_next_success(database: Database) -> None:
    assert _after(database, 1) == []
    raised = _after(database, 2)
    assert raised == [("pco incremental sweep", "its incremental sync has failed 2 times in a row: out of order", 1)]
    assert _after(database, 3) == raised
    assert _after(database, 0) == []


def test_a_paused_org_is_no_incident(database: Database) -> None:
    with database.connect() as connection:
        pause_org(connection, ORG)
    assert _after(database, 5) == []


def test_what_failed_before_it_was_connected_again_is_no_incident(database: Database) -> None:
    def attempted() -> None:
        with database.connect() as connection:
            connection.execute("UPDATE sync.org_schedules SET attempted_at = now()")

    def connection_is(state: ConnectionState) -> None:
        with database.connect() as connection:
            set_connection_state(connection, ORG, state, adapter="pco")

    attempted()
    connection_is("needs_reconnect")
    assert _after(database, 3) == []
    connection_is("connected")
    assert _after(database, 3) == []
    attempted()
    assert [incident for incident, _, _ in _after(database, 4)] == ["pco incremental sweep"]
