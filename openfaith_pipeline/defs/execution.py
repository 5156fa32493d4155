"""Runs executed in this process: what `openfaith-pipeline sync` and `run_pco_sync` do.

They are runs of the instance like any other, seen in the UI while they execute and afterwards. They do not pass the
queue: a person waits for them.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.storage.dagster_run import RunsFilter
from dagster_postgres.utils import DagsterPostgresException
from sqlalchemy.exc import DBAPIError

from openfaith_pipeline.catalog import STREAMS, Stream
from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.defs.caller import CALLER, Caller
from openfaith_pipeline.defs.instance import LOCATION_NAME, open_instance
from openfaith_pipeline.defs.jobs import PCO_SYNC
from openfaith_pipeline.defs.location import definitions
from openfaith_pipeline.defs.partitions import align_partitions
from openfaith_pipeline.defs.requests import ORG_TAG, PARTITION_TAG, SYNC_ID_TAG, TRIGGER_TAG
from openfaith_pipeline.defs.selections import assets_of, mode_config
from openfaith_pipeline.errors import OrgPaused, StreamBusy
from openfaith_pipeline.orgs.openfaith_tables import adopt_openfaith_orgs
from openfaith_pipeline.orgs.registry import get_org, list_orgs
from openfaith_pipeline.settings import load_settings
from openfaith_pipeline.sync import Progress, StreamResult, SyncMode, SyncStart, begin_sync, finish_sync
from openfaith_pipeline.transform import TransformResult

ORGS_AT_ONCE: Final = 4

_UNDER_WAY: Final = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


@dataclass(frozen=True)
class OrgReport:
    """How the run of one org ended.

    status: succeeded, failed or canceled.
    streams, tables: by name, as far as the run came.
    """

    org_id: str
    run_id: str
    status: str
    streams: Mapping[str, StreamResult]
    tables: Mapping[str, TransformResult]
    error: str | None = None


@dataclass(frozen=True)
class SyncOrder:
    """What is asked for; `sync_id` names it in our records, and `trigger` says who asks."""

    org_ids: Sequence[str]
    streams: Collection[Stream]
    mode: SyncMode = SyncMode.INCREMENTAL
    sync_id: str = field(default_factory=lambda: str(uuid4()))
    trigger: str = "cli"


@dataclass
class _Run:
    """One org's run under way."""

    org_id: str
    job: InMemoryJob
    run: dg.DagsterRun
    caller: Caller


def run_pco_sync(*org_ids: str, mode: SyncMode | str = SyncMode.INCREMENTAL) -> dict[str, OrgReport]:
    """Sync everything of these orgs, in this process; by org, how it ended."""
    order = SyncOrder(org_ids, tuple(STREAMS.values()), SyncMode(mode), trigger="python")
    with open_database(load_settings()) as database:
        return run_sync(database, order)


def run_sync(
    database: Database,
    order: SyncOrder,
    *,
    progress: Callable[[str], Progress] | None = None,
    is_verbose: bool = False,
) -> dict[str, OrgReport]:
    """Sync the streams of the orgs, and the canonical tables they feed; by org, how it ended.

    progress: makes, from an org_id, what hears of the org's streams; orgs are synced in threads of their own.
    is_verbose: let Dagster's log of the runs go to stderr.
    Raises UnknownOrg, OrgPaused, and StreamBusy when a run of one of the orgs is alive. KeyboardInterrupt is raised
    again after the runs have ended and are marked canceled.
    """
    with open_instance(database.settings, database) as instance:
        _check_orgs(database, instance, order.org_ids)
        runs = []
        for org_id in order.org_ids:
            caller = Caller(database, progress(org_id) if progress else None, records_sync=True)
            runs.append(_create(instance, order, org_id, caller, is_verbose))
        with _recorded(database, order, runs) as reports:
            reports.update(_execute_all(instance, runs))
        return reports


def _check_orgs(database: Database, instance: dg.DagsterInstance, org_ids: Sequence[str]) -> None:
    with database.connect() as connection:
        adopt_openfaith_orgs(connection, database.settings.canonical_schema)
        for org_id in org_ids:
            if get_org(connection, org_id).paused_at:
                raise OrgPaused(f"{org_id} is paused; resume it with: openfaith-pipeline org resume {org_id}")
        align_partitions(instance, [org.org_id for org in list_orgs(connection)])
    for org_id in org_ids:
        _end_dead_runs(instance, org_id)


