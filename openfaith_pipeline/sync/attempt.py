"""Sync streams of one org into Postgres, page by page, publishing each stream whole.

Any number of attempts may work on one sync: an op retry, a run retry, another process, another machine. Each continues
from the last committed page, and streams published by earlier attempts are not read again.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from time import monotonic
from typing import Any

from psycopg_pool import AsyncConnectionPool

from openfaith_pipeline.catalog.completeness import Doubt
from openfaith_pipeline.catalog.reading import Doors, PartsRefused, is_own_fault
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk import Parent, Route, Walk
from openfaith_pipeline.catalog.walk_planner import plan_walks, walk_apart
from openfaith_pipeline.connections.client import ClientFactory, connect_client
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.refusals import REFUSED_BY_POSTGRES, UNANSWERED
from openfaith_pipeline.errors import (
    ConnectionRejected,
    DatabaseUnavailable,
    OpenFaithError,
    PathNotFound,
    QueryRefused,
    SourceUnreachable,
    StreamForbidden,
    UnavailableError,
)
from openfaith_pipeline.load.deletions import Verdict
from openfaith_pipeline.load.lost_parents import streams_that_lost_parents
from openfaith_pipeline.load.parents import parents_of
from openfaith_pipeline.load.publishing import publish
from openfaith_pipeline.load.sessions import Session, SyncRequest, close_session, open_session
from openfaith_pipeline.load.statistics import tidy_up
from openfaith_pipeline.load.stream_states import (
    absent_paths,
    mark_paths_absent,
    mark_unavailable,
    mark_unavailable_with,
    never_read,
    unread_streams,
)
from openfaith_pipeline.load.sync_log import finished_streams, page_counts
from openfaith_pipeline.sources import READERS, STREAMS, source_of
from openfaith_pipeline.sync.checked import checked
from openfaith_pipeline.sync.companions import find_brought_short
from openfaith_pipeline.sync.deletion_proof import find_whole, prove_deletions
from openfaith_pipeline.sync.failures import availability_after, error_in_words, first_of
from openfaith_pipeline.sync.outcomes import Outcomes
from openfaith_pipeline.sync.reading import WalkReader
from openfaith_pipeline.sync.results import Progress, Silence, StreamResult, SyncMode, stored_result
from openfaith_pipeline.sync.worker import BUSY_PATIENCE_SECONDS, Workplace, at_work, opened
from openfaith_pipeline.telemetry.spans import span

_ENDS_ALL = (ConnectionRejected, SourceUnreachable, DatabaseUnavailable, *UNANSWERED)
"""Errors of the church or of this machine, which would end every other walk too."""


async def sync_streams(  # noqa: PLR0913 - the request, and two resources that the caller may lend
    database: Database,
    org_id: str,
    streams: Sequence[Stream],
    *,
    mode: SyncMode,
    sync_id: str,
    progress: Progress | None = None,
    client_factory: ClientFactory = connect_client,
    workplace: Workplace | None = None,
    patience_seconds: float = BUSY_PATIENCE_SECONDS,
    is_rotating: bool = False,
) -> dict[str, StreamResult]:
    """Sync streams of one org concurrently under the org's rate budget. The sync must have been begun.

    workplace: shared with other orgs; by default a sync has its own.
    patience_seconds: how long to wait for a stream that another sync holds; after that it fails as busy.
    is_rotating: of many parents, visit only some this time (see Route); for frequent syncs.

    A stream's failure is in its result. Raises ConnectionRejected if the credentials are refused, SourceUnreachable if
    the API cannot be reached, DatabaseUnavailable if Postgres goes away, and UnknownOrg or OrgPaused.
    """
    async with (
        at_work(database, org_id, workplace) as place,
        client_factory(database, org_id, adapter := source_of(streams).adapter) as client,
    ):
        request = SyncRequest(org_id, sync_id, mode.value, place.holder)
        doors = READERS[adapter].open_doors(client)
        outcomes = Outcomes(mode.value, progress or Silence())
        attempt = Attempt(database, place.pool, doors, request, outcomes, patience_seconds, is_rotating)
        with span("sync", {"openfaith.org_id": org_id, "openfaith.sync_id": sync_id, "openfaith.mode": mode.value}):
            return await attempt.run(streams)


@dataclass
class Attempt:
    """One call of `sync_streams`: reads, judges and publishes each walk.

    obstacle: the error that ended all walks together.
    first: names of the streams that no sync has read before.
    """

    database: Database
    pool: AsyncConnectionPool[Any]
    doors: Doors
    request: SyncRequest
    outcomes: Outcomes
    patience_seconds: float = BUSY_PATIENCE_SECONDS
    is_rotating: bool = False
    obstacle: BaseException | None = None
    reread: Collection[str] = ()
    first: Collection[str] = ()

    @property
    def mode(self) -> SyncMode:
        return SyncMode(self.request.mode)

    async def run(self, streams: Sequence[Stream]) -> dict[str, StreamResult]:
        async with self.pool.connection() as connection:
            finished = await finished_streams(connection, self.request.org_id, self.request.sync_id, streams)
            # A full sync tries an absent path again: it may exist by now.
            absent = [] if self.is_full else await absent_paths(connection, self.request.org_id)
            unread = await unread_streams(connection, self.request.org_id, streams)
            self.first = await never_read(connection, self.request.org_id, streams)
            if not self.is_full:
                self.reread = await streams_that_lost_parents(connection, self.request.org_id, streams)
        earlier = [stored_result(row) for row in finished.values()]
        # An attempt may have been interrupted between a stream's two readings.
        short = [result for result in earlier if result.status == "incomplete" and STREAMS[result.stream].comes_with]
        for result in earlier:
            if result not in short:  # nor may its check have come after its publish
                self.outcomes.finish(await checked(self.database, self.request, result))
        remaining = [stream for stream in streams if stream.name not in finished]
        self.outcomes.expect(stream.name for stream in streams if stream.name not in self.outcomes.results)
        try:
            async with asyncio.TaskGroup() as group:
                for result in short:
                    group.create_task(self._finish_alone(result))
                for walk in self._plan(remaining, absent, unread):
                    group.create_task(self._walk(walk))
        except BaseExceptionGroup as failures:
            raise first_of(failures) from None
        return {stream.name: self.outcomes.results[stream.name] for stream in streams}

    def _plan(self, streams: Sequence[Stream], absent: Collection[str], unread: Collection[str] = ()) -> list[Walk]:
        return plan_walks(
            streams,
            STREAMS,
            is_full=self.is_full,
            absent=absent,
            unread=unread,
            reread=self.reread,
            first=self.first,
            is_rotating=self.is_rotating,
        )

    @property
    def is_full(self) -> bool:
        return self.mode is not SyncMode.INCREMENTAL

    async def _walk(self, walk: Walk) -> None:
        with span("stream", {"openfaith.streams": [stream.name for stream in walk.streams]}):
            await self._walk_guarded(walk)

    async def _walk_guarded(self, walk: Walk) -> None:
        started = monotonic()
        try:
            results = await self._sync_walk(await self._reachable(walk, started), started)
        except REFUSED_BY_POSTGRES as error:
            self.outcomes.give_up(self.outcomes.unfinished(walk), error_in_words(error), started)
        except _ENDS_ALL as error:
            self.obstacle = self.obstacle or error
            raise
        except Exception as error:  # noqa: BLE001 - whatever nobody foresaw of one walk must not end the others
            self.outcomes.give_up(self.outcomes.unfinished(walk), error_in_words(error), started)
        else:
            for result in results:
                self.outcomes.finish(result)

    async def _sync_walk(self, walk: Walk, started: float) -> list[StreamResult]:
        """Read and publish the walk, working around parts that the source withholds."""
        if not walk.routes and not all(stream.is_pushed for stream in walk.streams):
            raise PathNotFound(f"{walk.streams[0].name}: its path does not exist, and there is no other")
        session = await self._open(walk)
        try:
            return await self._bring(walk, session, started)
        except PartsRefused as refusal:
            return await self._read_without(walk, refusal, started)
        except OpenFaithError as error:
            if not (isinstance(error, UnavailableError) or is_own_fault(error)):
                raise
            refused = walk.routes[min((session.state or {}).get("route", 0), len(walk.routes) - 1)]
            if isinstance(error, StreamForbidden | QueryRefused) and refused.filters:
                reason = f"records that the list of {refused.lead.name} leaves out are not shown: {error}"
                return await self._sync_walk(walk.without_hidden(refused.lead, reason), started)
            if isinstance(error, QueryRefused):
                raise
            if isinstance(error, PathNotFound) and refused.is_unconfirmed:
                return await self._go_around(walk, refused.lead, started)
            rest = walk.only(route for route in walk.routes if route.lead is not refused.lead)
            if not rest.streams:
                raise
            self.outcomes.give_up([stream for stream in walk.streams if stream not in rest.streams], error, started)
            return await self._sync_walk(rest, started)

    async def _read_without(self, walk: Walk, refusal: PartsRefused, started: float) -> list[StreamResult]:
        """Read the walk without the failing includes, and the streams of these includes in another way."""
        rest = walk.without(refusal.refused)
        if rest.streams:
            for result in await self._sync_walk(rest, started):
                self.outcomes.finish(result)
        found: list[StreamResult] = []
        for stream in walk.streams:
            if stream not in rest.streams:
                found += await self._read_apart(walk, stream, refusal, started)
        return found

    async def _read_apart(
        self, walk: Walk, stream: Stream, refusal: PartsRefused, started: float
    ) -> list[StreamResult]:
        """Read an included stream by separate listings, if there are any."""
        error: OpenFaithError = refusal
        apart = self._plan([stream], ())[0] if stream.comes_with else walk_apart(stream, STREAMS)
        if apart is not None:
            try:
                return await self._sync_walk(apart, started)
            except _ENDS_ALL:
                raise
            except OpenFaithError as failure:
                error = failure
        is_withheld = all(each.is_withheld for each in refusal.refused)
        withheld = StreamForbidden(str(error)) if is_withheld else error
        session = await self._open(walk.of(stream))
        status = "unavailable" if isinstance(withheld, UnavailableError) else "failed"
        await self._close(session, status, withheld)
        return [self.outcomes.result_of(stream, status, started, error=str(withheld))]

    async def _go_around(self, walk: Walk, lead: Stream, started: float) -> list[StreamResult]:
        """Record that the lead's unconfirmed path is absent, and read its fallback path instead."""
        async with self.pool.connection() as connection:
            await mark_paths_absent(connection, self.request.org_id, [lead.name])
            absent = await absent_paths(connection, self.request.org_id)
        [around] = self._plan(walk.streams, absent)
        return await self._sync_walk(await self._reachable(around, started), started)

    async def _reachable(self, walk: Walk, started: float) -> Walk:
        """The walk once its parents are published by this sync, without routes whose parents are unavailable."""
        reachable: list[Route] = []
        obstacle: OpenFaithError | None = None
        withheld: list[str] = []
        for route in walk.routes:
            try:
                await self.outcomes.wait_for_parents(route, walk)
                reachable.append(route)
            except UnavailableError as error:
                obstacle = error
                withheld.append(route.lead.parent_of(route.path) or "")
            except OpenFaithError as error:
                obstacle = error
        if obstacle is None:
            return walk
        rest = walk.only(reachable) if reachable else None
        lost = [stream for stream in walk.streams if rest is None or stream not in rest.streams]
        await self._withhold_with(withheld, lost, obstacle)
        if rest is None:
            raise obstacle
        self.outcomes.give_up(lost, obstacle, started)
        return rest

    async def _withhold_with(self, parents: Sequence[str], lost: Sequence[Stream], error: OpenFaithError) -> None:
        """Record that streams are withheld because their parents are; otherwise they would count as late."""
        if parents:
            names = [stream.name for stream in lost]
            async with self.pool.connection() as connection:
                await mark_unavailable_with(connection, self.request.org_id, names, parents, str(error))

    async def _open(self, walk: Walk) -> Session:
        is_anew = self.mode is SyncMode.FULL_REFRESH
        return await opened(
            self.pool,
            lambda connection: open_session(connection, self.request, walk, is_anew=is_anew),
            self.patience_seconds,
        )

    async def _bring(self, walk: Walk, session: Session, started: float) -> list[StreamResult]:
        try:
            doubts = await self._reader.read_until_sure(walk, session)
            short = await find_brought_short(self.pool.connection, self.doors, session) if walk.is_whole else {}
            results = await self.conclude(walk, session, await self._judge(walk, session, {**short, **doubts}), started)
        except REFUSED_BY_POSTGRES as error:
            await self._close(session, "failed", error)
            raise
        except UNANSWERED:
            raise
        except UnavailableError as error:
            await self._close(session, "unavailable", error)
            raise
        except (Exception, asyncio.CancelledError) as error:
            await self._close(session, "failed", error)
            raise
        return [await self.read_alone(each, started) if each.stream in short else each for each in results]

    async def _finish_alone(self, brought: StreamResult) -> None:
        self.outcomes.finish(await self.read_alone(brought, monotonic()))

    async def read_alone(self, brought: StreamResult, started: float) -> StreamResult:
        """Read a stream by its own listing, whole, because others brought less of it. What they brought stays."""
        request = replace(self.request, mode=SyncMode.RECONCILE.value)
        whole = replace(self, request=request, outcomes=Outcomes(request.mode, self.outcomes.progress))
        error: Exception
        try:
            [walk] = whole._plan([STREAMS[brought.stream]], ())
            [alone] = await whole._sync_walk(walk, started)
            return brought.followed_by(alone)
        except REFUSED_BY_POSTGRES as refusal:
            error = refusal
        except _ENDS_ALL:
            raise
        except Exception as failure:  # noqa: BLE001 - an unforeseen error must not undo the rows of others
            error = failure
        reason = f"{brought.error}; and its own listing could not be read: {error_in_words(error)}"
        return replace(brought, error=reason)

    async def _close(self, session: Session, status: str, error: BaseException) -> None:
        reason = str(error_in_words(error) if isinstance(error, Exception) else self.obstacle or "it was canceled")
        async with self.pool.connection() as connection:
            await close_session(connection, session, status, reason)
            if isinstance(error, UnavailableError):
                await mark_unavailable(
                    connection, self.request.org_id, session.names, availability_after(error), reason
                )

    @property
    def _reader(self) -> WalkReader:
        return WalkReader(self.pool, self.doors, self.parents, self.outcomes.progress, must_be_exact=self.is_full)

    def parents(self, route: Route, after: str | None) -> AsyncIterator[Parent]:
        """The parents that a child route visits."""
        return parents_of(self.pool, self.request.org_id, route, STREAMS, after)

    async def _judge(self, walk: Walk, session: Session, doubts: Mapping[str, Doubt]) -> Verdict:
        """The deletions that the finished walk proves. A first reading can prove only that it was whole."""
        verdict = await prove_deletions(self.pool, self.doors.fetch_for(walk), session, doubts, is_wanted=self.is_full)
        if self.is_full or not set(session.names) <= set(self.first):
            return verdict
        return replace(verdict, proven=await find_whole(self.pool, session, verdict))

    async def conclude(self, walk: Walk, session: Session, verdict: Verdict, started: float) -> list[StreamResult]:
        """Publish the judged walk."""
        async with self.pool.connection() as connection:
            with span("publish", {"openfaith.streams": session.names}) as publishing:
                published = await publish(connection, session, verdict)
                publishing.set_attribute("openfaith.rows", sum(each.fetched for each in published.values()))
            await tidy_up(connection, published)
            counts = await page_counts(connection, list(session.ids.values()))
        results = [
            self.outcomes.result_of(
                stream,
                verdict.status(stream.name),
                started,
                **verdict.told(stream.name),
                **asdict(published[stream.name]),
                **counts[stream.name],
            )
            for stream in walk.streams
        ]
        return [await checked(self.database, self.request, result) for result in results]
