"""Resources for ops and sensors: the use cases on our database."""

from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import dagster as dg
from psycopg import Connection
from pydantic import PrivateAttr

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.checks import Finding, Rule
from openfaith_pipeline.connections.client import connect_client
from openfaith_pipeline.connections.openfaith_tokens import adopt_openfaith_orgs
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.refusals import TROUBLE
from openfaith_pipeline.defs.database_resource import DatabaseResource
from openfaith_pipeline.defs.run_handle import current_caller
from openfaith_pipeline.defs.run_tags import BACKFILL, RequestPart
from openfaith_pipeline.errors import IdempotencyKeyReused, OpenFaithError, SourceUnreachable, describe_unforeseen
from openfaith_pipeline.inbox.lifecycle import take_request
from openfaith_pipeline.load.plans import is_plan
from openfaith_pipeline.load.preview import preview_rows
from openfaith_pipeline.load.sync_log import SyncStart, begin_sync, finish_sync, mode_of
from openfaith_pipeline.network.rate_ledger import Priority
from openfaith_pipeline.orgs.naming import names_of
from openfaith_pipeline.orgs.registry import get_org, list_orgs
from openfaith_pipeline.orgs.turns import Kind, count_due, enroll_orgs
from openfaith_pipeline.review.conflicts import Decision
from openfaith_pipeline.review.held_deletions import HeldDeletion
from openfaith_pipeline.sources import DEFAULT_SOURCE
from openfaith_pipeline.sync.attempt import sync_streams
from openfaith_pipeline.sync.conflict_decision import Decided, decide_conflicts
from openfaith_pipeline.sync.deletion_approval import Approval, approve_deletion, reject_deletion
from openfaith_pipeline.sync.plan import apply_streams
from openfaith_pipeline.sync.rebuild import OrgRebuild, RebuildOrder, foresee_rebuild, rebuild
from openfaith_pipeline.sync.results import StreamResult, SyncMode
from openfaith_pipeline.sync.sweep import Listener, SweepOrder, SweepReport, sweep
from openfaith_pipeline.transform import TransformResult, transform_org

SyncResults = dict[str, StreamResult]


@dataclass(frozen=True)
class Glance:
    """Published rows in brief: findings by rule name, and some rows without personal data."""

    findings: Mapping[str, Finding]
    preview: Sequence[Mapping[str, Any]]


def _reading_for(request: RequestPart, patience_seconds: float) -> Callable[..., Coroutine[Any, Any, SyncResults]]:
    """Prioritize a sync that a person waits for over a backfill's requests to the same Planning Center."""
    priority = Priority.BACKFILL if request.trigger == BACKFILL else Priority.INCREMENTAL
    return partial(
        sync_streams,
        client_factory=partial(connect_client, priority=priority),
        patience_seconds=patience_seconds,
    )


