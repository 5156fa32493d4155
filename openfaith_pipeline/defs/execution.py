"""Execute runs in this process, for `openfaith-pipeline sync` and for the same from Python.

They are runs of the instance like any other, seen in the UI while they execute and afterwards. They do not pass the
queue: a person waits for them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Final

import dagster as dg

from openfaith_pipeline.connections.openfaith_tokens import adopt_openfaith_orgs
from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.defs.instance import open_instance
from openfaith_pipeline.defs.live_runs import end_if_dead, find_live_run, wait_for_end
from openfaith_pipeline.defs.org_runs import OrgRun, create_run, execute_all
from openfaith_pipeline.defs.partitions import align_partitions
from openfaith_pipeline.defs.reports import OrgReport, read_reports, runs_of
from openfaith_pipeline.defs.run_handle import Caller
from openfaith_pipeline.defs.run_tags import (
    SYNC_ID_TAG,
    sync_id_of,
)
from openfaith_pipeline.defs.selections import assets_of
from openfaith_pipeline.defs.sync_orders import Beginning, SyncInterrupted, SyncOrder
from openfaith_pipeline.errors import IdempotencyKeyReused, OrgPaused, StreamBusy
from openfaith_pipeline.load.sync_leases import end_expired, lease_kept
from openfaith_pipeline.load.sync_log import (
    INTERRUPTED,
    RecordedSync,
    begin_sync,
    find_sync,
    find_unfinished,
    finish_sync,
    interrupt_sync,
    mode_of,
    note_run,
    recorded_streams,
    started_alone,
)
from openfaith_pipeline.orgs.registry import get_org, list_orgs
from openfaith_pipeline.settings import load_settings
from openfaith_pipeline.sources import DEFAULT_SOURCE, streams_of_source
from openfaith_pipeline.sync.results import Progress, StreamResult, SyncMode, stored_result

_AT_LEAST: Final = {
    SyncMode.INCREMENTAL: {mode.value for mode in SyncMode},
    SyncMode.RECONCILE: {SyncMode.RECONCILE.value, SyncMode.FULL_REFRESH.value},
    SyncMode.FULL_REFRESH: {SyncMode.FULL_REFRESH.value},
}
"""Mode -> the modes that read at least as much."""


def sync_orgs(*org_ids: str, mode: SyncMode | str = SyncMode.INCREMENTAL) -> dict[str, OrgReport]:
    """Sync everything of these orgs, in this process; returns the reports by org."""
    order = SyncOrder(org_ids, streams_of_source(DEFAULT_SOURCE.adapter), SyncMode(mode), trigger="python")
    with open_database(load_settings()) as database:
        return run_sync(database, order)


def run_sync(
    database: Database,
    order: SyncOrder,
    *,
    progress: Callable[[str], Progress] | None = None,
    begun: Callable[[Beginning], None] = lambda _: None,
    is_verbose: bool = False,
) -> dict[str, OrgReport]:
    """Sync the streams of the orgs, and the canonical tables they feed; returns the outcomes by org.

    A sync of the same request that was interrupted, or killed, is continued, as Dagster's retries do: the streams
    that it has finished are not read again.
    progress: takes an org_id and returns the listener for the org's streams; each org is synced in its own thread.
    begun: called with the sync, once that is known.
    is_verbose: let Dagster's log of the runs go to stderr.
    Raises UnknownOrg, OrgPaused, and StreamBusy when a run of one of the orgs is alive; SyncInterrupted, for a
    KeyboardInterrupt, after the runs have ended and are marked canceled.
    """
    with open_instance(database.settings, database) as instance:
        with ExitStack() as starting:
            starting.enter_context(started_alone(database, order.key))
            earlier = _find_earlier(database, order)
            if earlier and not _is_left_over(instance, earlier):
                starting.close()
                begun(Beginning(earlier.sync_id, earlier, is_joined=True))
                return _join(database, instance, order, earlier)
            earlier = earlier or _find_left_over(database, instance, order)
            order = replace(order, sync_id=earlier.sync_id) if earlier else order
            _check_orgs(database, instance, order.org_ids)
            _begin(database, order)
            begun(Beginning(order.sync_id, earlier))
            with _concluded(database, order) as reports:
                runs = []
                for org_id in order.org_ids:
                    heard = progress(org_id) if progress else None
                    caller = Caller(database, heard, records_sync=True, patience_seconds=order.patience_seconds)
                    runs.append(create_run(instance, order, org_id, caller, is_verbose))
                _note_run(database, order, runs)
                starting.close()
                execute_all(instance, runs, reports)
        return reports


def join_runs(database: Database, order: SyncOrder) -> dict[str, OrgReport] | None:
    """Wait for the running runs of the orgs; returns their reports, or None if they do not cover the order."""
    with open_instance(database.settings, database) as instance:
        live = {org_id: find_live_run(instance, org_id) for org_id in order.org_ids}
        runs = {org_id: run for org_id, run in live.items() if run}
        wait_for_end(instance, runs.values())
        if len(runs) < len(live) or not all(_covers(database, run, order, org_id) for org_id, run in runs.items()):
            return None
        return {
            org_id: read_reports(database, instance, sync_id_of(run, instance), [org_id])[org_id]
            for org_id, run in runs.items()
        }


def _covers(database: Database, run: dg.DagsterRun, order: SyncOrder, org_id: str) -> bool:
    """Whether the run reads at least as much of the org as the order, in the same way."""
    wanted = assets_of(order.streams_for(org_id))
    with database.connect() as connection:
        mode = mode_of(connection, run.tags.get(SYNC_ID_TAG, run.run_id))
    return (run.asset_selection is None or wanted <= run.asset_selection) and mode in _AT_LEAST[order.mode]


def _find_earlier(database: Database, order: SyncOrder) -> RecordedSync | None:
    if order.key is None:
        return None
    with database.connect() as connection:
        earlier = find_sync(connection, order.key)
    if earlier and (earlier.mode, earlier.requested) != (order.mode.value, order.asked):
        raise IdempotencyKeyReused(
            f"the key {order.idempotency_key!r} was used for sync {earlier.sync_id} with other streams or"
            " another mode; use a new key for a new request"
        )
    return earlier


def _find_left_over(database: Database, instance: dg.DagsterInstance, order: SyncOrder) -> RecordedSync | None:
    """The sync of the same request that a person interrupted, or whose process was killed."""
    if order.key is not None or order.is_anew:
        return None
    with database.connect() as connection:
        unfinished = find_unfinished(connection, order.start)
    return unfinished if unfinished and _is_left_over(instance, unfinished) else None


def _is_left_over(instance: dg.DagsterInstance, earlier: RecordedSync) -> bool:
    """Whether the sync is unfinished and none of its runs is alive, so that it can safely be continued."""
    if earlier.status not in {"running", INTERRUPTED}:
        return False
    return all(run.is_finished or end_if_dead(instance, run) for run in runs_of(instance, earlier.sync_id))


def _join(
    database: Database, instance: dg.DagsterInstance, order: SyncOrder, earlier: RecordedSync
) -> dict[str, OrgReport]:
    """Reports of the sync that was begun with the same key, after waiting for its end."""
    wait_for_end(instance, runs_of(instance, earlier.sync_id))
    return read_reports(database, instance, earlier.sync_id, order.org_ids)


def _check_orgs(database: Database, instance: dg.DagsterInstance, org_ids: Sequence[str]) -> None:
    with database.connect() as connection:
        end_expired(connection)
        adopt_openfaith_orgs(connection, database.settings.canonical_schema, adapter=DEFAULT_SOURCE.adapter)
        for org_id in org_ids:
            if get_org(connection, org_id).paused_at:
                raise OrgPaused(f"{org_id} is paused; resume it with: openfaith-pipeline org resume {org_id}")
        align_partitions(instance, [org.org_id for org in list_orgs(connection)])
    for org_id in org_ids:
        if run := find_live_run(instance, org_id):
            message = f"run {run.run_id} is syncing {org_id}; wait for it, or terminate it in Dagster"
            raise StreamBusy(message, run.run_id)


def _begin(database: Database, order: SyncOrder) -> None:
    with database.connect() as connection:
        begin_sync(connection, order.start)


def _note_run(database: Database, order: SyncOrder, runs: Sequence[OrgRun]) -> None:
    if len(runs) == 1:
        with database.connect() as connection:
            note_run(connection, order.sync_id, runs[0].run.run_id)


@contextmanager
def _concluded(database: Database, order: SyncOrder) -> Iterator[dict[str, OrgReport]]:
    """Record the sync's end from the reports put into the mapping."""
    reports: dict[str, OrgReport] = {}
    try:
        with lease_kept(database, order.sync_id):
            yield reports
    except KeyboardInterrupt:
        with database.connect() as connection:
            interrupt_sync(connection, order.sync_id)
        raise SyncInterrupted(order.sync_id, _so_far(database, order, reports)) from None
    except BaseException:
        _finish(database, order, reports)
        raise
    _finish(database, order, reports)


