"""Fetch pages while others are committed, within a memory limit."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from openfaith_pipeline.catalog.walk import Page, as_one

PAGES_AHEAD = 2
"""Pages of one walk that may wait for the database before fetching pauses."""


async def read_ahead(pages: AsyncIterator[Page]) -> AsyncIterator[Page]:
    """The pages, with the next ones fetched while one is used.

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
        # A failed task was awaited above; awaiting it again would lose the origin of its error.
        if not filling.done():
            filling.cancel()
            with suppress(asyncio.CancelledError):
                await filling
