"""Fetch pages while others are committed, within a memory limit."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from openfaith_pipeline.catalog.walk import Page, as_one

PAGES_AHEAD = 2
"""Pages of one walk that may wait for the database before fetching pauses."""


async def read_ahead(pages: AsyncIterator[Page]) -> AsyncGenerator[Page, None]:
    """The pages, with the next ones fetched while one is used. Close it when leaving early.

    Waiting pages are joined into one: committing several takes hardly longer than committing one.
    """
    queue: asyncio.Queue[Page | None] = asyncio.Queue(PAGES_AHEAD)
    is_left = False

    async def fill() -> None:
        try:
            async for page in pages:
                await queue.put(page)
        finally:
            if not is_left:  # otherwise nobody would make room for it in a full queue
                await queue.put(None)

    filling = asyncio.create_task(fill())
    try:
        is_more = True
        while is_more:
            waiting = [await queue.get()]
            while not queue.empty():
                waiting.append(queue.get_nowait())
            is_more = waiting[-1] is not None
            if ready := [page for page in waiting if page is not None]:
                yield as_one(ready)
        await filling
    finally:
        is_left = True
        filling.cancel()
        # An error of it was raised above, or came too late: the caller leaves for a reason of its own.
        await asyncio.gather(filling, return_exceptions=True)
