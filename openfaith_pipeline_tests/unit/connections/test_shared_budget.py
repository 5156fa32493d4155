"""Several holders on one ledger, against servers that count in every way Planning Center may."""

import asyncio
import gc
import random
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openfaith_pipeline.connections.shared_budget import SharedRateBudget
from openfaith_pipeline.errors import DatabaseUnavailable
from openfaith_pipeline.network.rate_budget import DEEP_LIMIT_HOLDS_FOR, MARGIN, Permit, RateReport
from openfaith_pipeline.network.rate_ledger import (
    HELD_BACK_FOR,
    SILENT_AFTER,
    WAITING_FOR,
    Answer,
    Claim,
    Grant,
    Priority,
    RateLedger,
)
from openfaith_pipeline.planning_center.source import PLANNING_CENTER
from openfaith_pipeline_tests.unit.network.counting_server import CountingServer, Window
from openfaith_pipeline_tests.unit.network.test_rate_budget_properties import World, worlds
from openfaith_pipeline_tests.unit.network.virtual_time import run_virtually, virtual_now

LIMIT = PLANNING_CENTER.rate_limit

ENOUGH = settings(max_examples=60, deadline=None)

SLACK = 2 * HELD_BACK_FOR
"""Seconds that sharing may cost in each period: being held back for others who then need less."""


@dataclass
class Ledger:
    """A ledger in memory, serialized like the real one. exchanges: number of calls."""

    stored: dict | None = None  # type: ignore[type-arg]
    exchanges: int = 0
    is_gone: bool = False
    trouble: Exception | None = None
    granted: list[Grant] = field(default_factory=list)

    async def exchange(self, claim: Claim) -> Grant:
        if self.is_gone:
            raise DatabaseUnavailable("gone")
        if self.trouble:
            raise self.trouble
        ledger = RateLedger.read(self.stored, LIMIT)
        grant = ledger.exchange(claim, virtual_now())
        self.stored = ledger.written()
        self.exchanges += 1
        self.granted.append(grant)
        return grant


class Holder:
    """A process that sends through its own budget on the common ledger."""

    def __init__(
        self,
        ledger: Ledger,
        server: CountingServer,
        latency: float,
        seed: int,
        priority: Priority = Priority.INCREMENTAL,
    ) -> None:
        self.budget = SharedRateBudget(ledger, priority, holder=f"holder-{seed}-{priority}")
        self.sent: list[float] = []
        self._server, self._latency, self._dice = server, latency, random.Random(seed)

    async def send(self, *, after: float = 0.0, is_deep: bool = False) -> None:
        await asyncio.sleep(after)
        permit = await self.budget.acquire(is_deep=is_deep)
        self.sent.append(virtual_now())
        await asyncio.sleep(self._dice.random() * self._latency / 2)
        report = RateReport(self._server.limit, self._server.period, self._server.count(virtual_now()))
        await asyncio.sleep(self._dice.random() * self._latency / 2)
        await self.budget.release(permit, report)

    async def close(self) -> None:
        await self.budget.close()


@ENOUGH
@given(worlds(), st.lists(st.tuples(st.integers(0, 2), st.floats(0, 100)), max_size=90))
def test_several_holders_are_never_refused(world: World, arrivals: list[tuple[int, float]]) -> None:
    server = world.open_server()

    async def scenario() -> None:
        ledger = Ledger()
        priorities = [Priority.WEBHOOK, Priority.INCREMENTAL, Priority.BACKFILL]
        holders = [Holder(ledger, server, world.latency, number, each) for number, each in enumerate(priorities)]
        async with AsyncExitStack() as stack:
            for holder in holders:
                stack.push_async_callback(holder.close)
            await asyncio.gather(*(holders[which].send(after=after) for which, after in arrivals))

    run_virtually(scenario())
    assert server.refused == 0


@ENOUGH
@given(worlds(shortest=10), st.integers(1, 70), st.integers(1, 3))
def test_together_they_use_the_budget_to_its_end(world: World, demand: int, count: int) -> None:
    server = world.open_server()
    holders: list[Holder] = []

    async def scenario() -> None:
        ledger = Ledger()
        holders.extend(Holder(ledger, server, world.latency, number) for number in range(count))
        async with AsyncExitStack() as stack:
            for holder in holders:
                stack.push_async_callback(holder.close)
            await asyncio.gather(*(holders[number % count].send() for number in range(demand)))

    run_virtually(scenario())
    assert server.refused == 0
    cycle = world.period + MARGIN + world.latency + SLACK
    # The other processes learn at their next exchange that the budget is open.
    opening = world.latency + WAITING_FOR / 2 + SLACK
    for number, sent_at in enumerate(sorted(moment for holder in holders for moment in holder.sent)):
        bound = (number + world.others) // world.limit * cycle + opening
        assert sent_at <= bound + 1e-6, f"request {number} at {sent_at}, bound {bound}"


