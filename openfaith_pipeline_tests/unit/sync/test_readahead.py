"""Pages fetched while earlier ones are being committed."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import aclosing
from itertools import count
from typing import Any

import pytest

from openfaith_pipeline.catalog.walk import End, Page, Record
from openfaith_pipeline.sync.readahead import PAGES_AHEAD, read_ahead


async def endless_pages() -> AsyncIterator[Page]:
    for number in count():
        yield Page({}, {"after": number})


async def three_pages() -> AsyncIterator[Page]:
    for number in range(3):
        emails = {"people.emails": [Record({"id": f"e{number}"}, {})]} if number else {}
        records = {"people.people": [Record({"id": f"p{number}"}, {})], **emails}
        await asyncio.sleep(0)
        yield Page(records, {"after": number}, requests=2, waited_seconds=0.5, end=End() if number == 2 else None)


async def test_leaving_while_pages_wait_ends_the_fetching() -> None:
    async def commit_fails() -> None:
        async with aclosing(read_ahead(endless_pages())) as pages:
            async for _ in pages:
                for _ in range(PAGES_AHEAD + 2):
                    await asyncio.sleep(0)
                raise ConnectionError

    with pytest.raises(ConnectionError):
        await asyncio.wait_for(commit_fails(), timeout=5)


async def test_a_failure_after_the_caller_has_left_is_not_logged() -> None:
    """asyncio would write its traceback to the terminal once the task is collected."""
    logged: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: logged.append(context))

    async def failing() -> AsyncIterator[Page]:
        yield Page({}, {"after": 0})
        raise ConnectionError

    async def commit_fails() -> None:
        async with aclosing(read_ahead(failing())) as pages:
            async for _ in pages:
                await asyncio.sleep(0.01)  # in which the fetching fails
                raise TimeoutError

    with pytest.raises(TimeoutError):
        await commit_fails()
    gc.collect()
    await asyncio.sleep(0)
    assert logged == []


async def test_waiting_records_come_as_one_page_in_the_order_of_the_listing() -> None:
    pages = []
    async with aclosing(read_ahead(three_pages())) as ahead:
        async for page in ahead:
            pages.append(page)
            await asyncio.sleep(0.01)  # as long as a commit takes, in which the next ones are fetched
    assert [page.pages for page in pages] == [1, 2]
    assert pages[1] == Page(
        {
            "people.people": [Record({"id": "p1"}, {}), Record({"id": "p2"}, {})],
            "people.emails": [Record({"id": "e1"}, {}), Record({"id": "e2"}, {})],
        },
        {"after": 2},
        requests=4,
        waited_seconds=1.0,
        end=End(),
        pages=2,
    )


async def test_records_read_before_a_failure_come_first() -> None:
    async def failing() -> AsyncIterator[Page]:
        yield Page({}, {"after": 0})
        yield Page({}, {"after": 1})
        raise ConnectionError

    pages = []
    with pytest.raises(ConnectionError):
        async for page in read_ahead(failing()):
            pages.append(page)
            await asyncio.sleep(0.01)
    assert [(page.pages, page.checkpoint) for page in pages] == [(2, {"after": 1})]
