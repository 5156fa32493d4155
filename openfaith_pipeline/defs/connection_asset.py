"""Each org's connection as an observable asset: one event whenever its state changes."""

from collections.abc import Mapping
from typing import Final

import dagster as dg
import orjson

from openfaith_pipeline.defs.asset_metadata import CHURCH
from openfaith_pipeline.defs.database_resource import DatabaseResource
from openfaith_pipeline.defs.partitions import ORG
from openfaith_pipeline.orgs.health import Health, read_health
from openfaith_pipeline.orgs.naming import names_of
from openfaith_pipeline.sources import DEFAULT_SOURCE

CONNECTION: Final = dg.AssetSpec(
    key=["planning_center", "connection"],
    partitions_def=ORG,
    group_name="planning_center",
    kinds={"planningcenter"},
    description="Each org's connection: connected, degraded (which products, and why), needs_reconnect,"
    " paused, or never_synced until a stream has succeeded.",
)


@dg.sensor(
    name="connections",
    description="Observes each org's connection whenever its state changes.",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def connections_sensor(context: dg.SensorEvaluationContext, database: DatabaseResource) -> dg.SensorResult:
    with database.connect() as connection:
        health = read_health(connection, adapter=DEFAULT_SOURCE.adapter)
        names = names_of(connection, list(health))
    told = orjson.loads(context.cursor or "{}")
    now = {org_id: _words(each) for org_id, each in health.items()}
    changed = [org_id for org_id, words in now.items() if told.get(org_id) != words]
    return dg.SensorResult(
        skip_reason=None if changed else dg.SkipReason("No connection has changed."),
        asset_events=[_observation(org_id, names[org_id], health[org_id]) for org_id in changed],
        cursor=orjson.dumps(now).decode(),
    )


def _words(health: Health) -> list[str]:
    return [health.state, health.reason or "", *map(str, health.withheld)]


def _observation(org_id: str, church: str, health: Health) -> dg.AssetObservation:
    metadata: Mapping[str, dg.MetadataValue] = {
        CHURCH: dg.MetadataValue.text(church),
        "state": dg.MetadataValue.text(health.state),
        "reason": dg.MetadataValue.text(health.reason or ""),
        "withheld": dg.MetadataValue.json({product.product: list(product.streams) for product in health.withheld}),
    }
    return dg.AssetObservation(asset_key=CONNECTION.key, partition=org_id, metadata=metadata)
