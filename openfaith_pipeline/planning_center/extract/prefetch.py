"""Concurrent requests for the pages of one listing, so that its duration depends on the rate limit, not on latency.

Pages are delivered in the listing's order, and each begins with the last row of the one before it, so that the reader
sees any shift between the two, in whichever order the responses came.
"""

import asyncio
from collections.abc import Callable, Mapping

from openfaith_pipeline.catalog.reading import Document, Fetch, Tally
from openfaith_pipeline.planning_center.extract.pages import PAGE_SIZE

PAGES_ABREAST = 4
"""Pages of one listing in flight together."""

STEP = PAGE_SIZE - 1


class PagesAbreast:
    """Pages in flight, of one listing at a time. Call `drop` when ending early."""

    def __init__(self, fetch: Fetch, tally: Tally) -> None:
        self._fetch = fetch
        self._tally = tally
        self._asked: dict[int, asyncio.Task[Document]] = {}

    def __contains__(self, offset: int) -> bool:
        """Whether the page at this offset is in flight."""
        return offset in self._asked

    async def page(
        self, path: str, query_at: Callable[[int], Mapping[str, str]], offset: int, count: int | None
    ) -> Document:
        """The page at an offset; also requests the pages after it.

        query_at: the query of the page at an offset. count: number of rows in the listing, if known.
        """
        if offset not in self._asked:
            await self.drop()
        following = range(offset + STEP, min(offset + PAGES_ABREAST * STEP, (count or 0) - 1), STEP)
        for each in (offset, *following):
            if each not in self._asked:
                self._asked[each] = asyncio.ensure_future(self._fetch(path, query_at(each)))
        document = await self._asked[offset]
        del self._asked[offset]
        return self._tally.add(document)

    async def drop(self) -> None:
        """Cancel the pages in flight; those already received are counted."""
        asked, self._asked = list(self._asked.values()), {}
        for each in asked:
            each.cancel()
        for outcome in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(outcome, Document):
                self._tally.add(outcome)
