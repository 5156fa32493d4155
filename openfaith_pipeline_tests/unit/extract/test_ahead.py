"""Pages fetched while earlier ones are being committed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from openfaith_pipeline.extract.ahead import PAGES_AHEAD, read_ahead


async def endless_pages() -> AsyncIterator[Any]:
    while True:
        yield object()


async def test_leaving_while_pages_wait_ends_the_fetching() -> None:
    async def commit_fails() -> None:
        async with aclosing(read_ahead(endless_pages())) as pages:
            async for _ in pages:
                for _ in range(PAGES_AHEAD + 2):
                    await asyncio.sleep(0)
                raise ConnectionError

    with pytest.raises(ConnectionError):
        await asyncio.wait_for(commit_fails(), timeout=5)
