"""Against servers that count in every way Planning Center may: never refused, and never idle longer than proven."""

import asyncio
import random
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from openfaith_pipeline.network.rate_budget import (
    MARGIN,
    LocalRateBudget,
    RateReport,
)
from openfaith_pipeline.planning_center.source import PLANNING_CENTER
from openfaith_pipeline_tests.unit.network.counting_server import CountingServer, Window
from openfaith_pipeline_tests.unit.network.virtual_time import run_virtually, virtual_now

ENOUGH = settings(max_examples=200, deadline=None)


@dataclass(frozen=True)
class World:
    """A server, the earlier requests of other clients, and the latency."""

    window: Window
    limit: int
    period: int
    phase: float
    others: int
    latency: float
    seed: int

    def open_server(self) -> CountingServer:
        server = CountingServer(self.window, self.limit, self.period, phase=self.phase)
        dice = random.Random(self.seed)
        for moment in sorted(-dice.random() * self.period for _ in range(self.others)):
            server.count(moment)
        return server


@st.composite
def worlds(draw: st.DrawFn, *, fewest: int = 1, shortest: int = 1) -> World:
    limit = draw(st.integers(fewest, 30))
    period = draw(st.sampled_from([period for period in (1, 10, 20, 60) if period >= shortest]))
    return World(
        window=draw(st.sampled_from(Window)),
        limit=limit,
        period=period,
        phase=draw(st.floats(0, period)),
        others=draw(st.integers(0, limit - 1)),
        latency=draw(st.floats(0, 0.9)) * period,
        seed=draw(st.integers(0, 2**32)),
    )


class Sender:
    """Sends through one budget over a way of random latency; some answers are lost."""

    def __init__(self, world: World, server: CountingServer, *, loss: float = 0.0) -> None:
        self.sent: list[float] = []
        self._world = world
        self._server = server
        self._loss = loss
        self._answered = 0
        self._dice = random.Random(world.seed)
        self._budget = LocalRateBudget(PLANNING_CENTER.rate_limit, clock=virtual_now)

    async def send(self, *, after: float = 0.0, is_deep: bool = False) -> None:
        await asyncio.sleep(after)
        permit = await self._budget.acquire(is_deep=is_deep)
        self.sent.append(virtual_now())
        await asyncio.sleep(self._dice.random() * self._world.latency / 2)
        report = RateReport(self._server.limit, self._server.period, self._server.count(virtual_now()))
        await asyncio.sleep(self._dice.random() * self._world.latency / 2)
        # Until one answer has come the limit is unknown, and even a second request may be one too many.
        is_lost = self._answered > 0 and self._dice.random() < self._loss
        self._answered += not is_lost
        await self._budget.release(permit, None if is_lost else report)


@ENOUGH
@given(worlds(), st.lists(st.floats(0, 200), max_size=120), st.sampled_from([0.0, 0.2]))
def test_never_refused_whatever_the_demand(world: World, arrivals: list[float], loss: float) -> None:
    server = world.open_server()

    async def scenario() -> None:
        sender = Sender(world, server, loss=loss)
        await asyncio.gather(*(sender.send(after=arrival) for arrival in arrivals))

    run_virtually(scenario())
    assert server.refused == 0


@ENOUGH
@given(worlds(), st.integers(1, 150))
def test_uses_the_budget_to_the_proven_bound(world: World, demand: int) -> None:
    server = world.open_server()
    sender: list[Sender] = []

    async def scenario() -> None:
        sender.append(Sender(world, server))
        await asyncio.gather(*(sender[0].send() for _ in range(demand)))

    run_virtually(scenario())
    assert server.refused == 0
    cycle = world.period + MARGIN + world.latency
    for number, sent_at in enumerate(sender[0].sent):
        bound = (number + world.others) // world.limit * cycle + world.latency
        assert sent_at <= bound + 1e-6, f"request {number} at {sent_at}, bound {bound}"


@ENOUGH
@given(worlds(fewest=10), st.lists(st.booleans(), min_size=1, max_size=100), st.booleans())
def test_deep_requests_are_never_refused_whether_counted_alone_or_with_all(
    world: World, demand: list[bool], are_counted_alone: bool
) -> None:
    limit, deep_limit = world.limit * 10, PLANNING_CENTER.rate_limit.deep_requests
    server = CountingServer(world.window, limit, world.period, phase=world.phase)
    deep = CountingServer(world.window, deep_limit, world.period, phase=world.phase)
    refused_deep = 0

    async def scenario() -> None:
        budget = LocalRateBudget(PLANNING_CENTER.rate_limit, clock=virtual_now)

        async def send(is_deep: bool) -> None:
            nonlocal refused_deep
            permit = await budget.acquire(is_deep=is_deep)
            count = server.count(virtual_now())
            if is_deep:
                refused_deep += (deep.count(virtual_now()) if are_counted_alone else count) > deep_limit
            await budget.release(permit, RateReport(limit, world.period, count))

        await asyncio.gather(*(send(is_deep) for is_deep in demand * 3))

    run_virtually(scenario())
    assert server.refused == refused_deep == 0
