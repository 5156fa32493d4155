"""The sensors."""

import dagster as dg

from openfaith_pipeline.defs.partitions import ORG, partition_changes
from openfaith_pipeline.defs.resources import SyncEngine


@dg.sensor(
    name="orgs",
    description="Keeps the partitions equal to the connected orgs.",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def orgs_sensor(context: dg.SensorEvaluationContext, engine: SyncEngine) -> dg.SensorResult | dg.SkipReason:
    new, gone = partition_changes(context.instance, engine.org_ids())
    if not new and not gone:
        return dg.SkipReason("The partitions are the connected orgs.")
    return dg.SensorResult(dynamic_partitions_requests=[ORG.build_add_request(new), ORG.build_delete_request(gone)])
