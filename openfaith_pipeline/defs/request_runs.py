"""Turn requests into runs, and record how they end.

A sensor calls this repeatedly: a claimed request yields a run request until Dagster has a run, even if a process was
killed in between, and Dagster makes one run per run key, however often it is requested.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import dagster as dg
from psycopg import Connection

from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.coordinator import BACKFILL_PRIORITY
from openfaith_pipeline.defs.dagster_private import DagsterUserCodeProcessError, DagsterUserCodeUnreachableError
from openfaith_pipeline.defs.jobs import SYNC_JOB
from openfaith_pipeline.defs.retries import is_retried
from openfaith_pipeline.defs.run_tags import (
    ATTEMPT_TAG,
    CHURCH_TAG,
    IDEMPOTENCY_TAG,
    ORG_TAG,
    REQUEST_TAG,
    SYNC_ID_TAG,
    TRACEPARENT_TAG,
    TRIGGER_TAG,
)
from openfaith_pipeline.defs.selections import assets_of, checks_of, mode_config
from openfaith_pipeline.errors import UnknownStream, UsageError
from openfaith_pipeline.inbox.lifecycle import (
    claim_requests,
    claimed_requests,
    fail_orphans,
    finish_request,
    note_run,
    sync_failures,
    sync_summary,
)
from openfaith_pipeline.inbox.requests import Request
from openfaith_pipeline.load.sync_log import finish_sync
from openfaith_pipeline.orgs.naming import names_of
from openfaith_pipeline.sources import streams_of_source
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline.workflows.execution import Executor, outcome_of
from openfaith_pipeline.workflows.registry import get_workflow

_PRIORITIES: Final[Mapping[str, str]] = {"webhook": "20", "api": "10", "backfill": BACKFILL_PRIORITY}
_LOOKED_UP_AT_ONCE: Final = 200
_BEFORE_QUEUE: Final = dg.DagsterRunStatus.NOT_STARTED
_BEGUN: Final = {dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING}

_log = logging.getLogger(__name__)


def serve_requests(
    instance: dg.DagsterInstance, database: Database, connection: Connection[Any]
) -> list[dg.RunRequest]:
    """Record the states of requests' runs, claim due requests, and return the runs to launch."""
    claimed = claimed_requests(connection)
    runs = _newest_runs(instance, claimed)
    for request in claimed:
        with _ended_if_impossible(connection, request):
            _follow(instance, database, connection, request, runs.get(request.request_id))
        connection.commit()
    fail_orphans(connection)
    claim_requests(connection)
    # A claim is committed before Dagster hears of it: from then on the request can no longer be joined or canceled.
    connection.commit()
    claimed = claimed_requests(connection)
    runs = _newest_runs(instance, claimed)
    unlaunched = [request for request in claimed if _is_unlaunched(runs.get(request.request_id))]
    names = names_of(connection, {request.org_id for request in unlaunched})
    wanted = []
    for request in unlaunched:
        with _ended_if_impossible(connection, request):
            wanted.append(run_request_of(request, names.get(request.org_id, request.org_id)))
    _have_partitions(instance, wanted)
    return wanted


@contextmanager
def _ended_if_impossible(connection: Connection[Any], request: Request) -> Iterator[None]:
    """Fail a single request that this version cannot execute, such as one for a workflow that no longer exists."""
    try:
        yield
    except UsageError as error:
        finish_request(connection, request.request_id, "failed", str(error), None)


def run_request_of(request: Request, church: str) -> dg.RunRequest:
    """The run for the request, with a run key unique to the request and attempt. church: the org's name.

    Raises UnknownWorkflow, or UnknownStream if none of its streams is in the catalog any longer.
    """
    tags = {
        ORG_TAG: request.org_id,
        CHURCH_TAG: church,
        REQUEST_TAG: request.request_id,
        ATTEMPT_TAG: str(request.attempt),
        SYNC_ID_TAG: request.request_id,
        TRIGGER_TAG: request.trigger,
        "dagster/priority": _PRIORITIES.get(request.trigger, "0"),
        **({IDEMPOTENCY_TAG: request.idempotency_key} if request.idempotency_key else {}),
        **({TRACEPARENT_TAG: request.traceparent} if request.traceparent else {}),
    }
    if not _is_sync(request):
        return dg.RunRequest(run_key=_run_key(request), job_name=request.workflow, tags=tags)
    names = request.payload["streams"]
    own = streams_of_source(request.payload["adapter"])
    streams = [stream for stream in own if names is None or stream.name in names]
    if not streams:
        raise UnknownStream(f"there are no streams {', '.join(names)}; `openfaith-pipeline catalog` lists the streams")
    return dg.RunRequest(
        run_key=_run_key(request),
        job_name=SYNC_JOB.name,
        partition_key=request.org_id,
        asset_selection=None if names is None else sorted(assets_of(streams)),
        asset_check_keys=None if names is None else sorted(checks_of(streams)),
        run_config=mode_config(streams, SyncMode(request.payload["mode"])),
        tags=tags,
    )


