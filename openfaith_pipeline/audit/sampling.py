"""A sample of the source: some looks, the totals of listings, and the ids of a listing if its total differs."""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil

from openfaith_pipeline.audit.comparison import changed_at_of, live_count, rows_beside
from openfaith_pipeline.audit.findings import COUNTED_AS, Finding, Kind
from openfaith_pipeline.audit.looking import ENDS_ALL, Looking
from openfaith_pipeline.audit.looks import Look, choose, lists_alone
from openfaith_pipeline.audit.seeing import Scope, Sight
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk import Route, Walk, id_of
from openfaith_pipeline.errors import OpenFaithError
from openfaith_pipeline.sources import reader_of


@dataclass
class _Counted:
    """Counts of one stream's listings. totals, whole: by route."""

    totals: dict[Route, int] = field(default_factory=dict)
    whole: set[Route] = field(default_factory=set)


@dataclass
class Sampling:
    """Looks at a sample, then judges counts."""

    looking: Looking
    walks: Sequence[Walk]
    counted: dict[str, _Counted] = field(default_factory=lambda: defaultdict(_Counted))

    async def run(self, looks: Sequence[Sequence[Look]], chance: random.Random) -> None:
        """Stay within the budget of `looking`."""
        chosen = choose(looks, self.looking.budget or 1, chance)
        self.looking.watching.began("looking at a sample of the source", len(chosen))
        await self.looking.look_at(chosen, self._saw)
        for walk in self.walks:
            for stream in walk.streams:
                if lists_alone(walk, stream):
                    await self._judge_count(walk, stream)

    def _saw(self, look: Look, sight: Sight) -> None:
        counted = self.counted[look.route.lead.name]
        if look.parent is None and sight.total is not None:
            counted.totals[look.route] = sight.total
        if look.parent is None and sight.is_whole:
            counted.whole.add(look.route)

    async def _judge_count(self, walk: Walk, stream: Stream) -> None:
        """If the source's count differs from the number of rows, list the ids."""
        routes = [route for route in walk.routes if route.lead is stream]
        counted, part = self.counted[stream.name], self.looking.parts[stream.name]
        if not counted.totals.keys() >= set(routes):
            return
        part.source_count = sum(counted.totals.values())
        part.whole = counted.whole >= set(routes)
        if part.whole:
            # A listing that shows only some of the records says nothing of rows that it lacks; all of them together do.
            if len(routes) > 1:
                await self.looking.find_extra(Scope(stream, frozenset(self.looking.seen[stream.name])))
            return
        unexplained = await self._unexplained(stream, part.source_count)
        if unexplained == 0:
            return
        size = reader_of(stream).PAGE_SIZE
        pages = sum(max(1, ceil(total / size)) for total in counted.totals.values())
        if self.looking.has_budget(pages):
            await self._compare_ids(stream, routes)
        elif not 0 < unexplained <= self.looking.erased.count(stream.name):
            part.incomplete = (
                f"the source counts {part.source_count} records; `--full` says which rows are too many or few"
            )

    async def _unexplained(self, stream: Stream, count: int) -> int:
        async with self.looking.pool.connection() as connection:
            rows = await live_count(connection, self.looking.org_id, stream)
        found = [each.finding for each in self.looking.candidates.values() if each.stream is stream and each.finding]
        kinds = [COUNTED_AS[finding.kind] for finding in found]
        return count - self.looking.states[stream.name].broken - rows - kinds.count("missing") + kinds.count("extra")

    async def _compare_ids(self, stream: Stream, routes: Sequence[Route]) -> None:
        try:
            listed = {name: moment for route in routes for name, moment in (await self._list_ids(route)).items()}
        except ENDS_ALL:
            raise
        except OpenFaithError as error:
            self.looking.refused([stream], error)
            return
        async with self.looking.pool.connection() as connection:
            live = set(await rows_beside(connection, self.looking.org_id, stream, None, (), ()))
        self._note_ids(stream, listed, live)

    async def _list_ids(self, route: Route) -> Mapping[str, datetime | None]:
        """Ids of a listing's records and the time each changed."""
        walk = next(walk for walk in self.walks if route in walk.routes)
        rows = reader_of(walk.streams[0]).list_times(self.looking.doors.fetch_for(walk), route)
        async with aclosing(rows):
            return {identifier: changed_at_of(row) async for row in rows if (identifier := id_of(row))}

    def _note_ids(self, stream: Stream, listed: Mapping[str, datetime | None], live: set[str]) -> None:
        state = self.looking.states[stream.name]
        for identifier in sorted(listed.keys() ^ live):
            is_missing = identifier in listed
            if is_missing and self.looking.erased.has(stream.name, identifier):
                continue
            is_behind = is_missing and state.is_behind(stream, listed[identifier])
            candidate = self.looking.candidate(stream, identifier)
            candidate.finding = candidate.finding or Finding(
                stream.name, identifier, Kind.MISSING if is_missing else Kind.EXTRA, (), is_behind
            )
