"""The client and the simulator, each written from the same facts, over a real wire and in real time."""

import asyncio

import pytest
from pydantic import SecretStr

from openfaith_pipeline.errors import ConnectionRejected, PathNotFound
from openfaith_pipeline.planning_center import PersonalAccessToken, PlanningCenterClient
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.options import RateLimit
from openfaith_pipeline.simulator.server import running_simulator

PERIOD = 1.0
LIMIT = 60


def client_of(simulator: SimulatorClient) -> PlanningCenterClient:
    church = simulator.churches()[0]
    token = PersonalAccessToken(church["app_id"], SecretStr(church["secret"]))
    return PlanningCenterClient(simulator.url, token)


async def read_people(client: PlanningCenterClient, times: int) -> None:
    calls = (client.get("/people/v2/people", {"per_page": "1"}, product=Product.PEOPLE) for _ in range(times))
    await asyncio.gather(*calls)


@pytest.mark.parametrize("is_sliding", [False, True], ids=["fixed", "sliding"])
async def test_the_limit_is_never_exceeded_by_one_client_after_the_other(is_sliding: bool) -> None:
    rate_limit = RateLimit(limit=LIMIT, period_seconds=PERIOD, is_sliding=is_sliding)
    with running_simulator(rate_limit=rate_limit) as simulator:
        for _ in range(2):  # the second does not know the first one's usage
            async with client_of(simulator) as client:
                await read_people(client, 90)
        assert simulator.stats()["rate_limited"] == 0


async def test_pages_follow_each_other_to_the_last() -> None:
    seen: list[str] = []
    offset: int | None = 0
    with running_simulator() as simulator:
        async with client_of(simulator) as client:
            while offset is not None:
                params = {"per_page": "20", "offset": str(offset)}
                page = await client.get("/people/v2/people", params, product=Product.PEOPLE)
                assert isinstance(page.data, list)
                seen += [person["id"] for person in page.data]
                offset = page.next_offset
        church = simulator.churches()[0]
        truth = [person["id"] for person in simulator.truth(church["org_id"], "people.people")]
    assert page.total_count == len(truth)
    assert seen == truth


async def test_verdicts_of_the_simulator_are_distinguished() -> None:
    with running_simulator() as simulator:
        async with client_of(simulator) as client:
            with pytest.raises(PathNotFound):
                await client.get("/people/v2/household_memberships", {}, product=Product.PEOPLE)
        wrong = PersonalAccessToken("nobody", SecretStr("nothing"))
        async with PlanningCenterClient(simulator.url, wrong) as client:
            with pytest.raises(ConnectionRejected):
                await client.get("/people/v2/people", {}, product=Product.PEOPLE)
