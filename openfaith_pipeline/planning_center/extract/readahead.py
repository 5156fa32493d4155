"""Pages fetched while others are committed, and no further ahead than memory allows."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from openfaith_pipeline.catalog.walk import Page, as_one

PAGES_AHEAD = 2
"""Pages of one walk that may wait for the database before fetching pauses."""


async def read_ahead(pages: AsyncIterator[Page]) -> AsyncIterator[Page]:
    """The pages, the next ones on their way while one is used.

    Those that wait come together as one: to commit several costs hardly more than to commit the first of them.
    """
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
        # One that has failed was waited for above; waiting again would lose the place of its error.
        if not filling.done():
            filling.cancel()
            with suppress(asyncio.CancelledError):
                await filling
