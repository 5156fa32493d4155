"""The sensors."""

import dagster as dg

from openfaith_pipeline.defs.database_resource import DatabaseResource
from openfaith_pipeline.defs.jobs import SYNC_JOB
from openfaith_pipeline.defs.left_over_syncs import end_left_over_syncs
from openfaith_pipeline.defs.lost_starts import fail_lost_starts
from openfaith_pipeline.defs.partitions import ORG, partition_changes
from openfaith_pipeline.defs.request_runs import serve_requests
from openfaith_pipeline.defs.resources import SyncEngine
from openfaith_pipeline.defs.retries import lost_retries
from openfaith_pipeline.defs.workflow_jobs import WORKFLOW_JOBS
from openfaith_pipeline.load.sync_leases import end_expired


@dg.sensor(
    name="orgs",
    description="Keeps the partitions equal to the connected orgs.",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def orgs_sensor(context: dg.SensorEvaluationContext, engine: SyncEngine) -> dg.SensorResult | dg.SkipReason:
    new, gone = partition_changes(context.instance, engine.org_ids())
    if not new and not gone:
        return dg.SkipReason("The partitions match the connected orgs.")
    return dg.SensorResult(dynamic_partitions_requests=[ORG.build_add_request(new), ORG.build_delete_request(gone)])


@dg.sensor(
    name="requests",
    description="Launches runs for the service's requests, and records how they end.",
    minimum_interval_seconds=3,
    default_status=dg.DefaultSensorStatus.RUNNING,
    jobs=[SYNC_JOB, *WORKFLOW_JOBS],
)
def requests_sensor(
    context: dg.SensorEvaluationContext, database: DatabaseResource
) -> list[dg.RunRequest] | dg.SkipReason:
    with database.connect() as connection:
        wanted = serve_requests(context.instance, database.database, connection)
    return wanted or dg.SkipReason("Nothing waits for a run.")


@dg.sensor(
    name="lost_retries",
    description="Fails runs that will never start, reruns crashed ones that Dagster's own retries have"
    " passed over, and ends the record of syncs that no run continues.",
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    jobs=[SYNC_JOB, *WORKFLOW_JOBS],
)
def lost_retries_sensor(
    context: dg.SensorEvaluationContext, database: DatabaseResource
) -> list[dg.RunRequest] | dg.SkipReason:
    fail_lost_starts(context.instance)
    with database.connect() as connection:
        end_expired(connection)
        end_left_over_syncs(context.instance, connection)
    return list(lost_retries(context.instance)) or dg.SkipReason("Every run that crashed was retried.")