@ENOUGH
@given(worlds(fewest=10), st.lists(st.booleans(), min_size=1, max_size=60), st.booleans())
def test_deep_requests_are_never_refused(world: World, demand: list[bool], are_counted_alone: bool) -> None:
    limit = world.limit * 10
    server = CountingServer(world.window, limit, world.period, phase=world.phase)
    deep = CountingServer(world.window, LIMIT.deep_requests, world.period, phase=world.phase)
    refused: list[bool] = []

    async def scenario() -> None:
        budgets = [SharedRateBudget(ledger, holder=str(number)) for ledger in [Ledger()] for number in range(2)]

        async def send(budget: SharedRateBudget, is_deep: bool) -> None:
            permit = await budget.acquire(is_deep=is_deep)
            count = server.count(virtual_now())
            if is_deep:
                refused.append((deep.count(virtual_now()) if are_counted_alone else count) > LIMIT.deep_requests)
            await budget.release(permit, RateReport(limit, world.period, count))

        await asyncio.gather(*(send(budgets[number % 2], is_deep) for number, is_deep in enumerate(demand * 3)))
        for budget in budgets:
            await budget.close()

    run_virtually(scenario())
    assert server.refused == 0
    assert not any(refused)


async def _rush(ledger: Ledger, server: CountingServer, demands: dict[Priority, int]) -> dict[Priority, list[float]]:
    """Everybody wants at once; when each request of each priority went out."""
    holders = {priority: Holder(ledger, server, 0.2, int(priority), priority) for priority in demands}
    async with AsyncExitStack() as stack:
        for holder in holders.values():
            stack.push_async_callback(holder.close)
        waiting = (holders[priority].send() for priority, demand in demands.items() for _ in range(demand))
        await asyncio.gather(*waiting)
    return {priority: sorted(holder.sent) for priority, holder in holders.items()}


def test_webhooks_go_before_incremental_syncs_and_those_before_backfills() -> None:
    server = CountingServer(Window.SLIDING, 20, 20)
    demands = {Priority.BACKFILL: 60, Priority.INCREMENTAL: 60, Priority.WEBHOOK: 30}
    sent = run_virtually(_rush(Ledger(), server, demands))
    assert server.refused == 0
    assert sent[Priority.WEBHOOK][-1] < 65, "30 requests of 20 in 20 seconds, less what had begun before they came"
    assert sent[Priority.INCREMENTAL][-1] < sent[Priority.BACKFILL][-1] - 30


def test_nobody_starves_while_others_never_stop_requesting() -> None:
    server = CountingServer(Window.SLIDING, 20, 20)
    sent = run_virtually(_rush(Ledger(), server, {Priority.BACKFILL: 10, Priority.WEBHOOK: 400}))
    assert server.refused == 0
    last, of_all = sent[Priority.BACKFILL][-1], sent[Priority.WEBHOOK][-1]
    assert last < of_all / 2, f"its last of ten at {last:.0f} of {of_all:.0f} s"


def test_slots_of_a_dead_holder_come_back() -> None:
    async def scenario() -> float:
        ledger, server = Ledger(), CountingServer(Window.SLIDING, 10, 20)
        dead = Holder(ledger, server, 0.0, 1)
        await dead.send()
        permits = [await dead.budget.acquire() for _ in range(9)]
        assert len(permits) == 9
        if dead.budget._broker:  # it dies without reporting or returning its slots
            dead.budget._broker.cancel()
        alive = Holder(ledger, server, 0.0, 2)
        await asyncio.gather(*(alive.send() for _ in range(10)))
        await alive.close()
        return alive.sent[-1]

    assert run_virtually(scenario()) < SILENT_AFTER + 20 + 3


def test_a_limit_lowered_under_way_is_kept_to_from_the_first_answer_that_has_it() -> None:
    server = CountingServer(Window.SLIDING, 50, 20)

    async def scenario() -> None:
        ledger = Ledger()
        holders = [Holder(ledger, server, 0.1, number) for number in range(2)]

        async def lower() -> None:
            await asyncio.sleep(30)
            server.limit = 10

        # Slow enough that few are in flight at any time: an overrun means that the lowered limit was ignored.
        sends = (holders[number % 2].send(after=number * 1.0) for number in range(60))
        await asyncio.gather(lower(), *sends)
        for holder in holders:
            await holder.close()

    run_virtually(scenario())
    assert server.refused <= 11, "those sent in the last period before the limit fell, and no others"


def test_costs_few_exchanges_and_keeps_within_a_budget_that_is_plentiful() -> None:
    server = CountingServer(Window.SLIDING, 1000, 20)

    async def scenario() -> int:
        ledger = Ledger()
        holder = Holder(ledger, server, 0.2, 1)

        async def one_after_the_other() -> None:
            for _ in range(40):
                await holder.send()

        await asyncio.gather(*(one_after_the_other() for _ in range(10)))
        await holder.close()
        return ledger.exchanges

    assert run_virtually(scenario()) < 60, "400 requests"


def test_a_pause_is_kept_by_everyone() -> None:
    async def scenario() -> float:
        ledger, server = Ledger(), CountingServer(Window.SLIDING, 50, 20)
        told, other = Holder(ledger, server, 0.0, 1), Holder(ledger, server, 0.0, 2)
        await told.send()
        await told.budget.pause(timedelta(seconds=7))
        await asyncio.sleep(1)
        await other.send()
        await told.close()
        await other.close()
        return other.sent[0]

    assert run_virtually(scenario()) >= 7


