"""The sweep: syncs all orgs that are due at a source, some fifty concurrently in one process.

Orgs are claimed a few at a time under a lease, so that any number of sweeps on any number of machines share them. Each
org's failure is isolated: it is recorded with the time of its next attempt, and the others continue. The work of a
killed sweep is continued by the next one, from the last committed page.
"""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol
from uuid import uuid4

from opentelemetry import trace

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.beats import beating
from openfaith_pipeline.database.refusals import (
    REFUSED_BY_POSTGRES,
    TROUBLE,
    UNANSWERED,
    outages_told,
    refusal_in_words,
)
from openfaith_pipeline.errors import DatabaseUnavailable, OpenFaithError, OrgPaused, UnknownOrg, describe_unforeseen
from openfaith_pipeline.load.sync_leases import lease_kept_by
from openfaith_pipeline.load.sync_log import SyncStart, begin_sync, changed_streams, finish_sync
from openfaith_pipeline.orgs.turns import (
    BEAT_SECONDS,
    Kind,
    Turn,
    TurnEnd,
    claim_turns,
    end_turn,
    enroll_orgs,
    give_up_turns,
    keep_turns,
)
from openfaith_pipeline.sources import names_of_source
from openfaith_pipeline.sync.attempt import sync_streams
from openfaith_pipeline.sync.results import StreamResult, SyncMode
from openfaith_pipeline.sync.stream_selection import streams_between_polls, streams_due_for_reconcile
from openfaith_pipeline.sync.worker import Workplace, open_workplace
from openfaith_pipeline.telemetry.spans import link_here, span
from openfaith_pipeline.transform import SOURCES, TransformResult, transform_org
from openfaith_pipeline.webhooks.silence import check_if_silent

ORGS_AT_ONCE: Final = 50
CLAIMS_FOR: Final = timedelta(minutes=30)
"""How long one sweep claims orgs. After that it finishes the ones it has, and the next sweep gets its own run."""

_CONNECTIONS: Final = 12
_PATIENCE_SECONDS: Final = 300.0  # fifty orgs wait for those connections
_TRANSFORMS_AT_ONCE: Final = 2
_LOOK_SECONDS: Final = 1.0

_MODES: Final = {Kind.INCREMENTAL: SyncMode.INCREMENTAL, Kind.RECONCILE: SyncMode.RECONCILE}


@dataclass(frozen=True)
class SweepOrder:
    """Parameters of a sweep. adapter: the source. run_id: its Dagster run, for the record. trigger: its origin."""

    adapter: str
    kind: Kind = Kind.INCREMENTAL
    run_id: str | None = None
    trigger: str = "schedule"
    orgs_at_once: int = ORGS_AT_ONCE
    claims_for: timedelta = CLAIMS_FOR


@dataclass(frozen=True)
class OrgOutcome:
    """Outcome of one org's turn.

    streams: results, as far as the sync got. changed: names of streams with changed rows.
    tables: the canonical tables that were updated.
    """

    org_id: str
    sync_id: str
    streams: Mapping[str, StreamResult] = field(default_factory=dict)
    changed: Collection[str] = ()
    tables: Mapping[str, TransformResult] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True)
class SweepReport:
    """Result of a sweep. failures: reasons by org."""

    orgs: int
    changed_orgs: int
    requests: int
    failures: Mapping[str, str]


class Listener(Protocol):
    """Receives events, from threads, one call at a time."""

    def finished(self, outcome: OrgOutcome) -> None:
        """An org's turn has ended."""

    def claims_no_more(self) -> None:
        """Stop claiming orgs: the sweep only finishes those it has."""


async def sweep(database: Database, order: SweepOrder, listener: Listener) -> SweepReport:
    """Work through the due orgs until none is left.

    Raises DatabaseUnavailable if Postgres goes away: unfinished turns are then left to another sweep.
    """
    holder = f"{socket.gethostname()}:{uuid4().hex}"
    with outages_told(database.settings, "during the sweep"):
        async with (
            open_workplace(database, connections=_CONNECTIONS, patience_seconds=_PATIENCE_SECONDS) as place,
            _holding(place, holder),
        ):
            claims_until = time.monotonic() + order.claims_for.total_seconds()
            return await _Sweep(database, order, place, holder, listener, claims_until).run()