class SyncEngine(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The sync engine on our database."""

    database: dg.ResourceDependency[DatabaseResource]
    _unreachable: dict[str, str] = PrivateAttr(default_factory=dict)
    _names: dict[str, str] = PrivateAttr(default_factory=dict)

    def sync(self, request: RequestPart, streams: Sequence[Stream], mode: SyncMode) -> dict[str, StreamResult]:
        """Sync these streams; returns the results by stream name."""
        with self._recorded(request, mode, {"streams": [stream.name for stream in streams]}) as failures:
            results = self._bring(request, streams, mode)
            failures.extend(name for name, result in results.items() if result.is_unsynced)
        current_caller().hear_streams(results)
        return results

    def _bring(self, request: RequestPart, streams: Sequence[Stream], mode: SyncMode) -> SyncResults:
        """Sync or apply; if the API was unreachable for one product of the run, the next product does not try it."""
        caller, org_id, is_plan = current_caller(), request.org_id, self._is_plan(request.sync_id)
        if org_id in self._unreachable and not is_plan:
            raise SourceUnreachable(self._unreachable[org_id])
        bring = apply_streams if is_plan else _reading_for(request, caller.patience_seconds)
        try:
            return caller.run(
                bring(self._data, org_id, streams, mode=mode, sync_id=request.sync_id, progress=caller.progress)
            )
        except SourceUnreachable as error:
            self._unreachable[org_id] = str(error)
            raise

    def transform(self, request: RequestPart, tables: Collection[str]) -> dict[str, TransformResult]:
        """Update these canonical tables from the raw ones; returns the changes by table."""
        with (
            self._recorded(request, SyncMode.INCREMENTAL, {"tables": sorted(tables)}),
            self._connect() as connection,
            current_caller().canceling(connection),
        ):
            results = transform_org(
                connection,
                request.org_id,
                schema=self._data.settings.canonical_schema,
                sync_id=request.sync_id,
                tables=tables,
                is_full=mode_of(connection, request.sync_id) in {SyncMode.RECONCILE, SyncMode.FULL_REFRESH},
            )
        current_caller().hear_tables(results)
        return results

    def sweep(self, order: SweepOrder, listener: Listener) -> SweepReport:
        """Sync every due org."""
        return current_caller().run(sweep(self._data, order, listener))

    def count_due(self, kind: Kind) -> int:
        """Number of orgs that wait for a sweep of this kind."""
        with self._connect() as connection:
            enroll_orgs(connection, kind, DEFAULT_SOURCE.adapter)
            return count_due(connection, kind, DEFAULT_SOURCE.adapter)

    async def approve_deletion(self, held_id: int, who: str) -> Approval:
        """Mark the held rows deleted."""
        return await approve_deletion(self._data, held_id, who)

    async def reject_deletion(self, held_id: int, who: str) -> HeldDeletion:
        """Keep the held rows."""
        return await reject_deletion(self._data, held_id, who)

    def decide_conflicts(self, ids: Sequence[str], decision: str, who: str) -> Decided:
        """Replace OpenFaith's values with the source's, or keep them."""
        return decide_conflicts(self._data, ids, Decision(decision), who, trigger="dagster")

    def rebuild(
        self, order: RebuildOrder, *, is_dry: bool, begun: Callable[[str], object] = lambda _: None
    ) -> list[OrgRebuild]:
        """Rebuild the orgs' OpenFaith tables from the raw ones, or only count the changes. Raises UnknownOrg."""
        with self._connect() as connection:
            for org_id in order.org_ids:
                get_org(connection, org_id)
        return (foresee_rebuild if is_dry else rebuild)(self._data, order, begun)

    def look_at(self, stream: Stream, org_id: str, rules: Collection[Rule], limit: int) -> Glance:
        """The stream's published rows of the org: the rules' findings, and a preview of `limit` rows."""
        with self._connect() as connection:
            findings = {rule.name: rule.examine(connection, stream, org_id) for rule in rules}
            return Glance(findings, preview_rows(connection, stream, org_id, limit))

    def org_ids(self) -> list[str]:
        """Every connected org, including those that OpenFaith has connected since the last call."""
        with self._connect() as connection:
            adopt_openfaith_orgs(connection, self.canonical_schema, adapter=DEFAULT_SOURCE.adapter)
            return [org.org_id for org in list_orgs(connection)]

    def name_of(self, org_id: str) -> str:
        """The church's name, fit to be printed; the id of an org that is no longer registered."""
        if org_id not in self._names:
            with self._connect() as connection:
                self._names |= {org_id: org_id, **names_of(connection, [org_id])}
        return self._names[org_id]

    @property
    def canonical_schema(self) -> str:
        return self._data.settings.canonical_schema

    @property
    def sweeps_at_once(self) -> int:
        return self._data.settings.sweeps_at_once

    @contextmanager
    def _recorded(self, request: RequestPart, mode: SyncMode, requested: Mapping[str, Any]) -> Iterator[list[str]]:
        """Record the sync's beginning and end, unless the caller in this process does.

        Failures go into the yielded list.
        """
        failures: list[str] = []
        if current_caller().records_sync:
            yield failures
            return
        asked = {"org": request.org_id, **requested}
        with self._connect() as connection:
            take_request(connection, request.sync_id, request.run_id)
            start = SyncStart(request.sync_id, request.run_id, mode, request.trigger, asked, _key_of(request))
            earlier = begin_sync(connection, start)
        if earlier is not None:
            raise IdempotencyKeyReused(f"the sync {earlier.sync_id} was started with this key and has {earlier.status}")
        try:
            yield failures
        except BaseException as error:  # also the exception that Dagster raises in a terminated run
            with suppress(OpenFaithError, *TROUBLE):  # if Postgres is away, a sensor ends it
                self._finish(request.sync_id, _reason_of(error))
            raise
        self._finish(request.sync_id, f"not synced: {', '.join(failures)}" if failures else None)

    def _is_plan(self, sync_id: str) -> bool:
        with self._connect() as connection:
            return is_plan(connection, sync_id)

    @property
    def _data(self) -> Database:
        return self.database.database

    def _connect(self) -> Connection[Any]:
        return self._data.connect()

    def _finish(self, sync_id: str, error: str | None) -> None:
        with self._connect() as connection:
            finish_sync(connection, sync_id, error)


def _reason_of(error: BaseException) -> str:
    if isinstance(error, OpenFaithError):
        return str(error)
    return describe_unforeseen(error) if isinstance(error, Exception) else "interrupted: its run was terminated"


def _key_of(request: RequestPart) -> str | None:
    """The request's key in the sync log, with the org, so that keys of different orgs never collide."""
    return request.idempotency_key and f"{request.org_id}:{request.idempotency_key}"
