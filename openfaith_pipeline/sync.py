"""The use case: bring streams of one org into Postgres, page by page, and publish each whole.

Any number of attempts may call this for one sync: an op retry, a run retry, another process, another machine. Each
continues from the last committed page, and streams that earlier attempts finished are not touched again.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from time import monotonic
from typing import Any, Protocol

import psycopg
from opentelemetry import trace
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from openfaith_pipeline.catalog import STREAMS, Product, Stream
from openfaith_pipeline.compensating import Compensation, compensate
from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import (
    ConnectionRejected,
    DatabaseUnavailable,
    LeaseLost,
    OpenFaithError,
    PathNotFound,
    ProductNotGranted,
    StreamBusy,
    StreamForbidden,
    UnavailableError,
)
from openfaith_pipeline.extract.completeness import Doubt
from openfaith_pipeline.extract.extraction import Source, read_pages
from openfaith_pipeline.extract.pages import MOVED
from openfaith_pipeline.extract.walks import plan_walks
from openfaith_pipeline.load.deletions import Verdict
from openfaith_pipeline.load.leases import LEASE_TTL, holding, releasing
from openfaith_pipeline.load.parents import parents_of
from openfaith_pipeline.load.publishing import publish
from openfaith_pipeline.load.sessions import Session, SyncRequest, close_session, open_session
from openfaith_pipeline.load.staging import commit_page, discard_reading
from openfaith_pipeline.load.statistics import tidy_up
from openfaith_pipeline.load.sync_log import (
    SyncStart,
    absent_paths,
    begin_sync,
    finish_sync,
    finished_streams,
    mark_paths_absent,
    mark_unavailable,
    unread_streams,
)
from openfaith_pipeline.orgs.connecting import connect_client
from openfaith_pipeline.planning_center.client import PlanningCenterClient
from openfaith_pipeline.planning_center.documents import Document
from openfaith_pipeline.proving import READINGS, doubt_about, prove_deletions
from openfaith_pipeline.walk import Page, Parent, Route, Walk

__all__ = [
    "Progress",
    "StreamResult",
    "SyncMode",
    "SyncStart",
    "Workplace",
    "begin_sync",
    "finish_sync",
    "open_workplace",
    "sync_streams",
]

PAGES_AHEAD = 2
"""Pages of one walk that may wait for the database before fetching pauses."""

POOL_SIZE = 6
BUSY_PATIENCE_SECONDS = 25.0
"""How long to wait for a stream that another sync holds: longer than a dead owner's lease lasts."""

REFUSED_BY_POSTGRES = (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError)
"""One stream's trouble, not the church's: the others go on."""

_SESSION_OPTIONS = f"-c timezone=UTC -c idle_in_transaction_session_timeout={LEASE_TTL // timedelta(milliseconds=1)}"
"""A process that is frozen within a transaction would keep its row locks, and with them whoever takes over, for ever:
Postgres ends the transaction about when the lease ends."""

_TRACER = trace.get_tracer("openfaith_pipeline.sync")

ClientFactory = Callable[[Database, str], AbstractAsyncContextManager[PlanningCenterClient]]


class SyncMode(StrEnum):
    """How much is read."""

    INCREMENTAL = "incremental"
    """What changed since the last sync, as far as the API can tell."""
    RECONCILE = "reconcile"
    """Everything, compared by content: finds deletions, and changes the cursor missed."""
    FULL_REFRESH = "full_refresh"
    """Everything, from the beginning: an unfinished sync is not continued."""


@dataclass(frozen=True)
class StreamResult:
    """How one stream of one org ended.

    status: succeeded, failed, incomplete (published, but the listing could not be proven complete) or unavailable.
    requests, waited_seconds: of the walk that brought it, told at the stream whose pages were listed.
    merged: records marked deleted because they were merged into others.
    held: rows that are gone from the source, more than is believed without a person's word.
    caught: changes that came without a new cursor value, found by reading everything.
    drift: how its attributes differ from the catalog: `new shoe_size`, `gone nickname`, `retyped grade`.
    compensation: what was undone of it because a blocking check failed.
    """

    stream: str
    status: str
    mode: str
    fetched: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    merged: int = 0
    held: int = 0
    caught: int = 0
    quarantined: int = 0
    requests: int = 0
    seconds: float = 0.0
    waited_seconds: float = 0.0
    row_count: int | None = None
    drift: Sequence[str] = ()
    error: str | None = None
    compensation: Compensation | None = None


