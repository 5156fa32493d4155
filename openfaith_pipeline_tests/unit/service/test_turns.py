"""A caller that sends much at once does not make the others wait for all of it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from openfaith_pipeline.errors import InboxFull
from openfaith_pipeline.service.turns import Turns


def worker(turns: Turns, order: list[str], running: list[str]) -> Callable[[str], Awaitable[None]]:
    async def work(caller: str) -> None:
        async with turns.turn(caller):
            running.append(caller)
            assert len(running) <= 3
            assert running.count(caller) <= 2
            order.append(caller)
            await asyncio.sleep(0)
            running.remove(caller)

    return work


async def test_callers_come_in_turn_and_few_at_a_time() -> None:
    order: list[str] = []
    work = worker(Turns(at_once=3, of_one=2), order, [])
    await asyncio.gather(*(work("flood") for _ in range(50)), work("one"), work("two"), work("one"))
    assert order.count("flood") == 50
    assert sorted(place for place, caller in enumerate(order) if caller != "flood")[-1] < 8


async def test_too_many_of_one_are_refused_and_others_are_not() -> None:
    turns, is_over = Turns(at_once=2, of_one=1, most_waiting=2), asyncio.Event()

    async def work(caller: str) -> None:
        async with turns.turn(caller):
            await is_over.wait()

    flood = [asyncio.create_task(work("flood")) for _ in range(5)]
    other = asyncio.create_task(work("other"))
    await asyncio.sleep(0.01)
    is_over.set()
    ends = await asyncio.gather(*flood, other, return_exceptions=True)
    assert [type(end) for end in ends] == [type(None)] * 3 + [InboxFull] * 2 + [type(None)]


async def test_a_caller_that_waits_too_long_or_goes_leaves_its_place_to_the_next() -> None:
    turns = Turns(at_once=1, of_one=1, patience=0.05)
    async with turns.turn("first"):
        gone = asyncio.create_task(anext_turn(turns, "gone"))
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(InboxFull):
            await anext_turn(turns, "late")
    async with asyncio.timeout(1):
        await anext_turn(turns, "late")
        await anext_turn(turns, "gone")
    assert not turns._waiting
    assert not turns._running


@pytest.mark.parametrize("others", [["late"], ["gone", "late"], []])
async def test_a_turn_given_up_at_the_moment_it_comes_is_lost_to_nobody(others: list[str]) -> None:
    turns = Turns(at_once=1, of_one=1)
    async with turns.turn("first"):
        gone = asyncio.create_task(anext_turn(turns, "gone"))
        waiting = [asyncio.create_task(anext_turn(turns, caller)) for caller in others]
        await asyncio.sleep(0)
        gone.cancel()  # which its task hears only after the turn has ended
    async with asyncio.timeout(1):
        await asyncio.gather(*waiting)
        await asyncio.wait([gone])
    assert gone.cancelled()
    assert not turns._waiting
    assert not turns._running


async def anext_turn(turns: Turns, caller: str) -> None:
    async with turns.turn(caller):
        pass


async def test_a_turn_may_last_on_so_that_others_have_most_of_the_time() -> None:
    turns, loop = Turns(at_once=1, of_one=1, rest=3.0), asyncio.get_running_loop()
    began = loop.time()
    for _ in range(3):
        async with turns.turn("flood"):
            await asyncio.sleep(0.02)
    assert loop.time() - began >= 0.02 * (1 + 3 + 1 + 3 + 1)
