"""Apply webhook deliveries to the tables, a batch of one org at a time.

The data in payloads is published and transformed first. Then missing or doubtful records are fetched and published in
turn. A delivery is settled once the canonical tables show it; if the applier dies before, the next one repeats the
work, which changes nothing the second time.
"""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg_pool import AsyncConnectionPool

from openfaith_pipeline.catalog.reading import Client
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.connections.client import ClientFactory, connect_client
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.refusals import REFUSED_BY_POSTGRES, TROUBLE, in_words, is_outage, outages_told
from openfaith_pipeline.errors import OpenFaithError, PathNotFound, StreamBusy, describe_unforeseen
from openfaith_pipeline.inbox.sync_requests import apart_from_the_last, request_sync
from openfaith_pipeline.load.arrivals import deleted_rows, present_rows, publish_arrivals
from openfaith_pipeline.load.leases import is_dead
from openfaith_pipeline.load.publishing import Published
from openfaith_pipeline.load.sessions import ARRIVED, ARRIVED_PREFIX, SyncRequest
from openfaith_pipeline.load.sync_leases import lease_kept_by
from openfaith_pipeline.load.sync_log import SyncStart, begin_sync, finish_sync
from openfaith_pipeline.network.rate_ledger import Priority
from openfaith_pipeline.sources import reader_of
from openfaith_pipeline.telemetry.spans import continuing, links_to, span
from openfaith_pipeline.transform import SOURCES, transform_org
from openfaith_pipeline.webhooks.deliveries import (
    Delivery,
    Outcome,
    claim,
    ended_records,
    holders,
    keeping_claim,
)
from openfaith_pipeline.webhooks.open_deliveries import OpenDeliveries
from openfaith_pipeline.webhooks.record_events import News, Step, decide, sort_deliveries
from openfaith_pipeline.webhooks.refetch import FLOOD, Findings, Question, ask, by_turn, kin_of, survivor_in

LOST_APART: Final = timedelta(minutes=15)
"""Least time between syncs of a stream for records that do not say what they are under: they arrive one by one."""

_TRIGGER: Final = "webhook"
_DEEPEST: Final = 3


def connect_with_priority(database: Database, org_id: str, adapter: str) -> AbstractAsyncContextManager[Client]:
    """The org's client, with priority over the requests of syncs."""
    return connect_client(database, org_id, adapter, priority=Priority.WEBHOOK)


@dataclass
class Applied:
    """Result of one batch. published: by stream, the rows that changed."""

    org_id: str
    sync_id: str
    deliveries: int
    outcomes: dict[str, int] = field(default_factory=dict)
    published: dict[str, int] = field(default_factory=dict)


async def apply_next(
    database: Database,
    pool: AsyncConnectionPool[Any],
    holder: str,
    *,
    client_factory: ClientFactory = connect_with_priority,
) -> Applied | None:
    """Claim the next batch of due deliveries and apply it; None when nothing is due.

    pool: of connections with dictionary rows. holder: a name from `holding`, whose death frees the claim.
    Raises DatabaseUnavailable; other errors are recorded on the deliveries concerned.
    """
    with outages_told(database.settings, "while webhooks were applied"):
        async with pool.connection() as connection:
            dead = [name for name in await holders(connection) if is_dead(name)]
            deliveries = await claim(connection, holder, dead)
        if not deliveries:
            return None
        async with keeping_claim(pool, holder):
            return await _Batch(database, pool, holder, client_factory, tuple(deliveries)).apply()