class Progress(Protocol):
    """Told of what happens while it happens; called from the event loop, so it must not block."""

    def page(self, stream: str, *, fetched: int, requests: int, waited_seconds: float) -> None:
        """A page of the stream is committed: rows in it, requests it took, seconds waited for the rate limit."""

    def finished(self, result: StreamResult) -> None:
        """The stream has come to its end."""


class Silence:
    """Progress that nobody hears of."""

    def page(self, stream: str, *, fetched: int, requests: int, waited_seconds: float) -> None: ...

    def finished(self, result: StreamResult) -> None: ...


@dataclass(frozen=True)
class Workplace:
    """What all syncs of one process may share.

    pool: connections to Postgres, whose rows are mappings.
    holder: the name their leases are held by, kept alive while the workplace is open.
    """

    pool: AsyncConnectionPool[Any]
    holder: str


@asynccontextmanager
async def open_workplace(
    database: Database, *, connections: int = POOL_SIZE, patience_seconds: float = 30.0
) -> AsyncIterator[Workplace]:
    """A workplace of so many connections; `patience_seconds` is how long its syncs may wait for a free one."""
    async with (
        database.pool(
            size=connections, patience_seconds=patience_seconds, row_factory=dict_row, options=_SESSION_OPTIONS
        ) as pool,
        holding(pool) as holder,
    ):
        yield Workplace(pool, holder)


async def sync_streams(  # noqa: PLR0913 - what is asked for, and the two things an attempt may be lent
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
) -> dict[str, StreamResult]:
    """Sync streams of one org, side by side under the org's rate budget. The sync must have been begun.

    workplace: shared with other orgs; by default a sync has its own.
    patience_seconds: how long a stream is waited for that another sync holds; then it fails as busy.
    A stream's failure is in its result. Raises ConnectionRejected when the credentials are refused,
    DatabaseUnavailable when Postgres goes away, and UnknownOrg or OrgPaused.
    """
    async with at_work(database, org_id, workplace) as place, client_factory(database, org_id) as client:
        request = SyncRequest(org_id, sync_id, mode.value, place.holder)
        attempt = Attempt(database, place.pool, client, request, progress or Silence(), patience_seconds)
        with _TRACER.start_as_current_span("sync", attributes={"org_id": org_id, "sync_id": sync_id}):
            return await attempt.run(streams)


@asynccontextmanager
async def at_work(database: Database, org_id: str, workplace: Workplace | None = None) -> AsyncIterator[Workplace]:
    """A workplace, the one that is lent or an own one, for syncing the org; its leases are given back at the end.

    Raises DatabaseUnavailable when Postgres goes away within the block.
    """
    try:
        async with AsyncExitStack() as stack:
            place = workplace
            if place is None:
                place = await stack.enter_async_context(open_workplace(database))
            await stack.enter_async_context(releasing(place.pool, place.holder, org_id))
            yield place
    except (psycopg.OperationalError, PoolTimeout) as error:
        raise DatabaseUnavailable(f"Postgres went away during the sync: {type(error).__name__}") from error


