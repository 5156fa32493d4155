"""Verify one org: compare the source, the raw tables, the journal and the canonical tables, and report.

By default a sample is read, with at most half the requests of a sync that reads everything; `is_full` reads everything.
Requests come after those of every sync in the rate budget.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from uuid import uuid4

from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from openfaith_pipeline.audit.canonical import compare_canonical
from openfaith_pipeline.audit.comparison import live_count
from openfaith_pipeline.audit.journal_check import find_suspects
from openfaith_pipeline.audit.looking import Looking, Watching
from openfaith_pipeline.audit.looks import most_requests, possible_looks
from openfaith_pipeline.audit.report import Part, Verification
from openfaith_pipeline.audit.sampling import Sampling
from openfaith_pipeline.audit.states import StreamState, read_states, unrecorded
from openfaith_pipeline.audit.whole_reading import WholeReading
from openfaith_pipeline.catalog.reading import Doors
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk import Walk
from openfaith_pipeline.catalog.walk_planner import plan_walks
from openfaith_pipeline.connections.client import ClientFactory, connect_client
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.refusals import outages_told
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.load.erased import read_erased
from openfaith_pipeline.network.rate_ledger import Priority
from openfaith_pipeline.sources import READERS, STREAMS, source_of, streams_of_source

CONNECTIONS: Final = 4

AFTER_ALL_OTHERS: Final[ClientFactory] = partial(connect_client, priority=Priority.VERIFY)
"""A client whose requests come after those of every sync."""


class Unwatched:
    """Progress that is discarded."""

    def began(self, stage: str, steps: int) -> None: ...

    def step(self, place: str) -> None: ...


@dataclass(frozen=True)
class Extent:
    """How much is verified.

    streams: these; None for every stream that a sync has read. is_full: all of the source is read. with_canonical: the
    canonical tables are compared too. seed: of the sample; None for another sample each time.
    """

    streams: Sequence[Stream] | None = None
    is_full: bool = False
    with_canonical: bool = True
    seed: int | None = None


async def verify_org(
    database: Database,
    org_id: str,
    extent: Extent | None = None,
    *,
    watching: Watching | None = None,
    client_factory: ClientFactory = AFTER_ALL_OTHERS,
) -> Verification:
    """Compare everything of the org that the extent names. Commits nothing.

    Raises UnknownOrg, OrgPaused, ConnectionRejected, SourceUnreachable, DatabaseUnavailable, and UsageError if no
    sync has read any of the streams.
    """
    extent, watching = extent or Extent(), watching or Unwatched()
    report = Verification(f"verification_{uuid4().hex}", org_id, extent.is_full, datetime.now(UTC))
    with outages_told(database.settings, "during the verification"):
        await _verify(database, report, extent, watching, client_factory)
    report.finished_at = datetime.now(UTC)
    return report


async def _verify(
    database: Database, report: Verification, extent: Extent, watching: Watching, client_factory: ClientFactory
) -> None:
    org_id, adapter = report.org_id, source_of(extent.streams or ()).adapter
    async with (
        client_factory(database, org_id, adapter) as client,
        database.pool(size=CONNECTIONS, row_factory=dict_row) as pool,
    ):
        verifying = _Verifying(pool, adapter, report, extent, watching)
        await verifying.run(READERS[adapter].open_doors(client))
        report.requests = client.requests
    if extent.with_canonical:
        watching.began("comparing the OpenFaith tables", 1)
        report.canonical = await asyncio.to_thread(compare_canonical, database, org_id)
        watching.step("openfaith")


@dataclass(frozen=True)
class _Verifying:
    pool: AsyncConnectionPool[Any]
    adapter: str
    report: Verification
    extent: Extent
    watching: Watching

    async def run(self, doors: Doors) -> None:
        states, streams = await self._choose()
        self.report.streams = {stream.name: Part() for stream in streams}
        readable = [stream for stream in streams if states[stream.name].is_readable]
        for stream in streams:
            if stream not in readable:
                self.report.streams[stream.name].withheld = states[stream.name].reason or "it is withheld"
        absent = [name for name, state in states.items() if state.is_path_absent]
        walks = [walk for walk in plan_walks(readable, STREAMS, is_full=True, absent=absent) if walk.routes]
        looks = await possible_looks(self.pool, self.report.org_id, walks, await self._rows(walks))
        self.report.sync_requests = sum(map(len, looks))
        budget = None if self.extent.is_full else most_requests(looks)
        listed = {stream.name for route in looks for look in route[:1] for stream in look.route.streams}
        parts = self.report.streams
        async with self.pool.connection() as connection:
            erased = await read_erased(connection, self.report.org_id)
        looking = Looking(self.pool, self.report.org_id, doors, parts, states, self.watching, budget, listed, erased)
        await self._compare_journal(looking, streams)
        if self.extent.is_full:
            await WholeReading(looking).run(walks)
        else:
            # Not a secret: anybody may repeat the sample.
            await Sampling(looking, walks).run(looks, random.Random(self.extent.seed))  # noqa: S311
        await looking.look_again()
        await looking.conclude()

    async def _choose(self) -> tuple[Mapping[str, StreamState], list[Stream]]:
        async with self.pool.connection() as connection:
            states = await read_states(connection, self.report.org_id)
            wanted = streams_of_source(self.adapter) if self.extent.streams is None else self.extent.streams
            for stream in wanted:
                # Rows are compared even if the record of their reading was lost.
                if stream.name not in states and await live_count(connection, self.report.org_id, stream):
                    states[stream.name] = unrecorded(stream)
        streams = [stream for stream in wanted if stream.name in states]
        if not streams:
            raise UsageError(
                f"no sync has read any of this yet, so there is nothing to verify: openfaith-pipeline sync"
                f" {self.report.org_id}"
            )
        return states, streams

    async def _rows(self, walks: Sequence[Walk]) -> dict[str, int]:
        leads = {lead.name: lead for walk in walks for lead in walk.leads}
        async with self.pool.connection() as connection:
            return {name: await live_count(connection, self.report.org_id, lead) for name, lead in leads.items()}

    async def _compare_journal(self, looking: Looking, streams: Sequence[Stream]) -> None:
        self.watching.began("comparing rows with the journal", len(streams))
        for stream in streams:
            async with self.pool.connection() as connection:
                suspects = await find_suspects(connection, self.report.org_id, stream)
            for suspect in suspects:
                looking.candidate(stream, suspect.finding.record_id).suspect = suspect
            self.watching.step(stream.name)
