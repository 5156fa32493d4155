"""Runs of single orgs, executed in threads of this process until they end or a person interrupts them."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Event
from typing import Any, Final

import dagster as dg
from sqlalchemy.exc import DBAPIError

from openfaith_pipeline.database.refusals import unavailable
from openfaith_pipeline.defs.dagster_private import (
    DagsterPostgresException,
    InMemoryJob,
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
    execute_run,
)
from openfaith_pipeline.defs.failure_reasons import reason_of
from openfaith_pipeline.defs.instance import LOCATION_NAME
from openfaith_pipeline.defs.jobs import SYNC_JOB
from openfaith_pipeline.defs.location import sync_definitions
from openfaith_pipeline.defs.reports import OrgReport, status_of
from openfaith_pipeline.defs.run_handle import CALLER, Caller
from openfaith_pipeline.defs.run_tags import (
    IDEMPOTENCY_TAG,
    ORG_TAG,
    PARTITION_TAG,
    SYNC_ID_TAG,
    TRACEPARENT_TAG,
    TRIGGER_TAG,
)
from openfaith_pipeline.defs.selections import assets_of, mode_config
from openfaith_pipeline.defs.sync_orders import SyncOrder
from openfaith_pipeline.processes.interrupts import interrupts_heard
from openfaith_pipeline.settings import load_settings
from openfaith_pipeline.telemetry.spans import current_traceparent

ORGS_AT_ONCE: Final = 4
_LISTEN_SECONDS: Final = 0.2


@dataclass
class OrgRun:
    """A run of one org in this process."""

    org_id: str
    job: InMemoryJob
    run: dg.DagsterRun
    caller: Caller


def create_run(instance: dg.DagsterInstance, order: SyncOrder, org_id: str, caller: Caller, is_verbose: bool) -> OrgRun:
    """A run of the instance that is not in its queue."""
    # Dagster accepts no selection of checks for a run that is created here.
    job = sync_definitions().resolve_job_def(SYNC_JOB.name)
    origin = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(LOCATION_NAME), "__repository__")
    run = instance.create_run_for_job(
        job_def=job,
        run_config=_run_config(order, org_id, is_verbose),
        tags={
            ORG_TAG: org_id,
            PARTITION_TAG: org_id,
            SYNC_ID_TAG: order.sync_id,
            TRIGGER_TAG: order.trigger,
            **({IDEMPOTENCY_TAG: order.idempotency_key} if order.idempotency_key else {}),
            **({TRACEPARENT_TAG: traceparent} if (traceparent := current_traceparent()) else {}),
            # A person sees it fail and decides; without a running daemon it would be retried much later.
            "dagster/max_retries": "0",
        },
        asset_selection=assets_of(order.streams_for(org_id)),
        remote_job_origin=RemoteJobOrigin(origin, SYNC_JOB.name),
    )
    return OrgRun(org_id, InMemoryJob(job), run, caller)


def _run_config(order: SyncOrder, org_id: str, is_verbose: bool) -> dict[str, Any]:
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    return {**mode_config(order.streams_for(org_id), order.mode), **({} if is_verbose else quiet)}


def execute_all(instance: dg.DagsterInstance, runs: Sequence[OrgRun], reports: dict[str, OrgReport]) -> None:
    """Fill the mapping, also when interrupted; the KeyboardInterrupt comes after that."""
    interrupted = Event()
    with interrupts_heard(interrupted.set):
        with ThreadPoolExecutor(ORGS_AT_ONCE, thread_name_prefix="org") as pool:
            futures = {pool.submit(_execute, instance, run): run for run in runs}
            while wait(futures, timeout=_LISTEN_SECONDS).not_done:
                if interrupted.is_set():
                    _cancel_all(instance, futures)
                    break
        reports.update({run.org_id: _report_of(future, run) for future, run in futures.items()})


def _report_of(future: Future[OrgReport], run: OrgRun) -> OrgReport:
    if future.cancelled():
        return OrgReport(run.org_id, run.run.run_id, "canceled", {}, sync_id=run.run.tags[SYNC_ID_TAG])
    return future.result()


def _cancel_all(instance: dg.DagsterInstance, futures: Mapping[Future[OrgReport], OrgRun]) -> None:
    """Stop running orgs, keep others from beginning, and only then notify Dagster, which may take long."""
    waiting = {future for future in futures if future.cancel()}
    for run in futures.values():
        run.caller.stop()
    for future, run in futures.items():
        if future in waiting:
            instance.report_run_canceled(run.run)
        elif not future.done():
            instance.report_run_canceling(run.run, "Interrupted by the person who started it.")


def _recorded_reason(instance: dg.DagsterInstance, run: OrgRun, status: str) -> str | None:
    return reason_of(instance, run.run.run_id) if status == "failed" else None


def _execute(instance: dg.DagsterInstance, run: OrgRun) -> OrgReport:
    token = CALLER.set(run.caller)
    try:
        status = status_of(execute_run(run.job, run.run, instance).dagster_run)
    except (DBAPIError, DagsterPostgresException) as error:
        status = "failed"
        run.caller.errors["run"] = str(unavailable(error, "during the run", load_settings()))
    finally:
        CALLER.reset(token)
    return OrgReport(
        org_id=run.org_id,
        run_id=run.run.run_id,
        status=status,
        streams=run.caller.streams,
        tables=run.caller.tables,
        error="; ".join(dict.fromkeys(run.caller.errors.values())) or _recorded_reason(instance, run, status),
        sync_id=run.run.tags[SYNC_ID_TAG],
    )