def _so_far(database: Database, order: SyncOrder, reports: Mapping[str, OrgReport]) -> dict[str, OrgReport]:
    """Results of the sync by org, including its earlier attempts."""
    found = {}
    with database.connect() as connection:
        for org_id in order.org_ids:
            rows = recorded_streams(connection, order.sync_id, org_id)
            streams = {row["stream"]: stored_result(row) for row in rows}
            report = reports.get(org_id)
            is_done = _has_succeeded(report)
            found[org_id] = OrgReport(
                org_id,
                report.run_id if report else None,
                "succeeded" if is_done else INTERRUPTED,
                {name: result if is_done else _cut_short(result) for name, result in streams.items()},
                sync_id=order.sync_id,
            )
    return found


def _cut_short(result: StreamResult) -> StreamResult:
    return replace(result, status=INTERRUPTED) if result.status == "running" else result


def _finish(database: Database, order: SyncOrder, reports: Mapping[str, OrgReport]) -> None:
    unfinished = [org_id for org_id in order.org_ids if not _has_succeeded(reports.get(org_id))]
    with database.connect() as connection:
        finish_sync(connection, order.sync_id, f"not synced: {', '.join(unfinished)}" if unfinished else None)


def _has_succeeded(report: OrgReport | None) -> bool:
    return report is not None and report.status == "succeeded"
