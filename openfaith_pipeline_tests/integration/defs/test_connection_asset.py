"""Dagster sees each org's connection, and hears of it only when it changes."""

import dagster as dg

from openfaith_pipeline.connections.registry import set_connection_state
from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.connection_asset import CONNECTION, connections_sensor
from openfaith_pipeline.defs.database_resource import DatabaseResource
from openfaith_pipeline.orgs.registry import new_org_id
from openfaith_pipeline_tests.tenants import add_orgs

DATABASE = {"database": DatabaseResource()}

ORG = new_org_id()


def test_a_change_of_state_is_observed_once(database: Database, instance: dg.DagsterInstance) -> None:
    add_orgs(database, {ORG: "Amber"})
    cursor, seen = None, []
    for state in (None, None, "needs_reconnect"):
        if state:
            with database.connect() as connection:
                set_connection_state(connection, ORG, "needs_reconnect", "refused", adapter="pco")
        with dg.build_sensor_context(instance=instance, cursor=cursor, resources=DATABASE) as context:
            result = connections_sensor(context)
        assert isinstance(result, dg.SensorResult)
        cursor = result.cursor
        seen.append(
            [(event.asset_key, event.partition, event.metadata["state"].value) for event in result.asset_events]
        )

    assert seen == [[(CONNECTION.key, ORG, "never_synced")], [], [(CONNECTION.key, ORG, "needs_reconnect")]]
