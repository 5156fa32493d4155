"""Sensors that detect failed runs, watch connections and freshness, and deliver alerts."""

from datetime import UTC, timedelta
from typing import Any

import dagster as dg
from psycopg import Connection

from openfaith_pipeline.alerts.channels import channels_of
from openfaith_pipeline.alerts.dead_connections import watch_dying
from openfaith_pipeline.alerts.delivery import deliver_due_alerts
from openfaith_pipeline.alerts.failing_sweeps import watch_turns
from openfaith_pipeline.alerts.freshness import watch_freshness
from openfaith_pipeline.alerts.incidents import Alert, list_alerts, raise_alert, resolve_alert
from openfaith_pipeline.alerts.waiting_conflicts import watch_conflicts
from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.database_resource import DatabaseResource
from openfaith_pipeline.defs.failure_reasons import reason_of
from openfaith_pipeline.defs.retries import is_retried
from openfaith_pipeline.defs.run_tags import PARTITION_TAG, SYNC_ID_TAG
from openfaith_pipeline.load.sync_log import error_of, has_failing_streams
from openfaith_pipeline.sources import DEFAULT_SOURCE, SOURCES


@dg.run_failure_sensor(
    name="failed_runs",
    description="Raises an alert for a run that failed and is not retried.",
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def failed_runs_sensor(context: dg.RunFailureSensorContext, database: DatabaseResource) -> dg.SkipReason | None:
    run = context.dagster_run
    if is_retried(context.instance, run):
        return dg.SkipReason("The run is retried.")
    with database.connect() as connection:
        reason = error_of(connection, run.tags.get(SYNC_ID_TAG, run.run_id)) or reason_of(context.instance, run.run_id)
        raise_alert(
            connection,
            "run_failed",
            run.tags.get(PARTITION_TAG),
            f"run {run.run_id} of {run.job_name} failed: {reason or 'its log in Dagster says why'}",
            "open the run in Dagster, fix the error, and choose 'Re-execute from failure': it continues where it"
            " stopped",
            incident=run.job_name,
        )
    return None


@dg.sensor(
    name="alerts",
    description="Watches freshness, closes alerts that are over, and sends each alert once to each channel.",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def alerts_sensor(context: dg.SensorEvaluationContext, database: DatabaseResource) -> dg.SkipReason:
    with database.connect() as connection:
        for alert in list_alerts(connection):
            if (
                alert.kind == "run_failed"
                and not alert.incident.endswith(" sweep")
                and _is_over(connection, context.instance, alert)
            ):
                resolve_alert(connection, "run_failed", alert.org_id, incident=alert.incident)
    _watch(database)
    sent, failed = _deliver(database.database)
    return dg.SkipReason(f"Alerts sent: {sent}; to be retried: {failed}.")


def _watch(database: DatabaseResource) -> None:
    """Open and close alerts that follow from the bookkeeping."""
    limit = timedelta(hours=database.database.settings.freshness_hours)
    with database.connect() as connection:
        watch_conflicts(connection, database.database.settings.conflicts_waiting)
        for adapter, source in SOURCES.items():
            watch_freshness(connection, limit, adapter)
            watch_dying(connection, source)
            watch_turns(connection, adapter)


def _deliver(database: Database) -> tuple[int, int]:
    """Send due alerts; returns the numbers of alerts delivered and of alerts to retry."""
    outcomes = deliver_due_alerts(database, channels_of(database.settings))
    failed = sum(failure is not None for failure in outcomes.values())
    return len(outcomes) - failed, failed


def _is_over(connection: Connection[Any], instance: dg.DagsterInstance, alert: Alert) -> bool:
    """Whether a run of the job has succeeded since, with all streams; a run of some streams does not count."""
    filters = dg.RunsFilter(
        job_name=alert.incident,
        statuses=[dg.DagsterRunStatus.SUCCESS],
        tags={PARTITION_TAG: alert.org_id} if alert.org_id else {},
        created_after=alert.last_seen_at.astimezone(UTC),
    )
    if not instance.get_run_ids(filters, limit=1):
        return False
    source = next((each for each in SOURCES.values() if each.sync_job == alert.incident), DEFAULT_SOURCE)
    return alert.org_id is None or not has_failing_streams(connection, alert.org_id, source.adapter)
