"""Credentials that are refused are looked at again, by one call for all, before they are called dead."""

import asyncio
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from openfaith_pipeline.errors import ConnectionRejected, UnexpectedResponse
from openfaith_pipeline.planning_center import OAuthToken, PlanningCenterClient
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline_tests.unit.network.virtual_time import virtual_now
from openfaith_pipeline_tests.unit.planning_center.gateway import Answer, client_of, in_turn, page, read, refusal, run
from openfaith_pipeline_tests.unit.planning_center.test_providers import Tokens

OLD, NEW = (OAuthToken(SecretStr(text), None, None) for text in ("pl4nted-old", "pl4nted-new"))


async def get(client: PlanningCenterClient, path: str = "/people/v2/people") -> Any:
    return (await client.get(path, {}, product=Product.PEOPLE)).data


def test_one_stray_refusal_is_not_the_last_word() -> None:
    document = read(in_turn([refusal(401), page("1")]))
    assert (document.data, document.requests) == ([{"type": "Person", "id": "1"}], 2)


def test_a_token_refused_for_three_seconds_is_dead_and_only_one_call_looks() -> None:
    async def scenario() -> tuple[int, float]:
        async with client_of(lambda _: refusal(401)) as client:
            refusals = await asyncio.gather(*(get(client) for _ in range(20)), return_exceptions=True)
            assert {type(each) for each in refusals} == {ConnectionRejected}
            assert all("401" in str(each) for each in refusals)
            return client.requests, virtual_now()

    requests, seconds = run(scenario())
    assert requests == 22
    assert seconds == 3


def test_a_new_token_that_is_refused_for_a_moment_is_waited_for() -> None:
    def answer(request: httpx.Request) -> Answer:
        is_new = request.headers["Authorization"].endswith("new")
        return page("1") if is_new and virtual_now() >= 1.5 else refusal(401)

    async def scenario() -> None:
        tokens = Tokens([OLD, NEW])
        async with client_of(answer, credentials=tokens) as client:
            await asyncio.gather(*(get(client) for _ in range(5)))
        assert tokens.confirmed == [NEW]
        assert virtual_now() == 3, "the calls that wait for their turn go on at once"

    run(scenario())


def test_a_path_that_is_refused_while_others_are_answered_is_no_dead_connection() -> None:
    async def scenario() -> None:
        async with client_of(lambda it: refusal(401) if "emails" in it.url.path else page("1")) as client:
            refused = asyncio.create_task(get(client, "/people/v2/emails"))
            while not refused.done():
                await get(client)
                await asyncio.sleep(0.3)
            with pytest.raises(UnexpectedResponse, match=r"GET /people/v2/emails: 401.* other requests .*succeed"):
                await refused
            assert await get(client) == [{"type": "Person", "id": "1"}]

    run(scenario())
