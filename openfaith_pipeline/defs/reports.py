"""Reports on the runs of a sync, executed here or by another process."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import dagster as dg

from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.failure_reasons import reason_of
from openfaith_pipeline.defs.run_tags import ORG_TAG, SYNC_ID_TAG
from openfaith_pipeline.load.sync_log import recorded_streams
from openfaith_pipeline.sync.results import StreamResult, stored_result
from openfaith_pipeline.transform import TransformResult


@dataclass(frozen=True)
class OrgReport:
    """How the run of one org ended.

    run_id: None if no run of the org was ever created.
    status: succeeded, failed or canceled.
    streams, tables: by name, as far as the run got; tables are unknown for a run of another process.
    sync_id: of the run's sync.
    """

    org_id: str
    run_id: str | None
    status: str
    streams: Mapping[str, StreamResult]
    tables: Mapping[str, TransformResult] = field(default_factory=dict)
    error: str | None = None
    sync_id: str | None = None


def read_reports(
    database: Database, instance: dg.DagsterInstance, sync_id: str, org_ids: Iterable[str]
) -> dict[str, OrgReport]:
    """Outcome of each org's newest run, for a sync whose runs have ended."""
    runs = {run.tags.get(ORG_TAG): run for run in reversed(runs_of(instance, sync_id))}
    reports = {}
    with database.connect() as connection:
        for org_id in org_ids:
            streams = {row["stream"]: stored_result(row) for row in recorded_streams(connection, sync_id, org_id)}
            run = runs.get(org_id)
            status = status_of(run) if run else "failed"
            reason = _reason_of(instance, run) if status == "failed" else None
            reports[org_id] = OrgReport(
                org_id, run.run_id if run else None, status, streams, error=reason, sync_id=sync_id
            )
    return reports


def _reason_of(instance: dg.DagsterInstance, run: dg.DagsterRun | None) -> str | None:
    return reason_of(instance, run.run_id) if run else "no run of it was started"


def runs_of(instance: dg.DagsterInstance, sync_id: str) -> list[dg.DagsterRun]:
    """The runs that are attempts at the sync, newest first."""
    return list(instance.get_runs(dg.RunsFilter(tags={SYNC_ID_TAG: sync_id})))


def status_of(run: dg.DagsterRun) -> str:
    """The status of an ended run in our terms."""
    if run.is_success:
        return "succeeded"
    return "canceled" if run.status is dg.DagsterRunStatus.CANCELED else "failed"