def _end_dead_runs(instance: dg.DagsterInstance, org_id: str) -> None:
    """Fail the org's runs whose process is gone, as the daemon would; raise StreamBusy for one that lives."""
    filters = RunsFilter(statuses=_UNDER_WAY, tags={PARTITION_TAG: org_id})
    for run in instance.get_runs(filters):
        health = instance.run_launcher.check_run_worker_health(run)
        if health.status.value == "RUNNING":
            raise StreamBusy(f"run {run.run_id} is syncing {org_id}; wait for it, or terminate it in Dagster")
        instance.report_run_failed(run, f"{health.msg}; another run of the org begins")


def _create(instance: dg.DagsterInstance, order: SyncOrder, org_id: str, caller: Caller, is_verbose: bool) -> _Run:
    job = definitions().resolve_job_def(PCO_SYNC.name)
    origin = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(LOCATION_NAME), "__repository__")
    run = instance.create_run_for_job(
        job_def=job,
        run_config=_run_config(order, is_verbose),
        tags={
            ORG_TAG: org_id,
            PARTITION_TAG: org_id,
            SYNC_ID_TAG: order.sync_id,
            TRIGGER_TAG: order.trigger,
            # A person sees it fail and decides; where no daemon runs it would be retried long after.
            "dagster/max_retries": "0",
        },
        asset_selection=assets_of(order.streams),
        remote_job_origin=RemoteJobOrigin(origin, PCO_SYNC.name),
    )
    return _Run(org_id, InMemoryJob(job), run, caller)


def _run_config(order: SyncOrder, is_verbose: bool) -> dict[str, Any]:
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    return {**mode_config(order.streams, order.mode), **({} if is_verbose else quiet)}


@contextmanager
def _recorded(database: Database, order: SyncOrder, runs: Sequence[_Run]) -> Iterator[dict[str, OrgReport]]:
    """Record the sync's beginning and its end; the mapping takes how the orgs' runs ended."""
    asked = {"orgs": list(order.org_ids), "streams": [stream.name for stream in order.streams]}
    run_id = runs[0].run.run_id if len(runs) == 1 else None
    with database.connect() as connection:
        begin_sync(connection, SyncStart(order.sync_id, run_id, order.mode, order.trigger, asked))
    reports: dict[str, OrgReport] = {}
    try:
        yield reports
    finally:
        unfinished = [run.org_id for run in runs if not _has_succeeded(reports.get(run.org_id))]
        with database.connect() as connection:
            finish_sync(connection, order.sync_id, f"not synced: {', '.join(unfinished)}" if unfinished else None)


def _has_succeeded(report: OrgReport | None) -> bool:
    return report is not None and report.status == "succeeded"


def _execute_all(instance: dg.DagsterInstance, runs: Sequence[_Run]) -> dict[str, OrgReport]:
    with ThreadPoolExecutor(max_workers=ORGS_AT_ONCE, thread_name_prefix="org") as pool:
        futures = {pool.submit(_execute, instance, run): run for run in runs}
        try:
            wait(futures)
        except KeyboardInterrupt:
            for future, run in futures.items():
                _cancel(instance, future, run)
            raise
    return {run.org_id: future.result() for future, run in futures.items()}


def _cancel(instance: dg.DagsterInstance, future: Future[OrgReport], run: _Run) -> None:
    if future.cancel():
        instance.report_run_canceled(run.run)
    elif not future.done():
        instance.report_run_canceling(run.run, "Interrupted by the person who started it.")
        run.caller.stop()


def _execute(instance: dg.DagsterInstance, run: _Run) -> OrgReport:
    token = CALLER.set(run.caller)
    try:
        status = _status(execute_run(run.job, run.run, instance).dagster_run)
    except (DBAPIError, DagsterPostgresException) as error:
        status = "failed"
        run.caller.errors["run"] = f"Postgres went away during the run: {type(error).__name__}"
    finally:
        CALLER.reset(token)
    return OrgReport(
        org_id=run.org_id,
        run_id=run.run.run_id,
        status=status,
        streams=run.caller.streams,
        tables=run.caller.tables,
        error="; ".join(run.caller.errors.values()) or None,
    )


def _status(run: dg.DagsterRun) -> str:
    if run.is_success:
        return "succeeded"
    return "canceled" if run.status is dg.DagsterRunStatus.CANCELED else "failed"
