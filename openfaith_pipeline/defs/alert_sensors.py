"""Sensors that detect failed runs, watch connections and freshness, and deliver alerts."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import dagster as dg
from psycopg import Connection

from openfaith_pipeline.alerts.channels import channels_of
from openfaith_pipeline.alerts.dead_connections import was_dead_since, watch_dying
from openfaith_pipeline.alerts.delivery import deliver_due_alerts
from openfaith_pipeline.alerts.failing_sweeps import watch_turns
from openfaith_pipeline.alerts.freshness import watch_freshness
from openfaith_pipeline.alerts.incidents import Alert, list_alerts, raise_alert, resolve_alert
from openfaith_pipeline.alerts.waiting_conflicts import watch_conflicts
from openfaith_pipeline.catalog.source import Source
from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.dagster_private import IMPLICIT_ASSET_JOB_NAME
from openfaith_pipeline.defs.database_resource import DatabaseResource
from openfaith_pipeline.defs.failure_reasons import reason_of
from openfaith_pipeline.defs.retries import is_retried
from openfaith_pipeline.defs.run_ends import put_off_in_outages
from openfaith_pipeline.defs.run_tags import ORG_TAG, PARTITION_TAG, SYNC_ID_TAG
from openfaith_pipeline.load.sync_log import error_of, has_failing_streams
from openfaith_pipeline.orgs.turns import progress_of
from openfaith_pipeline.review.held_deletions import are_all_that_failed
from openfaith_pipeline.sources import DEFAULT_SOURCE, SOURCES

_APART: Final = timedelta(days=2)
"""Failures so far apart are different incidents, each with its alert, if the org was synced in between."""
_ORG_TAGS: Final = (PARTITION_TAG, ORG_TAG)
"""Where a run names its org; that of a workflow has no partition."""


@dg.run_failure_sensor(
    name="failed_runs",
    description="Raises an alert for a run that failed and is not retried.",
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def failed_runs_sensor(context: dg.RunFailureSensorContext, database: DatabaseResource) -> dg.SkipReason | None:
    run = context.dagster_run
    with put_off_in_outages():
        if is_retried(context.instance, run):
            return dg.SkipReason("The run is retried.")
        org_id = next((run.tags[tag] for tag in _ORG_TAGS if tag in run.tags), None)
        sync_id = run.tags.get(SYNC_ID_TAG, run.run_id)
        with database.connect() as connection:
            if org_id and _failed_by_its_connection(connection, context.instance, run, org_id):
                return dg.SkipReason("Its connection was dead, which has an alert of its own.")
            if org_id and are_all_that_failed(connection, org_id, sync_id):
                return dg.SkipReason("Deletions are held, which has an alert of its own.")
            reason = error_of(connection, sync_id) or reason_of(context.instance, run.run_id)
            raise_alert(
                connection,
                "run_failed",
                org_id,
                f"run {run.run_id} of {run.job_name} failed: {reason or 'its log in Dagster says why'}",
                "open the run in Dagster, fix the error, and choose 'Re-execute from failure': it continues where it"
                " stopped",
                incident=run.job_name,
            )
    return None


def _failed_by_its_connection(
    connection: Connection[Any], instance: dg.DagsterInstance, run: dg.DagsterRun, org_id: str
) -> bool:
    source = _synced_by(run.job_name)
    record = instance.get_run_record_by_id(run.run_id)
    if source is None or record is None:
        return False
    return was_dead_since(connection, org_id, source.adapter, record.create_timestamp)


def _synced_by(job_name: str) -> Source | None:
    """The source of a job that syncs one org; None of another job."""
    if job_name == IMPLICIT_ASSET_JOB_NAME:
        return DEFAULT_SOURCE
    return next((source for source in SOURCES.values() if source.sync_job == job_name), None)


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
    """Whether a run of the job has succeeded since, with all streams; a run of some streams does not count.

    A sync on demand may never be asked for again: it is over too once the org's turns have gone well for a while.
    """
    if alert.org_id is None:
        return _has_succeeded(instance, alert, {})
    source = _synced_by(alert.incident)
    if has_failing_streams(connection, alert.org_id, (source or DEFAULT_SOURCE).adapter):
        return False
    return (source is not None and _has_calmed_down(connection, alert, source.adapter)) or any(
        _has_succeeded(instance, alert, {tag: alert.org_id}) for tag in _ORG_TAGS
    )


def _has_calmed_down(connection: Connection[Any], alert: Alert, adapter: str) -> bool:
    if alert.org_id is None or datetime.now(UTC) - alert.last_seen_at < _APART:
        return False
    turns = progress_of(connection, alert.org_id, adapter)
    return any(turn.succeeded_at and turn.succeeded_at > alert.last_seen_at for turn in turns)


def _has_succeeded(instance: dg.DagsterInstance, alert: Alert, tags: Mapping[str, str]) -> bool:
    """Whether a run of the alert's job with these tags has succeeded since."""
    filters = dg.RunsFilter(
        job_name=alert.incident,
        statuses=[dg.DagsterRunStatus.SUCCESS],
        tags=tags,
        created_after=alert.last_seen_at.astimezone(UTC),
    )
    return bool(instance.get_run_ids(filters, limit=1))