class _Batch:
    def __init__(
        self,
        database: Database,
        pool: AsyncConnectionPool[Any],
        holder: str,
        client_factory: ClientFactory,
        deliveries: tuple[Delivery, ...],
    ) -> None:
        self._database = database
        self._pool = pool
        self._client_factory = client_factory
        self._deliveries = deliveries
        self._holder = holder
        self._org_id = deliveries[0].org_id
        self._request = SyncRequest(self._org_id, f"{ARRIVED_PREFIX}{uuid.uuid4().hex}", ARRIVED, holder)
        self._touched: set[str] = set()
        self._result = Applied(self._org_id, self._request.sync_id, len(deliveries))
        self._open = OpenDeliveries(pool, self._request.sync_id, deliveries, self._result.outcomes)

    async def apply(self) -> Applied:
        first, *others = [delivery.traceparent for delivery in self._deliveries]
        attributes = {"openfaith.org_id": self._org_id, "openfaith.sync_id": self._request.sync_id}
        with continuing(first), span("apply deliveries", attributes, links=links_to(others)):
            return await self._apply_sorted()

    async def _apply_sorted(self) -> Applied:
        try:
            found = sort_deliveries(self._deliveries)
        except Exception as unforeseen:  # noqa: BLE001 - as in _apply_guarded
            await self._set_apart(describe_unforeseen(unforeseen))
            return self._result
        await self._open.settle([delivery.id for delivery in found.ignored], "ignored")
        for delivery, reason in found.unreadable:
            await self._open.settle([delivery.id], "failed", error=reason)
        if found.news:
            await asyncio.to_thread(self._begin, sorted({news.stream.name for news in found.news}))
            async with lease_kept_by(self._pool, self._request.sync_id):
                error = await self._apply_guarded(found.news)
            await asyncio.to_thread(self._finish, error)
        return self._result

    async def _apply_guarded(self, news: Sequence[News]) -> str | None:
        """Apply the events; after a failure the unfinished ones are retried later. Returns the failure as text."""
        try:
            await self._apply(news)
        except (OpenFaithError, *TROUBLE) as error:
            if is_outage(error):
                raise
            reason = in_words(error)
            await self._open.try_later(self._open.left, reason)
            return reason
        except Exception as error:  # noqa: BLE001 - whatever nobody foresaw of one delivery must not end the applier
            reason = describe_unforeseen(error)
            await self._set_apart(reason)
            return reason
        return None

    async def _set_apart(self, reason: str) -> None:
        """Apply each unfinished delivery by itself, so that the one at fault is retried, and fails, alone."""
        if len(self._deliveries) == 1:
            await self._open.try_later(self._open.left, reason)
            return
        for delivery in self._open.take_all():
            alone = _Batch(self._database, self._pool, self._holder, self._client_factory, (delivery,))
            alone._touched |= self._touched  # this batch may have published its rows already
            applied = await alone.apply()
            _add_up(self._result.outcomes, applied.outcomes)
            _add_up(self._result.published, applied.published)

    async def _apply(self, news: Sequence[News]) -> None:
        questions: list[Question] = []
        done: dict[int, Outcome] = {}
        for stream in {each.stream.name: each.stream for each in news}.values():
            about = [each for each in news if each.stream is stream]
            try:
                asked, settled = await self._apply_told(stream, about)
            except StreamBusy as error:
                await self._open.wait_briefly([d for each in about for d in each.deliveries], str(error))
                continue
            questions += asked
            done |= settled
        await self._conclude(done)
        if questions:
            await self._apply_asked(questions)

    async def _apply_told(self, stream: Stream, news: list[News]) -> tuple[list[Question], dict[int, Outcome]]:
        """Publish the payloads' data of a stream.

        Returns the records to fetch and the outcomes of finished deliveries.
        """
        async with self._pool.connection() as connection:
            rows = await present_rows(connection, self._org_id, stream, [each.record_id for each in news])
            ended = await ended_records(
                connection, self._org_id, [(stream.name, each.record_id) for each in news if each.is_told]
            )
        steps = [
            (each, decide(each, rows.get(each.record_id), was_ended=(stream.name, each.record_id) in ended))
            for each in news
        ]
        refused = await self._publish_each(stream, steps)
        questions: list[Question] = []
        for each, step in steps:
            row = rows.get(each.record_id)
            path = reader_of(stream).path_of(stream, each.resource, row) if step.must_ask else None
            if path or (step.must_ask and (each.is_end or step.is_lost)):
                # Without a path and a row, nothing could be deleted.
                is_end = (each.is_end or (stream.name, each.record_id) in ended) and bool(path or row)
                questions.append(Question(stream, each.record_id, path or "", each.deliveries, is_end))
            if step.record and (survivor := survivor_in(each)):
                questions.append(survivor)
        gone = {each.record_id: each.deliveries for each, step in steps if step.is_gone}
        questions += await kin_of(self._pool, self._org_id, stream, gone)
        asked = {delivery.id for question in questions for delivery in question.deliveries}
        done: dict[int, Outcome] = {}
        for each, step in steps:
            if each.record_id not in refused and asked.isdisjoint(each.ids):
                done |= dict.fromkeys(each.ids, "superseded" if step.is_old else "applied")
        return [question for question in questions if question.record_id not in refused], done

    async def _publish_each(self, stream: Stream, steps: Sequence[tuple[News, Step]]) -> set[str]:
        """Publish the steps together or, if Postgres refuses one, singly; returns the records it refuses."""
        findings = Findings()
        for each, step in steps:
            if step.record:
                findings.add({stream.name: [step.record]}, {})
            if step.is_gone:
                findings.add({}, {stream.name: [each.record_id]})
        try:
            await self._publish(findings)
        except REFUSED_BY_POSTGRES as error:
            if len(steps) == 1:
                await self._open.settle(steps[0][0].ids, "failed", error=in_words(error))
                return {steps[0][0].record_id}
            half = len(steps) // 2
            return await self._publish_each(stream, steps[:half]) | await self._publish_each(stream, steps[half:])
        return set()

    async def _apply_asked(self, questions: Sequence[Question]) -> None:
        """Fetch the records, publish them, and conclude their deliveries; each source by itself."""
        failure: OpenFaithError | None = None
        for adapter in dict.fromkeys(question.stream.adapter for question in questions):
            about = [question for question in questions if question.stream.adapter == adapter]
            try:
                await self._ask_source(adapter, about)
            except OpenFaithError as error:
                if is_outage(error):
                    raise
                failure = failure or error
            else:
                asked = {delivery.id for question in about for delivery in question.deliveries}
                await self._conclude({id: "applied" for id in asked if id in self._open})
        if failure:
            raise failure  # after the other sources had their turn

    async def _ask_source(self, adapter: str, questions: Sequence[Question]) -> None:
        async with self._client_factory(self._database, self._org_id, adapter) as client:
            for _ in range(_DEEPEST):
                questions = await self._ask_round(client, questions)
                if not questions:
                    break

    async def _ask_round(self, client: Client, questions: Sequence[Question]) -> list[Question]:
        """Fetch once and publish; returns the records to fetch next.

        They are relatives of those that are gone, and children that their parents do not name.
        """
        following: list[Question] = []
        for about in by_turn(questions):
            stream = about[0].stream
            if nowhere := [question for question in about if not question.path]:
                await self._have_synced(stream, nowhere, apart=LOST_APART)
            placed = [question for question in about if question.path]
            if len(placed) > FLOOD:
                await self._have_synced(stream, placed)
                continue
            answers = await ask(self._pool, client, self._org_id, placed)
            await self._conclude_failed(stream, answers.failed)
            if await self._publish_answers(answers.findings, placed):
                gone = {question.record_id: question.deliveries for question in answers.gone}
                following += [*answers.unnamed, *await kin_of(self._pool, self._org_id, stream, gone)]
        return following

    async def _conclude_failed(self, stream: Stream, failed: Sequence[tuple[Question, OpenFaithError]]) -> None:
        """Retry later; but an older event of a record whose row is marked deleted has nothing to wait for.

        A record is deleted without an event of its own when its parent is. A newer event may concern a record that was
        restored and cannot be read yet.
        """
        absent = [question.record_id for question, error in failed if isinstance(error, PathNotFound)]
        gone: dict[str, datetime] = {}
        if absent:
            async with self._pool.connection() as connection:
                gone = await deleted_rows(connection, self._org_id, stream, absent)
        for question, error in failed:
            for delivery in question.deliveries:
                deleted_at = gone.get(question.record_id)
                if deleted_at and delivery.occurred_at and delivery.occurred_at < deleted_at:
                    await self._open.settle([delivery.id], "superseded")
                else:
                    await self._open.try_later([delivery], in_words(error))

    async def _publish_answers(self, findings: Findings, about: Sequence[Question]) -> bool:
        """Whether the records could be published; if not, the deliveries are retried."""
        deliveries = [delivery for question in about for delivery in question.deliveries]
        try:
            await self._publish(findings)
        except StreamBusy as error:
            await self._open.wait_briefly(deliveries, str(error))
        except REFUSED_BY_POSTGRES as error:
            await self._open.try_later(deliveries, in_words(error))
        else:
            return True
        return False

    async def _have_synced(self, stream: Stream, about: Sequence[Question], *, apart: timedelta = timedelta(0)) -> None:
        """Request one sync of the stream instead of many records; a reconcile, if some may be deleted.

        apart: the least time since the last such sync of the stream; until then all that arrive are served by one.
        """
        mode = "reconcile" if any(question.is_end for question in about) else "incremental"
        request_id = await asyncio.to_thread(self._request_sync, stream, mode, apart)
        ids = [delivery.id for question in about for delivery in question.deliveries]
        await self._transform()
        await self._open.settle(ids, "requested", sync_id=request_id)

    def _request_sync(self, stream: Stream, mode: str, apart: timedelta) -> str:
        with self._database.connect() as connection:
            names, adapter = [each.name for each in reader_of(stream).brought_with(stream)], stream.adapter
            earliest = apart_from_the_last(connection, self._org_id, stream.name, _TRIGGER, apart) if apart else None
            return request_sync(
                connection,
                self._org_id,
                mode=mode,
                streams=names,
                trigger=_TRIGGER,
                adapter=adapter,
                not_before=earliest,
            )

    async def _publish(self, findings: Findings) -> None:
        streams = findings.streams
        if not streams:
            return
        gone = {name: sorted(ids) for name, ids in findings.gone.items()}
        async with self._pool.connection() as connection:
            published = await publish_arrivals(connection, self._request, streams, findings.records, gone)
        self._touched |= published.keys()
        for name, counts in published.items():
            self._result.published[name] = self._result.published.get(name, 0) + _changed(counts)

    async def _conclude(self, done: Mapping[int, Outcome]) -> None:
        """Update the canonical tables from the published rows, then settle the finished deliveries."""
        # An earlier attempt may have published rows without transforming them.
        self._touched |= {d.stream for d in self._deliveries if d.stream and (d.attempts or d.is_left_behind)}
        await self._transform()
        for outcome in sorted(set(done.values())):
            await self._open.settle([id for id, each in done.items() if each == outcome], outcome)

    async def _transform(self) -> None:
        if any(self._touched.intersection(sources) for sources in SOURCES.values()):
            await asyncio.to_thread(self._transform_now)
        self._touched.clear()

    def _transform_now(self) -> None:
        with self._database.connect() as connection:
            transform_org(
                connection,
                self._org_id,
                schema=self._database.settings.canonical_schema,
                sync_id=self._request.sync_id,
            )

    def _begin(self, streams: Sequence[str]) -> None:
        requested = {"org": self._org_id, "streams": list(streams), "deliveries": len(self._deliveries)}
        with self._database.connect() as connection:
            begin_sync(connection, SyncStart(self._request.sync_id, None, ARRIVED, _TRIGGER, requested))

    def _finish(self, error: str | None) -> None:
        with self._database.connect() as connection:
            finish_sync(connection, self._request.sync_id, error)


def _add_up(sums: dict[str, int], counts: Mapping[str, int]) -> None:
    for name, count in counts.items():
        sums[name] = sums.get(name, 0) + count


def _changed(counts: Published) -> int:
    return counts.inserted + counts.updated + counts.deleted
