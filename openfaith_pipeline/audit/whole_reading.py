"""The whole source, read like a full sync and compared page by page."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from openfaith_pipeline.audit.looking import ENDS_ALL, Looking, together
from openfaith_pipeline.audit.seeing import Scope
from openfaith_pipeline.catalog.completeness import Doubt, Listed, find_doubts
from openfaith_pipeline.catalog.reading import PartsRefused, WalkSource, fetches_for
from openfaith_pipeline.catalog.walk import End, Parent, Route, Walk
from openfaith_pipeline.errors import OpenFaithError, QueryRefused, StreamForbidden
from openfaith_pipeline.load.parents import parents_of
from openfaith_pipeline.sources import STREAMS, reader_of

_WALKS_AT_ONCE: Final = 4
_READINGS: Final = 2


@dataclass(frozen=True)
class WholeReading:
    """Reads walks whole, and finds the rows that they do not show."""

    looking: Looking

    async def run(self, walks: Sequence[Walk]) -> None:
        self.looking.watching.began("reading the source", len(walks))
        slots = asyncio.Semaphore(_WALKS_AT_ONCE)
        await together(self._read(walk, slots) for walk in walks)

    async def _read(self, walk: Walk, slots: asyncio.Semaphore) -> None:
        async with slots:
            left: Walk | None = walk
            while left is not None:
                left = await self._read_or_reduce(left)
            self.looking.watching.step(walk.streams[0].name)

    async def _read_or_reduce(self, walk: Walk) -> Walk | None:
        """Read the walk. Returns None if that worked, otherwise the part of the walk that can still be read."""
        place = _Place()
        try:
            await self._read_until_sure(walk, place)
        except ENDS_ALL:
            raise
        except PartsRefused as refusal:
            return self._rest(walk, walk.without(refusal.refused), refusal)
        except OpenFaithError as error:
            refused = walk.routes[min(place.route, len(walk.routes) - 1)]
            if isinstance(error, StreamForbidden | QueryRefused) and refused.filters:
                return walk.without_hidden(refused.lead, str(error))
            rest = walk.only(route for route in walk.routes if route.lead is not refused.lead)
            return self._rest(walk, rest, error)
        return None

    def _rest(self, walk: Walk, rest: Walk, error: OpenFaithError) -> Walk | None:
        self.looking.refused([stream for stream in walk.streams if stream not in rest.streams], error)
        return rest if rest.streams else None

    async def _read_until_sure(self, walk: Walk, place: "_Place") -> None:
        doubts: dict[str, Doubt] = {}
        end = End()
        for _ in range(_READINGS):
            end = await self._read_once(walk, place)
            doubts = self._doubts(walk, end)
            if not any(doubt.may_pass for doubt in doubts.values()):
                break
        await self._conclude(walk, end, doubts)

    async def _read_once(self, walk: Walk, place: "_Place") -> End:
        end = End()
        for stream in walk.streams:
            self.looking.seen[stream.name].clear()
            self.looking.broken[stream.name] = 0
        source = WalkSource(fetches_for(self.looking.doors, walk), self._parents)
        place.route = 0
        async with aclosing(reader_of(walk.streams[0]).read_pages(walk, source, None)) as pages:
            async for page in pages:
                await self.looking.compare(walk, page.records)
                place.route, end = page.checkpoint["route"], page.end or end
        return end

    def _parents(self, route: Route, after: str | None) -> AsyncIterator[Parent]:
        return parents_of(self.looking.pool, self.looking.org_id, route, STREAMS, after)

    def _doubts(self, walk: Walk, end: End) -> dict[str, Doubt]:
        if not _shows_everything(walk):
            return {}
        listed = {}
        for stream in walk.streams:
            broken = self.looking.broken[stream.name]
            listed[stream.name] = Listed(len(self.looking.seen[stream.name]) + broken, broken)
        return find_doubts(walk, end, listed, must_be_exact=True)

    async def _conclude(self, walk: Walk, end: End, doubts: dict[str, Doubt]) -> None:
        for stream in walk.streams:
            part, left_out = self.looking.parts[stream.name], walk.left_out(stream, end)
            part.is_asked = True
            part.source_count = len(self.looking.seen[stream.name]) + self.looking.broken[stream.name]
            if stream.name in doubts:
                part.incomplete = doubts[stream.name].reason
            elif any(not each.is_withheld for each in left_out):
                part.incomplete = str(left_out[0])
            elif not left_out and _shows_everything(walk) and stream.name not in walk.refusals:
                part.whole = True
                await self.looking.find_extra(Scope(stream, frozenset(self.looking.seen[stream.name])))


@dataclass
class _Place:
    """The route that is being read."""

    route: int = 0


def _shows_everything(walk: Walk) -> bool:
    return walk.is_whole and set(walk.leads) <= set(walk.streams)
