"""Plan a sync to see its effect first, and then apply exactly that.

A plan reads, judges and stages like any sync. Then it publishes everything in one transaction, reads the changes from
the journal, and rolls back: the preview is the effect of the real publish. Applied later, it publishes the staged rows
without any request to the source.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from time import monotonic
from typing import Any

import psycopg

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk import Parent, Route, Walk
from openfaith_pipeline.connections.client import ClientFactory, connect_client
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.refusals import REFUSED_BY_POSTGRES, TROUBLE, refusal_in_words
from openfaith_pipeline.errors import OpenFaithError, PlanStale
from openfaith_pipeline.journal.sync_changes import StreamChanges, changes_of
from openfaith_pipeline.load.deletions import Verdict
from openfaith_pipeline.load.leases import renew
from openfaith_pipeline.load.parents import Foreseen, parents_of
from openfaith_pipeline.load.plans import PlannedWalk, check_session, keep_planned, planned_walks
from openfaith_pipeline.load.publishing import Published, publish
from openfaith_pipeline.load.sessions import Session, SyncRequest, close_session, open_planned
from openfaith_pipeline.load.sync_log import finished_streams, page_counts
from openfaith_pipeline.sources import READERS, STREAMS, source_of
from openfaith_pipeline.sync.attempt import Attempt
from openfaith_pipeline.sync.checked import checked
from openfaith_pipeline.sync.outcomes import Outcomes
from openfaith_pipeline.sync.results import Progress, Silence, StreamResult, SyncMode, stored_result
from openfaith_pipeline.sync.worker import Workplace, at_work, opened

Connection = psycopg.AsyncConnection[Any]


@dataclass(frozen=True)
class OrgPlan:
    """The effect that a sync of one org would have.

    results: by stream, `planned` or the obstacle; counts are those of the publish.
    changes: by stream, including streams changed by records of others, such as the person removed by a merge.
    """

    results: Mapping[str, StreamResult]
    changes: Mapping[str, StreamChanges]


async def plan_streams(
    database: Database,
    org_id: str,
    streams: Sequence[Stream],
    *,
    mode: SyncMode,
    sync_id: str,
    progress: Progress | None = None,
    client_factory: ClientFactory = connect_client,
) -> OrgPlan:
    """Read these streams of one org and preview their publish. The sync must have been begun.

    Nothing visible to readers is written. Raises as `sync_streams` does.
    """
    async with (
        at_work(database, org_id) as place,
        client_factory(database, org_id, adapter := source_of(streams).adapter) as client,
    ):
        request = SyncRequest(org_id, sync_id, mode.value, place.holder)
        doors = READERS[adapter].open_doors(client)
        outcomes = Outcomes(mode.value, progress or Silence())
        return await _Planning(database, place.pool, doors, request, outcomes).plan(streams)


async def apply_streams(
    database: Database,
    org_id: str,
    streams: Sequence[Stream],
    *,
    mode: SyncMode,
    sync_id: str,
    progress: Progress | None = None,
) -> dict[str, StreamResult]:
    """Publish the plan's staged rows of these streams; each attempt continues where the last one ended.

    A stream's failure is in its result. Raises DatabaseUnavailable if Postgres goes away.
    """
    async with at_work(database, org_id) as place:
        request = SyncRequest(org_id, sync_id, mode.value, place.holder)
        return await _Applying(database, place, request, progress or Silence()).apply(streams)


@dataclass
class _Read:
    """A walk that was read and judged, with its leases held until the whole plan is read."""

    walk: Walk
    session: Session
    verdict: Verdict


@dataclass
class _Planning(Attempt):
    """An attempt whose walks end in staging."""

    read: list[_Read] = field(default_factory=list)

    async def plan(self, streams: Sequence[Stream]) -> OrgPlan:
        try:
            results = await self.run(streams)
            changes = await self._rehearse()
        except BaseException as error:
            await self._let_go(error)
            raise
        return OrgPlan({name: self.outcomes.results[name] for name in results}, changes)

    async def conclude(self, walk: Walk, session: Session, verdict: Verdict, started: float) -> list[StreamResult]:
        self.read.append(_Read(walk, session, verdict))
        return [
            self.outcomes.result_of(stream, "planned", started, **verdict.told(stream.name)) for stream in walk.streams
        ]

    async def read_alone(self, brought: StreamResult, started: float) -> StreamResult:  # noqa: ARG002 - as in an attempt
        """A plan has one reading of each stream; the sync after it reads the listing."""
        return brought

    def parents(self, route: Route, after: str | None) -> AsyncIterator[Parent]:
        verdicts = [each.verdict for each in self.read]
        foreseen = {
            name: Foreseen(
                identifier,
                [gone for each in verdicts for told in (each.deletions, each.under) for gone in told.get(name, ())],
            )
            for each in self.read
            for name, identifier in each.session.ids.items()
        }
        return parents_of(self.pool, self.request.org_id, route, STREAMS, after, foreseen=foreseen)

    async def _rehearse(self) -> dict[str, StreamChanges]:
        """Publish everything, collect the changes, roll back, and leave the staged rows for later."""
        published: list[tuple[_Read, Mapping[str, Published]]] = []
        refused: list[tuple[_Read, str]] = []
        async with self.pool.connection() as connection, connection.transaction():
            # The leases are renewed before, outside of the rollback.
            for each in self.read:
                await renew(connection, each.session.leases)
            async with connection.transaction(force_rollback=True):
                for each in self.read:
                    try:
                        published.append((each, await self._publish(connection, each)))
                    except REFUSED_BY_POSTGRES as error:
                        refused.append((each, refusal_in_words(error)))
                changes = await changes_of(connection, self.request.org_id, self.request.sync_id)
            for each, counts in published:
                await keep_planned(connection, each.session, each.verdict, counts)
            for each, reason in refused:
                await self._refuse(connection, each, reason)
        return changes

    async def _publish(self, connection: Connection, each: _Read) -> Mapping[str, Published]:
        async with connection.transaction():
            published = await publish(connection, each.session, each.verdict)
            counts = await page_counts(connection, list(each.session.ids.values()))
        for name, told in published.items():
            self.outcomes.results[name] = replace(self.outcomes.results[name], **asdict(told), **counts[name])
        return published

    async def _refuse(self, connection: Connection, each: _Read, reason: str) -> None:
        for name in each.session.names:
            self.outcomes.results[name] = replace(self.outcomes.results[name], status="failed", error=reason)
        await close_session(connection, each.session, "failed", reason)

    async def _let_go(self, error: BaseException) -> None:
        """Leave the staged rows to the next sync, which continues with them."""
        reason = str(error) if isinstance(error, OpenFaithError) else type(error).__name__
        with suppress(*TROUBLE):
            async with self.pool.connection() as connection:
                for each in self.read:
                    await close_session(connection, each.session, "failed", reason)


@dataclass(frozen=True)
class _Applying:
    database: Database
    place: Workplace
    request: SyncRequest
    progress: Progress

    async def apply(self, streams: Sequence[Stream]) -> dict[str, StreamResult]:
        org_id, sync_id = self.request.org_id, self.request.sync_id
        async with self.place.pool.connection() as connection:
            done = await finished_streams(connection, org_id, sync_id, streams)
            walks = await planned_walks(connection, org_id, sync_id, streams)
        results = {name: replace(stored_result(row), requests=0, waited_seconds=0.0) for name, row in done.items()}
        # An attempt may have been interrupted between a stream's publish and its check.
        results = {name: await checked(self.database, self.request, result) for name, result in results.items()}
        for planned in walks:
            for result in await self._apply_walk(planned):
                results[result.stream] = await checked(self.database, self.request, result)
                self.progress.finished(results[result.stream])
        for stream in streams:
            missing = StreamResult(stream.name, "failed", self.request.mode, error="the plan no longer holds it")
            results.setdefault(stream.name, missing)
        return {stream.name: results[stream.name] for stream in streams}

    async def _apply_walk(self, planned: PlannedWalk) -> list[StreamResult]:
        started = monotonic()
        names = planned.streams
        try:
            found = await self._publish(planned)
        except REFUSED_BY_POSTGRES as error:
            found = {name: {"status": "failed", "error": refusal_in_words(error)} for name in names}
        except OpenFaithError as error:
            found = {name: {"status": "failed", "error": str(error)} for name in names}
        seconds = round(monotonic() - started, 3)
        return [StreamResult(stream=name, mode=self.request.mode, seconds=seconds, **found[name]) for name in names]

    async def _publish(self, planned: PlannedWalk) -> dict[str, dict[str, Any]]:
        """Publish a walk; returns the rest of each stream's result. Streams that cannot be published stay planned."""
        walk, verdict = planned.walk, planned.verdict
        if walk is None:
            raise PlanStale(f"this version reads {', '.join(planned.streams)} differently from the one that planned it")
        session = await opened(self.place.pool, lambda connection: open_planned(connection, self.request, walk))
        async with self.place.pool.connection() as connection:
            async with connection.transaction():
                await check_session(connection, session)
                published = await publish(connection, session, verdict)
            counts = await page_counts(connection, list(session.ids.values()))
        return {
            name: {
                **asdict(told),
                **counts[name],
                "status": verdict.status(name),
                **verdict.told(name),
                "requests": 0,
                "waited_seconds": 0.0,
            }
            for name, told in published.items()
        }
