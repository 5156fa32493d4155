"""An API that is not there is given up for all calls of a client at once."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from openfaith_pipeline.errors import SourceUnreachable
from openfaith_pipeline.planning_center import PlanningCenterClient
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline_tests.unit.network.virtual_time import virtual_now
from openfaith_pipeline_tests.unit.planning_center.gateway import Answer, client_of, page, run


async def get(client: PlanningCenterClient) -> None:
    await client.get("/people/v2/people", {}, product=Product.PEOPLE)


def test_an_api_that_was_never_there_is_given_up_within_seconds_and_not_tried_by_later_calls() -> None:
    async def scenario() -> tuple[int, float]:
        async with client_of(lambda _: httpx.ConnectError("refused")) as client:
            for _ in range(10):
                with pytest.raises(SourceUnreachable, match=r"no connection to pco\.invalid"):
                    await get(client)
            return client.requests, virtual_now()

    requests, seconds = run(scenario())
    assert requests == 3
    assert seconds <= 1.5


def test_an_api_that_was_there_is_waited_for_as_long_as_for_any_fault() -> None:
    def answers() -> Iterator[Answer]:
        yield page("1")
        yield from [httpx.ConnectError("refused")] * 7
        yield page("1")

    remaining = answers()

    async def scenario() -> float:
        async with client_of(lambda _: next(remaining)) as client:
            await get(client)
            await get(client)
        return virtual_now()

    assert run(scenario()) > 20


def test_those_that_are_under_way_give_up_together() -> None:
    async def scenario() -> float:
        async with client_of(lambda _: page("1") if virtual_now() < 1 else httpx.ConnectError("gone")) as client:
            await get(client)
            await asyncio.sleep(1)
            begun = virtual_now()
            ends = [asyncio.create_task(get(client)) for _ in range(9)]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            first = virtual_now() - begun
            assert {type(end) for end in await asyncio.gather(*ends, return_exceptions=True)} == {SourceUnreachable}
            return virtual_now() - begun - first

    assert run(scenario()) <= 30