@asynccontextmanager
async def _holding(place: Workplace, holder: str) -> AsyncIterator[None]:
    """Renew the holder's turns during the block, and release unfinished ones at its end."""
    try:
        async with beating(place.beats, lambda connection: keep_turns(connection, holder), every_seconds=BEAT_SECONDS):
            yield
    finally:
        with suppress(*TROUBLE):
            async with place.pool.connection(timeout=5) as connection:
                await give_up_turns(connection, holder)


@dataclass
class _Sweep:
    """A running sweep."""

    database: Database
    order: SweepOrder
    place: Workplace
    holder: str
    listener: Listener
    claims_until: float
    is_closed: bool = False
    orgs: int = 0
    changed_orgs: int = 0
    requests: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    working_on: set[str] = field(default_factory=set)
    transforming: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_TRANSFORMS_AT_ONCE))
    telling: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self) -> SweepReport:
        await asyncio.to_thread(self._enroll)
        under_way: set[asyncio.Task[None]] = set()
        try:
            while True:
                claimed = await self._claim(self.order.orgs_at_once - len(under_way))
                self.working_on.update(turn.org_id for turn in claimed)
                under_way |= {asyncio.create_task(self._take_traced(turn)) for turn in claimed}
                if not under_way:
                    return SweepReport(self.orgs, self.changed_orgs, self.requests, self.failures)
                done, under_way = await asyncio.wait(
                    under_way, timeout=_LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    task.result()
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    def _enroll(self) -> None:
        with self.database.connect() as connection:
            enroll_orgs(connection, self.order.kind, self.order.adapter)

    async def _claim(self, room: int) -> list[Turn]:
        if self.is_closed or not room:
            return []
        if time.monotonic() > self.claims_until:
            self.is_closed = True
            async with self.telling:
                await asyncio.to_thread(self.listener.claims_no_more)
            return []
        async with self.place.pool.connection() as connection:
            kind, adapter = self.order.kind, self.order.adapter
            return await claim_turns(connection, kind, adapter, self.holder, room, self.working_on)

    async def _take_traced(self, turn: Turn) -> None:
        """Each org has a trace of its own, linked with the sweep's both ways: people look at one org of a thousand."""
        whole = trace.get_current_span()
        attributes = {"openfaith.org_id": turn.org_id, "openfaith.sync_id": turn.sync_id}
        with span("turn", attributes, links=[link_here(whole)], is_apart=True) as own:
            whole.add_link(own.get_span_context(), attributes)
            await self._take(turn)

    async def _take(self, turn: Turn) -> None:
        try:
            async with self._kept(turn):
                outcome, end = await self._work(turn)
        except REFUSED_BY_POSTGRES as error:
            reason = refusal_in_words(error)
            outcome, end = OrgOutcome(turn.org_id, turn.sync_id, error=reason), TurnEnd(reason, is_partial=False)
        async with self.place.pool.connection() as connection:
            await end_turn(connection, turn, self.holder, end)
        self.working_on.discard(turn.org_id)
        self.orgs += 1
        self.changed_orgs += bool(outcome.changed or outcome.tables)
        self.requests += sum(result.requests for result in outcome.streams.values())
        if outcome.error:
            self.failures[turn.org_id] = outcome.error
        async with self.telling:
            await asyncio.to_thread(self.listener.finished, outcome)

    def _kept(self, turn: Turn) -> AbstractAsyncContextManager[None]:
        """Keep the lease of the turn's sync, unless it belongs to a run."""
        return nullcontext() if self.order.run_id else lease_kept_by(self.place.beats, turn.sync_id)

    async def _work(self, turn: Turn) -> tuple[OrgOutcome, TurnEnd]:
        """Sync the org and update its canonical tables from the changes, even if parts of the sync failed."""
        streams, error = await self._sync(turn)
        async with self.place.pool.connection() as connection:
            changed = await changed_streams(connection, turn.org_id, turn.sync_id)
        fresh = {*changed, *turn.untransformed}
        tables, mishap = await self._transform(turn, fresh)
        error = error or mishap
        await asyncio.to_thread(self._record_end, turn, error, changed)
        end = TurnEnd(error, is_partial=any(_is_well(result) for result in streams.values()))
        if mishap:
            end = TurnEnd(error, end.is_partial, untransformed=sorted(fresh))
        return OrgOutcome(turn.org_id, turn.sync_id, streams, changed, tables, error), end

    async def _sync(self, turn: Turn) -> tuple[Mapping[str, StreamResult], str | None]:
        streams = await asyncio.to_thread(self._streams_of, turn)
        await asyncio.to_thread(self._record_beginning, turn, [stream.name for stream in streams])
        try:
            results = await sync_streams(
                self.database,
                turn.org_id,
                streams,
                mode=_MODES[turn.kind],
                sync_id=turn.sync_id,
                workplace=self.place,
                is_rotating=True,
            )
        except (OrgPaused, UnknownOrg):
            return {}, None  # after it was claimed; no retry is needed
        except DatabaseUnavailable:
            raise
        except OpenFaithError as error:
            return {}, str(error)
        except REFUSED_BY_POSTGRES as error:
            return {}, refusal_in_words(error)
        except Exception as error:  # noqa: BLE001 - whatever nobody foresaw of one church must not end the others' sync
            return {}, describe_unforeseen(error)
        failed = [
            f"{result.stream} {result.status}: {result.error}" for result in results.values() if result.is_unsynced
        ]
        return results, "; ".join(failed) or None

    def _streams_of(self, turn: Turn) -> list[Stream]:
        """The source's streams of the org for this turn."""
        chosen, due = turn.settings.chosen_streams(), set(self._all_streams())
        with self.database.connect() as connection:
            if turn.kind is Kind.RECONCILE:
                within = turn.settings.reconcile_within
                due = set(streams_due_for_reconcile(connection, turn.org_id, within, datetime.now(UTC), turn.adapter))
            elif not turn.is_poll:
                due &= streams_between_polls(connection, turn.org_id, datetime.now(UTC))
        return [stream for stream in chosen if stream.name in due]

    def _all_streams(self) -> list[str]:
        return names_of_source(self.order.adapter)

    async def _transform(self, turn: Turn, changed: set[str]) -> tuple[Mapping[str, TransformResult], str | None]:
        """Update the tables; returns those that may have changed, and the error, if any."""
        tables = {table for table, sources in SOURCES.items() if not changed.isdisjoint(sources)}
        if not tables and turn.kind is not Kind.RECONCILE:
            return {}, None
        async with self.transforming:
            try:
                made = await asyncio.to_thread(self._make_tables, turn)
                return {name: each for name, each in made.items() if name in tables or each.is_changed}, None
            except OpenFaithError as error:
                return {}, str(error)
            except REFUSED_BY_POSTGRES as error:
                return {}, refusal_in_words(error)
            except UNANSWERED:
                raise
            except Exception as error:  # noqa: BLE001 - as above
                return {}, describe_unforeseen(error)

    def _make_tables(self, turn: Turn) -> dict[str, TransformResult]:
        schema, is_full = self.database.settings.canonical_schema, turn.kind is Kind.RECONCILE
        with self.database.connect() as connection:
            return transform_org(connection, turn.org_id, schema=schema, sync_id=turn.sync_id, is_full=is_full)

    def _record_beginning(self, turn: Turn, streams: Collection[str]) -> None:
        requested: dict[str, Any] = {"org": turn.org_id}
        if len(streams) < len(self._all_streams()):
            requested["streams"] = list(streams)
        start = SyncStart(turn.sync_id, self.order.run_id, _MODES[turn.kind].value, self.order.trigger, requested)
        with self.database.connect() as connection:
            begin_sync(connection, start)

    def _record_end(self, turn: Turn, error: str | None, changed: Collection[str]) -> None:
        with self.database.connect() as connection:
            finish_sync(connection, turn.sync_id, error)
            check_if_silent(connection, turn.org_id, turn.adapter, changed)


def _is_well(result: StreamResult) -> bool:
    return result.status == "succeeded"