def test_a_waiting_request_fails_when_the_ledger_is_out_of_reach() -> None:
    async def scenario() -> None:
        budget = SharedRateBudget(Ledger(is_gone=True), holder="one")
        with pytest.raises(DatabaseUnavailable, match="gone"):
            await budget.acquire()
        await budget.close()

    run_virtually(scenario())


def test_waiting_requests_raise_the_error_that_kept_the_ledger_from_being_written() -> None:
    """And nothing else says it: an error of a task that nobody awaits would be printed as a traceback."""
    unheard: list[dict[str, object]] = []

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
        ledger = Ledger(trouble=psycopg.errors.DiskFull("could not extend file"))
        budget = SharedRateBudget(ledger, holder="one")
        waits = await asyncio.gather(*(budget.acquire() for _ in range(3)), return_exceptions=True)
        assert waits == [ledger.trouble] * 3
        ledger.trouble = None
        permit = await budget.acquire()
        ledger.trouble = psycopg.errors.DiskFull("could not extend file")
        await budget.release(permit, None)
        await budget.close()

    run_virtually(scenario())
    gc.collect()
    assert unheard == []


def test_one_who_gives_up_waiting_costs_the_others_nothing() -> None:
    async def scenario() -> list[float]:
        ledger, server = Ledger(), CountingServer(Window.SLIDING, 5, 20)
        holder = Holder(ledger, server, 0.0, 1)
        await asyncio.gather(*(holder.send() for _ in range(5)))
        given_up = [asyncio.create_task(holder.budget.acquire()) for _ in range(5)]
        await asyncio.sleep(1)
        for task in given_up:
            task.cancel()
        await asyncio.gather(*(holder.send() for _ in range(5)))
        await holder.close()
        return holder.sent

    assert run_virtually(scenario())[-1] < 21


@pytest.mark.parametrize(
    "stored", [{"limit": "x", "answered": 7}, {"unheard_of": 1}, {"answered": [[None, 1], [2, 1]]}]
)
def test_books_that_cannot_be_understood_are_begun_anew(stored: dict) -> None:  # type: ignore[type-arg]
    grant = RateLedger.read(stored, LIMIT).exchange(Claim("one", Priority.WEBHOOK, wanted=5), 100.0)
    assert grant.slots == 1, "one goes alone and learns"


def test_a_clock_that_is_set_back_keeps_nobody_waiting() -> None:
    """As when a machine begins with a wrong time and then learns the right one. Some of a dead holder's are taken."""
    ledger, dead = RateLedger.new(LIMIT), Claim("dead", Priority.BACKFILL, wanted=LIMIT.requests)
    ledger.exchange(replace(dead, wanted=1), 10_000.0)
    first = Answer(0.0, 0, RateReport(limit=LIMIT.requests, period=LIMIT.period, count=1))
    assert ledger.exchange(replace(dead, answers=(first,)), 10_001.0).slots == LIMIT.requests - 1
    ledger.exchange(Claim("dead", Priority.BACKFILL, answers=(Answer(0.0, 0, None),) * 50, pause=5.0), 10_002.0)

    living = Claim("living", Priority.INCREMENTAL, wanted=1)
    stored = RateLedger.read(ledger.written(), LIMIT)
    assert stored.used_at(100.0) == LIMIT.requests, "all is as taken as it was"
    assert stored.exchange(living, 100.0).slots == 0
    moments = [100.0 + SILENT_AFTER + 1, 101.0 + SILENT_AFTER + LIMIT.period + 2 * MARGIN]
    granted = [stored.exchange(living, moment) for moment in moments]
    assert [grant.slots for grant in granted] == [0, 1]


def test_a_low_limit_of_deep_requests_is_forgotten_after_a_while() -> None:
    """One that a refusal named holds for all processes, and no later response says that it is higher again."""
    ledger, claim = RateLedger.new(LIMIT), Claim("one", Priority.BACKFILL)

    def granted(moment: float, report: RateReport) -> int:
        """Deep requests that may be in flight at once after one was answered so."""
        ledger.exchange(replace(claim, wanted=1), moment)
        answer = Answer(0.0, ledger.freed, report)
        slots = ledger.exchange(replace(claim, wanted_deep=LIMIT.requests, answers=(answer,)), moment).deep_slots
        ledger.exchange(replace(claim, returned=slots), moment)
        return slots + 1

    answered = RateReport(LIMIT.requests, LIMIT.period)
    assert granted(0.0, replace(answered, exceeded_limit=3)) == 3
    assert granted(DEEP_LIMIT_HOLDS_FOR - 1, answered) == 3
    assert granted(2 * DEEP_LIMIT_HOLDS_FOR, answered) == LIMIT.deep_requests


def test_a_permit_is_as_the_client_expects() -> None:
    async def scenario() -> Permit:
        budget = SharedRateBudget(Ledger(), holder="one")
        permit = await budget.acquire(is_deep=True)
        await budget.release(permit, None)
        await budget.close()
        return permit

    assert run_virtually(scenario()).is_deep
