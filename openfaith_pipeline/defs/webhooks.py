"""Webhooks in Dagster: events for their changes, and a run to apply deliveries if the service does not.

The service applies deliveries by itself, without a run for each: within seconds, and while Dagster is down. Its changes
are reported here afterwards, as materializations of the tables' partitions.
"""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import dagster as dg
from psycopg.rows import dict_row

from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.asset_metadata import CHURCH, asset_key
from openfaith_pipeline.defs.database_resource import DatabaseResource
from openfaith_pipeline.defs.jobs import EXECUTOR
from openfaith_pipeline.defs.op_errors import RETRY_POLICY, acted_on
from openfaith_pipeline.defs.placement import canonical_key
from openfaith_pipeline.defs.run_handle import current_caller
from openfaith_pipeline.load.arrivals import Arrived, Reached, arrived_after
from openfaith_pipeline.load.leases import holding
from openfaith_pipeline.orgs.naming import names_of
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.transform import SOURCES
from openfaith_pipeline.webhooks.applier import apply_next
from openfaith_pipeline.webhooks.deliveries import oldest_overdue

PATIENCE: Final = timedelta(seconds=30)
"""Deliveries that have waited longer have no service to apply them."""
ASK_AGAIN_SECONDS: Final = 300

_MOST_TOLD: Final = 200


@dg.op(
    description="Applies the due webhook deliveries of every org.",
    retry_policy=RETRY_POLICY,
    out=dg.Out(dg.Nothing),
)
def apply_deliveries(context: dg.OpExecutionContext, database: DatabaseResource) -> None:
    with acted_on(context):
        count = current_caller().run(_apply_all(database.database))
    context.add_output_metadata({"deliveries": count})


@dg.job(
    name="webhook_deliveries",  # an op that reads a product of that name has its schema's
    description="Applies webhook deliveries where no service does.",
    executor_def=EXECUTOR,
)
def webhook_deliveries() -> None:
    apply_deliveries()


@dg.sensor(
    name="webhooks",
    description="Reports the changes made by webhooks, and launches a run for deliveries that no service applies.",
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    job=webhook_deliveries,
)
def webhooks_sensor(context: dg.SensorEvaluationContext, database: DatabaseResource) -> dg.SensorResult | dg.SkipReason:
    with database.connect() as connection:
        arrived, reached = arrived_after(connection, _reached_by(context.cursor), _MOST_TOLD)
        overdue = oldest_overdue(connection, PATIENCE)
        names = names_of(connection, {each.org_id for each in arrived})
    if not arrived and overdue is None:
        return dg.SkipReason("No changes, and no deliveries waiting.")
    runs = [] if overdue is None else [dg.RunRequest(run_key=f"webhooks {overdue} {_now() // ASK_AGAIN_SECONDS}")]
    known = [each for each in arrived if each.stream in STREAMS]  # others are of a newer version that ran here
    told = [event for each in known for event in _events_of(each, names.get(each.org_id, each.org_id))]
    cursor = " ".join(map(str, (reached.settled, *reached.after)))
    return dg.SensorResult(run_requests=runs, asset_events=told, cursor=cursor)


def _reached_by(cursor: str | None) -> Reached:
    settled, *after = map(int, (cursor or "0").split())
    return Reached(settled, tuple(after))


def _events_of(arrived: Arrived, church: str) -> Iterator[dg.AssetMaterialization]:
    """A materialization of the stream's table, and of each canonical table that it feeds."""
    counts: dict[str, Any] = {
        CHURCH: church,
        "rows_inserted": arrived.inserted,
        "rows_updated": arrived.updated,
        "rows_deleted": arrived.deleted,
        "mode": "webhook",
        "sync_id": arrived.sync_id,
    }
    yield dg.AssetMaterialization(asset_key(STREAMS[arrived.stream]), partition=arrived.org_id, metadata=counts)
    for table, sources in SOURCES.items():
        if arrived.stream in sources:
            told = {CHURCH: church, "mode": "webhook", "sync_id": arrived.sync_id}
            yield dg.AssetMaterialization(canonical_key(table), partition=arrived.org_id, metadata=told)


async def _apply_all(database: Database) -> int:
    count = 0
    async with database.pool(size=3, row_factory=dict_row) as pool, holding(pool) as holder:
        while applied := await apply_next(database, pool, holder):
            count += applied.deliveries
    return count


def _now() -> int:
    return int(time.time())
