"""An org that the sweep cannot sync again and again is one incident, until a turn succeeds."""

import pytest
from psycopg.rows import dict_row

from openfaith_pipeline.alerts.failing_sweeps import watch_turns
from openfaith_pipeline.alerts.incidents import list_alerts
from openfaith_pipeline.connections.registry import ConnectionState, set_connection_state
from openfaith_pipeline.database import Database
from openfaith_pipeline.orgs.registry import new_org_id, pause_org
from openfaith_pipeline.orgs.turns import Kind, TurnEnd, claim_turns, end_turn
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


def _attempted(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("UPDATE sync.org_schedules SET attempted_at = now()")


def _connection_is(database: Database, state: ConnectionState) -> None:
    with database.connect() as connection:
        set_connection_state(connection, ORG, state, adapter="pco")


def _failed_until_reconnected(database: Database) -> None:
    _attempted(database)
    _connection_is(database, "needs_reconnect")
    assert _after(database, 3) == []
    _connection_is(database, "connected")


def test_what_failed_before_it_was_connected_again_is_no_incident(database: Database) -> None:
    _failed_until_reconnected(database)
    assert _after(database, 3) == []
    _attempted(database)
    assert [incident for incident, _, _ in _after(database, 4)] == ["pco incremental sweep"]


async def test_the_first_turn_after_it_was_connected_again_counts_failures_anew(database: Database) -> None:
    _failed_until_reconnected(database)
    raised = []
    async with database.pool(size=1, row_factory=dict_row) as pool:
        for _ in range(2):
            async with pool.connection() as connection:
                [turn] = await claim_turns(connection, Kind.INCREMENTAL, "pco", "a sweep", 1)
            raised.append(_watched(database))  # while it is under way
            async with pool.connection() as connection:
                await end_turn(connection, turn, "a sweep", TurnEnd("out of order"))
                await connection.execute("UPDATE sync.org_schedules SET next_at = now()")
            raised.append(_watched(database))
    assert raised == [[], [], [], ["pco incremental sweep"]]


def _watched(database: Database) -> list[str]:
    with database.connect() as connection:
        watch_turns(connection, "pco")
        return [alert.incident for alert in list_alerts(connection)]


def test_a_turn_under_way_neither_opens_nor_closes_an_alert(database: Database) -> None:
    raised = _after(database, 2)
    with database.connect() as connection:
        connection.execute("UPDATE sync.org_schedules SET lease_expires_at = now() + interval '1 minute'")
    assert _after(database, 0) == raised
