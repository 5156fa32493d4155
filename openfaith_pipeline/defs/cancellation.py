"""Roll back a sync's published rows when its run is terminated."""

from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg

from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.compensation import report_rollback
from openfaith_pipeline.defs.database_resource import DatabaseResource
from openfaith_pipeline.defs.jobs import SYNC_JOB
from openfaith_pipeline.defs.run_ends import PutOff, put_off_in_outages
from openfaith_pipeline.defs.run_tags import ORG_TAG, sync_id_of, trigger_of
from openfaith_pipeline.errors import StreamBusy
from openfaith_pipeline.orgs.naming import names_of
from openfaith_pipeline.sync.compensation import Compensation, undo_canceled
from openfaith_pipeline.sync.worker import BUSY_PATIENCE_SECONDS, when_free

_PUT_OFF_AT_MOST: Final = timedelta(minutes=15)
"""Longer than most turns take. Meanwhile later cancellations wait."""

KEPT_TRIGGERS: Final = frozenset({"cli", "python"})
"""A person who interrupts a sync at a terminal continues it later."""


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.CANCELED,
    name="canceled_runs",
    description="Rolls back the changes of a sync when its run is terminated, unless OPENFAITH_UNDO_CANCELED is"
    " false. A sync at a terminal keeps its changes.",
    monitored_jobs=[SYNC_JOB],
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def canceled_runs_sensor(context: dg.RunStatusSensorContext, database: DatabaseResource) -> dg.SkipReason:
    run, data = context.dagster_run, database.database
    org_id = run.tags.get(ORG_TAG)
    if not data.settings.undo_canceled or trigger_of(run) in KEPT_TRIGGERS or not org_id:
        return dg.SkipReason(f"The changes of run {run.run_id} stay.")
    with put_off_in_outages():
        compensation = _undo(data, org_id, sync_id_of(run, context.instance), run.run_id, _ended_at(context))
    if compensation is None:
        return dg.SkipReason(f"Run {run.run_id} had published nothing, or another run has continued its sync.")
    with data.connect() as connection:
        names = names_of(connection, [org_id])
    report_rollback(context.instance, compensation.order, compensation.undone, names)
    rows = sum(org.rows for org in compensation.undone)
    return dg.SkipReason(f"{rows} rows changed by run {run.run_id} are rolled back.")


def _ended_at(context: dg.RunStatusSensorContext) -> datetime:
    record = context.instance.get_run_record_by_id(context.dagster_run.run_id)
    return record.update_timestamp if record else datetime.now(UTC)


def _undo(database: Database, org_id: str, sync_id: str, run_id: str, ended_at: datetime) -> Compensation | None:
    """Roll back; PutOff while another sync, such as the org's next turn, holds the streams."""
    try:
        return when_free(lambda: undo_canceled(database, org_id, sync_id, run_id), BUSY_PATIENCE_SECONDS)
    except StreamBusy as busy:
        if datetime.now(UTC) - ended_at > _PUT_OFF_AT_MOST:
            raise
        raise PutOff(str(busy)) from busy