@dataclass
class Attempt:
    """One call of `sync_streams`: reads each walk, judges it and concludes it."""

    database: Database
    pool: AsyncConnectionPool[Any]
    client: PlanningCenterClient
    request: SyncRequest
    progress: Progress
    patience_seconds: float = BUSY_PATIENCE_SECONDS
    results: dict[str, StreamResult] = field(default_factory=dict)
    done: dict[str, asyncio.Event] = field(default_factory=dict)
    doors: dict[Product, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    refusals: dict[Product, ProductNotGranted | None] = field(default_factory=dict)

    @property
    def mode(self) -> SyncMode:
        return SyncMode(self.request.mode)

    async def run(self, streams: Sequence[Stream]) -> dict[str, StreamResult]:
        async with self.pool.connection() as connection:
            finished = await finished_streams(connection, self.request.org_id, self.request.sync_id, streams)
            # A whole sync asks for an absent path again: it may have come.
            absent = [] if self.is_full else await absent_paths(connection, self.request.org_id)
            unread = await unread_streams(connection, self.request.org_id, streams)
        for row in finished.values():
            self._finish(stored_result(row))
        remaining = [stream for stream in streams if stream.name not in finished]
        self.done = {stream.name: asyncio.Event() for stream in remaining}
        try:
            async with asyncio.TaskGroup() as group:
                for walk in plan_walks(remaining, STREAMS, is_full=self.is_full, absent=absent, unread=unread):
                    group.create_task(self._walk(walk))
        except BaseExceptionGroup as failures:
            raise _first(failures) from None
        return {stream.name: self.results[stream.name] for stream in streams}

    @property
    def is_full(self) -> bool:
        return self.mode is not SyncMode.INCREMENTAL

    async def _walk(self, walk: Walk) -> None:
        started = monotonic()
        try:
            results = await self._sync_walk(await self._reachable(walk, started), started)
        except (ConnectionRejected, DatabaseUnavailable, psycopg.OperationalError, PoolTimeout):
            raise
        except REFUSED_BY_POSTGRES as error:
            self._give_up(walk.streams, OpenFaithError(refusal_in_words(error)), started)
        except OpenFaithError as error:
            self._give_up(walk.streams, error, started)
        else:
            for result in results:
                self._finish(result)

    async def _sync_walk(self, walk: Walk, started: float) -> list[StreamResult]:
        """Read and publish the walk, going around what the source withholds of it."""
        if not walk.routes:
            raise PathNotFound(f"{walk.streams[0].name}: its path is not there, and no other leads to it")
        session = await self._open(walk)
        try:
            return await self._bring(walk, session, started)
        except UnavailableError as error:
            refused = walk.routes[(session.state or {}).get("route", 0)]
            if isinstance(error, PathNotFound) and refused.lead.is_unconfirmed and refused.path == refused.lead.path:
                return await self._go_around(walk, refused.lead, started)
            rest = walk.only(route for route in walk.routes if route.lead is not refused.lead)
            if not rest.streams:
                raise
            self._give_up([stream for stream in walk.streams if stream not in rest.streams], error, started)
            return await self._sync_walk(rest, started)

    async def _go_around(self, walk: Walk, lead: Stream, started: float) -> list[StreamResult]:
        """Remember that the lead's unconfirmed path is absent, and read it by the documented way instead."""
        async with self.pool.connection() as connection:
            await mark_paths_absent(connection, self.request.org_id, [lead.name])
            absent = await absent_paths(connection, self.request.org_id)
        [around] = plan_walks(walk.streams, STREAMS, is_full=self.is_full, absent=absent)
        return await self._sync_walk(await self._reachable(around, started), started)

    def _finish(self, result: StreamResult) -> None:
        self.results[result.stream] = result
        if result.stream in self.done:
            self.done[result.stream].set()
        self.progress.finished(result)

    def result_of(self, stream: Stream, status: str, started: float, **more: Any) -> StreamResult:
        return StreamResult(stream.name, status, self.mode.value, seconds=round(monotonic() - started, 3), **more)

    async def _reachable(self, walk: Walk, started: float) -> Walk:
        """The walk once its parents are published by this sync, without the routes whose parents are not to be had."""
        reachable: list[Route] = []
        obstacle: OpenFaithError | None = None
        for route in walk.routes:
            try:
                await self._wait_for_parent(route)
                reachable.append(route)
            except OpenFaithError as error:
                obstacle = error
        if obstacle is None:
            return walk
        if not reachable:
            raise obstacle
        rest = walk.only(reachable)
        self._give_up([stream for stream in walk.streams if stream not in rest.streams], obstacle, started)
        return rest

    async def _wait_for_parent(self, route: Route) -> None:
        parent = route.lead.parent_of(route.path)
        if parent is None or parent not in self.done:
            return
        await self.done[parent].wait()
        outcome = self.results[parent]
        if outcome.status == "unavailable":
            raise PathNotFound(f"its parent {parent} is unavailable: {outcome.error}")
        if outcome.status == "failed":
            raise OpenFaithError(f"its parent {parent} failed")

    def _give_up(self, streams: Sequence[Stream], error: OpenFaithError, started: float) -> None:
        status = "unavailable" if isinstance(error, UnavailableError) else "failed"
        for stream in streams:
            self._finish(self.result_of(stream, status, started, error=str(error)))

    async def _open(self, walk: Walk) -> Session:
        is_anew = self.mode is SyncMode.FULL_REFRESH
        return await opened(
            self.pool,
            lambda connection: open_session(connection, self.request, walk, is_anew=is_anew),
            self.patience_seconds,
        )

    async def _bring(self, walk: Walk, session: Session, started: float) -> list[StreamResult]:
        try:
            await self._read_until_sure(walk, session)
            return await self.conclude(walk, session, await self._judge(walk, session), started)
        except LeaseLost:
            raise
        except UnavailableError as error:
            await self._close(session, "unavailable", error)
            raise
        except (OpenFaithError, asyncio.CancelledError, *REFUSED_BY_POSTGRES) as error:
            await self._close(session, "failed", error)
            raise

    async def _close(self, session: Session, status: str, error: BaseException) -> None:
        reason = str(error) if isinstance(error, OpenFaithError) else type(error).__name__
        async with self.pool.connection() as connection:
            await close_session(connection, session, status, reason)
            if isinstance(error, UnavailableError):
                await mark_unavailable(connection, self.request.org_id, session.names, _availability(error), reason)

    async def _read_until_sure(self, walk: Walk, session: Session) -> None:
        """Read to the end; what leaves a doubt is read again, a few times at most.

        Listings under parents were read again one by one where they left a doubt, so what is left of it stays. So does
        one that comes back the same, unless something moved each time.
        """
        before: Doubt | None = None
        while True:
            if session.end is None:
                await self._read(walk, session)
            doubt = await doubt_about(self.pool, session, must_be_exact=self.is_full)
            is_same = doubt == before and session.end is not None and session.end.doubt != MOVED
            if doubt is None or not doubt.may_pass or is_same:
                return
            if session.readings >= READINGS or not walk.is_listed_at_top:
                return
            before = doubt
            async with self.pool.connection() as connection:
                await discard_reading(connection, session)

    async def _read(self, walk: Walk, session: Session) -> None:
        source = Source(self._fetch(walk), self.parents, session.watermarks)
        async for page in _read_ahead(read_pages(walk, source, session.state)):
            async with self.pool.connection() as connection:
                staged = await commit_page(connection, session, page)
            for name in session.names:
                is_first = name == session.names[0]
                self.progress.page(
                    name,
                    fetched=staged.get(name, 0),
                    requests=page.requests if is_first else 0,
                    waited_seconds=page.waited_seconds if is_first else 0.0,
                )

    def _fetch(self, walk: Walk) -> Callable[[str, Mapping[str, str]], Any]:
        product = walk.streams[0].product

        # The pages of a listing come one after the other; those of many parents' children go side by side.
        is_leading = not any(route.placeholders for route in walk.routes)

        async def fetch(path: str, params: Mapping[str, str]) -> Document:
            if product not in self.refusals:
                # The first request of a product goes alone: refused, it spares all the others.
                async with self.doors[product]:
                    if product not in self.refusals:
                        return await self._ask(product, path, params, is_leading)
            return await self._ask(product, path, params, is_leading)

        return fetch

    async def _ask(self, product: Product, path: str, params: Mapping[str, str], is_leading: bool) -> Document:
        refusal = self.refusals.get(product)
        if refusal:
            raise refusal
        try:
            document = await self.client.get(path, params, product=product, is_leading=is_leading)
        except ProductNotGranted as refusal:
            self.refusals[product] = refusal
            raise
        self.refusals[product] = None
        return document

    def parents(self, route: Route, after: str | None) -> AsyncIterator[Parent]:
        """The parents that a child route visits."""
        return parents_of(self.pool, self.request.org_id, route, STREAMS, after)

    async def _judge(self, walk: Walk, session: Session) -> Verdict:
        """What the finished walk proves to be gone."""
        return await prove_deletions(self.pool, self._fetch(walk), session, is_wanted=self.is_full)

    async def conclude(self, walk: Walk, session: Session, verdict: Verdict, started: float) -> list[StreamResult]:
        """Publish what was read and judged."""
        async with self.pool.connection() as connection:
            with _TRACER.start_as_current_span("publish", attributes={"streams": session.names}):
                published = await publish(connection, session, verdict)
            await tidy_up(connection, published)
            counts = await logged(connection, session)
        results = [
            self.result_of(
                stream,
                "incomplete" if verdict.reason(stream.name) else "succeeded",
                started,
                error=verdict.reason(stream.name),
                held=len(verdict.held.get(stream.name, ())),
                **asdict(published[stream.name]),
                **counts[stream.name],
            )
            for stream in walk.streams
        ]
        return [await self._checked(result) for result in results]

    async def _checked(self, result: StreamResult) -> StreamResult:
        """The result, or what it becomes where a blocking check fails: a failure, with nothing of it left behind.

        A full refresh is a person's word that the source is to be believed.
        """
        if not result.updated or self.mode is SyncMode.FULL_REFRESH:
            return result
        org_id, sync_id = self.request.org_id, self.request.sync_id
        undone = await asyncio.to_thread(compensate, self.database, org_id, sync_id, STREAMS[result.stream])
        if undone is None:
            return result
        return replace(result, status="failed", error=undone.reason, row_count=None, compensation=undone)


async def opened(
    pool: AsyncConnectionPool[Any],
    opening: Callable[[psycopg.AsyncConnection[Any]], Awaitable[Session]],
    patience_seconds: float = BUSY_PATIENCE_SECONDS,
) -> Session:
    """The session that `opening` takes the leases of; a live sync in the way is given time to end."""
    deadline = monotonic() + patience_seconds
    while True:
        try:
            async with pool.connection() as connection:
                return await opening(connection)
        except StreamBusy:
            if monotonic() > deadline:
                raise
            await asyncio.sleep(1)


def refusal_in_words(error: psycopg.Error) -> str:
    """Why Postgres refused rows. Its message would quote the value, which is personal data; this says enough."""
    reason = f"Postgres refused its rows: {type(error).__name__} {error.sqlstate} {error.diag.column_name or ''}"
    return reason.strip()


async def logged(connection: psycopg.AsyncConnection[Any], session: Session) -> dict[str, dict[str, Any]]:
    """What the log has counted page by page, earlier attempts included."""
    cursor = await connection.execute(
        "SELECT stream, quarantined, requests, waited_seconds, ARRAY(SELECT kind || ' ' || attribute FROM sync.drift"
        " WHERE drift.org_id = done.org_id AND drift.stream = done.stream ORDER BY 1) AS drift"
        " FROM sync.stream_syncs AS done WHERE id = ANY(%s)",
        (list(session.ids.values()),),
    )
    return {row.pop("stream"): row for row in await cursor.fetchall()}


async def _read_ahead(pages: AsyncIterator[Page]) -> AsyncIterator[Page]:
    """Fetch the next pages while one is being committed, and no further ahead than memory allows."""
    queue: asyncio.Queue[Page | None] = asyncio.Queue(PAGES_AHEAD)
    is_left = False

    async def fill() -> None:
        try:
            async for page in pages:
                await queue.put(page)
        finally:
            if not is_left:  # else nobody would make room for it in a full queue
                await queue.put(None)

    filling = asyncio.create_task(fill())
    try:
        while (page := await queue.get()) is not None:
            yield page
        await filling
    finally:
        is_left = True
        filling.cancel()
        with suppress(asyncio.CancelledError):
            await filling


def _availability(error: UnavailableError) -> str:
    if isinstance(error, ProductNotGranted):
        return "not_granted"
    return "forbidden" if isinstance(error, StreamForbidden) else "absent"


def stored_result(row: Mapping[str, Any]) -> StreamResult:
    """The result that a row of `sync.stream_syncs` tells of."""
    names = [name for name in StreamResult.__dataclass_fields__ if name in row]
    return StreamResult(**{name: row[name] for name in names})


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one failure to act on, of tasks that failed together."""
    found: list[BaseException] = []
    for failure in failures.exceptions:
        found.append(_first(failure) if isinstance(failure, BaseExceptionGroup) else failure)
    return next((failure for failure in found if isinstance(failure, ConnectionRejected)), found[0])