def _is_sync(request: Request) -> bool:
    return get_workflow(request.workflow).is_sync


def _run_key(request: Request) -> str:
    first = f"{request.org_id}:{request.idempotency_key or request.request_id}"
    return first if request.attempt == 1 else f"{request.request_id}#{request.attempt}"


def _follow(
    instance: dg.DagsterInstance,
    database: Database,
    connection: Connection[Any],
    request: Request,
    record: dg.RunRecord | None,
) -> None:
    """record: the request's newest run."""
    if record is None or record.dagster_run.status is _BEFORE_QUEUE:
        if request.cancel_requested_at is not None and record is None:
            finish_request(connection, request.request_id, "canceled", None, None)
        return
    run = record.dagster_run
    if not run.is_finished:
        note_run(connection, request.request_id, run.run_id, is_running=run.status in _BEGUN)
        if request.cancel_requested_at is not None and run.status is not dg.DagsterRunStatus.CANCELING:
            _terminate(instance, run.run_id)
    elif run.is_success:
        finish_request(connection, request.request_id, "succeeded", None, _outcome(connection, request)[1])
    elif run.status is dg.DagsterRunStatus.CANCELED or request.cancel_requested_at is not None:
        _cancel(database, connection, request, run)
    elif not is_retried(instance, run):
        _finish_badly(connection, request, "failed", f"run {run.run_id} failed; see its log in Dagster")


def _cancel(database: Database, connection: Connection[Any], request: Request, run: dg.DagsterRun) -> None:
    """Undo the activities of the run, wherever it was terminated: in an activity, between two of them, or by a kill.

    An activity that could not be interrupted may outlive its run. It is looked at again when it has ended.
    """
    told = f"run {run.run_id} was terminated"
    if not _is_sync(request) and request.run_id in {None, run.run_id}:
        executor = Executor(database, request.request_id, sleep=lambda _: None)  # other requests wait meanwhile
        if executor.is_under_way():
            return
        if stuck := executor.undo_all():
            told += f"; not undone, repair by hand: {', '.join(stuck)}"
    _finish_badly(connection, request, "canceled", told)


def _finish_badly(connection: Connection[Any], request: Request, status: str, reason: str) -> None:
    error, result = _outcome(connection, request)
    told = reason if status == "canceled" else error or reason
    finish_request(connection, request.request_id, status, told, result)
    finish_sync(connection, request.request_id, told)


def _outcome(connection: Connection[Any], request: Request) -> tuple[str | None, dict[str, Any]]:
    """The failure, if any, and the results of the rest."""
    if not _is_sync(request):
        return outcome_of(connection, request)
    return "; ".join(sync_failures(connection, request)) or None, sync_summary(connection, request)


def _newest_runs(instance: dg.DagsterInstance, requests: Sequence[Request]) -> Mapping[str, dg.RunRecord]:
    """By request, the newest run of this attempt at it: the requested one, or one that repeats its failed part.

    "Re-execute all" is a new request, although Dagster copies the tags. After a silence of webhooks there are as many
    requests as churches: they are looked up many at a time.
    """
    found: dict[str, dg.RunRecord] = {}
    for first in range(0, len(requests), _LOOKED_UP_AT_ONCE):
        some = requests[first : first + _LOOKED_UP_AT_ONCE]
        attempts = {request.request_id: str(request.attempt) for request in some}
        for record in instance.get_run_records(dg.RunsFilter(tags={REQUEST_TAG: list(attempts)})):
            run = record.dagster_run
            is_ours = run.parent_run_id is None or run.is_resume_retry
            if is_ours and run.tags.get(ATTEMPT_TAG) == attempts[run.tags[REQUEST_TAG]]:
                found.setdefault(run.tags[REQUEST_TAG], record)
    return found


def _is_unlaunched(record: dg.RunRecord | None) -> bool:
    return record is None or record.dagster_run.status is _BEFORE_QUEUE


def _have_partitions(instance: dg.DagsterInstance, wanted: Sequence[dg.RunRequest]) -> None:
    missing = {each.partition_key for each in wanted if each.partition_key} - set(
        instance.get_dynamic_partitions("org")
    )
    instance.add_dynamic_partitions("org", sorted(missing))


def _terminate(instance: dg.DagsterInstance, run_id: str) -> None:
    try:
        instance.run_coordinator.cancel_run(run_id)
    except (DagsterUserCodeProcessError, DagsterUserCodeUnreachableError) as error:
        _log.warning("run %s could not be terminated yet: %s", run_id, type(error).__name__)
