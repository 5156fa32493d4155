"""A church that a version before the sources were apart has synced, upgraded: it stays as it is, and goes on.

The schema is taken back to that version's last revision, with a church in it whose syncs were published: its rows,
connection, budget and journal are then in that version's tables, which have no adapter.
"""

from collections.abc import Iterator
from typing import Any, Final

import pytest
from alembic import command
from alembic.config import Config
from psycopg import Connection, sql

from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.registry import credentials_of
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.migration import is_current, upgrade
from openfaith_pipeline.database.versions import MIGRATIONS
from openfaith_pipeline.planning_center.streams import people
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline.sync.rollback import RollbackOrder, roll_back
from openfaith_pipeline.transform import transform_org
from openfaith_pipeline_tests.integration.snapshots import differing, snapshot
from openfaith_pipeline_tests.integration.sync.church import PEOPLE_ONLY, connect, row_versions, statuses, sync
from openfaith_pipeline_tests.integration.sync.kinds import written
from openfaith_pipeline_tests.integration.transform.tables import row_versions as canonical_versions
from openfaith_pipeline_tests.rates import GENEROUS

ONE_SOURCE: Final = "0028"
"""The last revision whose connections and budgets have no adapter."""

ONE_TURN: Final = "0040"
"""The last revision whose turns, webhooks and alerts are of the org alone."""

OF_THE_ORG: Final = {
    "org_schedules": "INSERT INTO sync.org_schedules (org_id, kind, next_at, failures, error)"
    " VALUES (%s, 'incremental', now(), 2, 'refused') ON CONFLICT DO NOTHING",
    "webhook_orgs": "INSERT INTO sync.webhook_orgs (org_id, problem) VALUES (%s, 'it may not')"
    " ON CONFLICT (org_id) DO UPDATE SET problem = excluded.problem",
    "webhook_subscriptions": "INSERT INTO sync.webhook_subscriptions (org_id, subscription_id, event, url, secret)"
    " VALUES (%s, '7', 'e', 'u', 's') ON CONFLICT (org_id, subscription_id) DO UPDATE SET url = excluded.url",
}
"""As that version writes to its tables."""

ALERT: Final = "INSERT INTO sync.alerts (kind, org_id, incident, message, mend) VALUES (%s, %s, %s, 'm', 'm')"

CONNECTIONS: Final = "SELECT to_jsonb(t) - '{adapter,revived_at}'::text[] FROM sync.connections AS t"
BUDGETS: Final = "SELECT to_jsonb(t) - '{adapter,requests,refused}'::text[] FROM sync.rate_budgets AS t"


@pytest.fixture
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator(made_up_churches(1, people=40), rate_limit=GENEROUS) as running:
        yield running


def taken_back(database: Database, revision: str) -> None:
    """As that version left it: its schema, and nothing that says how far a later one had come."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.engine().connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)
        connection.commit()
    with database.connect() as connection:
        connection.execute("COMMENT ON SCHEMA staging IS 'before'")


def transformed(database: Database, org_id: str, sync_id: str) -> set[tuple[int, int]]:
    with database.connect() as connection:
        results = transform_org(connection, org_id, schema=database.settings.canonical_schema, sync_id=sync_id)
    return {(each.inserted, each.updated) for each in results.values()}


def row_of(connection: Connection[Any], table: str) -> Any:
    """The only row of this bookkeeping table."""
    return one(connection, sql.SQL("SELECT to_jsonb(t) FROM {} AS t").format(sql.Identifier("sync", table)))


def one(connection: Connection[Any], statement: str | sql.Composed) -> Any:
    [[row]] = connection.execute(statement).fetchall()  # type: ignore[call-overload]
    return row


def test_a_church_synced_before_stays_as_it_is_and_its_last_sync_can_be_rolled_back(
    database: Database, simulator: SimulatorClient
) -> None:
    [org_id] = connect(database, simulator)
    sync(database, org_id)
    transformed(database, org_id, "first")
    with database.connect() as connection:
        after_first = snapshot(connection)
    changed = [int(record["id"]) for record in simulator.truth(org_id, people.PEOPLE.name)[:3]]
    simulator.edit(org_id, people.PEOPLE.name, changed, attributes={"first_name": "Changed"})
    assert written(sync(database, org_id, sync_id="last"))
    transformed(database, org_id, "last")

    taken_back(database, ONE_SOURCE)
    with database.connect() as connection:
        assert one(connection, "SELECT to_regclass('sync.source_connections')") is None
        before, versions = snapshot(connection), canonical_versions(connection)
        kept = one(connection, CONNECTIONS), one(connection, BUDGETS)
    raw_versions = row_versions(database)
    assert not is_current(database)
    upgrade(database)

    assert row_versions(database) == raw_versions
    with database.connect() as connection:
        assert canonical_versions(connection) == versions
        assert (one(connection, CONNECTIONS), one(connection, BUDGETS)) == kept
        assert one(connection, "SELECT array_agg(adapter) FROM sync.source_connections") == ["pco"]
        assert one(connection, "SELECT array_agg(adapter) FROM sync.source_rate_budgets") == ["pco"]
        assert credentials_of(connection, cipher_from(database.settings), org_id, adapter="pco")

    results = sync(database, org_id, PEOPLE_ONLY, sync_id="next")
    assert (statuses(results), written(results)) == ({}, {})
    assert transformed(database, org_id, "next") == {(0, 0)}
    with database.connect() as connection:
        assert differing(before, snapshot(connection)) == []
        assert canonical_versions(connection) == versions
    assert row_versions(database) == raw_versions

    roll_back(database, RollbackOrder("last"))
    with database.connect() as connection:
        assert differing(after_first, snapshot(connection)) == []


def test_turns_webhooks_and_alerts_of_before_are_the_first_sources(database: Database) -> None:
    org_id = "org_01jd0000000000000000000000"
    taken_back(database, ONE_TURN)
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO sync.orgs (org_id, name, organization_id) VALUES (%s, 'A Church', '7')", (org_id,)
        )
        for statement in OF_THE_ORG.values():
            connection.execute(statement, (org_id,))
        for kind, incident in (("connection_dead", ""), ("run_failed", "reconcile sweep"), ("run_failed", "pco_sync")):
            connection.execute(ALERT, (kind, org_id, incident))
        before = {table: row_of(connection, table) for table in OF_THE_ORG}
    for _ in range(2):
        upgrade(database)

    whole = {
        "org_schedules": "source_schedules",
        "webhook_orgs": "source_webhooks",
        "webhook_subscriptions": "source_webhook_subscriptions",
    }
    with database.connect() as connection:
        for table, row in before.items():
            assert row_of(connection, whole[table]) == {**row, "adapter": "pco"}
        assert row_of(connection, "source_accounts") == {"org_id": org_id, "adapter": "pco", "number": "7"}
        incidents = connection.execute("SELECT incident FROM sync.alerts ORDER BY id").fetchall()
        assert incidents == [("pco",), ("pco reconcile sweep",), ("pco_sync",)]
        for table, statement in OF_THE_ORG.items():
            connection.execute(statement, (org_id,))  # the version before goes on, by its own keys
            assert row_of(connection, whole[table])["adapter"] == "pco"
