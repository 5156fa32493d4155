"""The budget alone, in virtual time: which requests it releases, when, and in which order."""

import asyncio
from datetime import timedelta

import pytest

from openfaith_pipeline.network.rate_budget import DEEP_LIMIT_HOLDS_FOR, MARGIN, LocalRateBudget, RateReport
from openfaith_pipeline.planning_center.source import PLANNING_CENTER
from openfaith_pipeline_tests.unit.network.virtual_time import run_virtually, virtual_now


def budget() -> LocalRateBudget:
    return LocalRateBudget(PLANNING_CENTER.rate_limit, clock=virtual_now)


async def send(
    budget: LocalRateBudget, report: RateReport | None, *, lasts: float = 0.0, is_deep: bool = False
) -> float:
    """One request from permit to answer; returns when it was sent."""
    permit = await budget.acquire(is_deep=is_deep)
    sent_at = virtual_now()
    await asyncio.sleep(lasts)
    await budget.release(permit, report)
    return sent_at


async def send_many(budget: LocalRateBudget, number: int, report: RateReport | None, **how: float) -> list[float]:
    return list(await asyncio.gather(*(send(budget, report, **how) for _ in range(number))))  # type: ignore[arg-type]


def test_first_request_goes_alone_and_its_answer_opens_the_rest() -> None:
    sent = run_virtually(send_many(budget(), 5, RateReport(limit=100, period=20, count=1), lasts=2.0))
    assert sent == [0.0, 2.0, 2.0, 2.0, 2.0]


def test_requests_go_alone_until_an_answer_has_the_count() -> None:
    async def scenario() -> list[float]:
        shared = budget()
        await send(shared, None, lasts=1.0)
        return await send_many(shared, 3, RateReport(count=4), lasts=2.0)

    assert run_virtually(scenario()) == [1.0, 3.0, 3.0]


def test_answer_without_rate_headers_opens_the_documented_budget() -> None:
    sent = run_virtually(send_many(budget(), 101, RateReport()))
    assert sent[:100] == [0.0] * 100
    assert sent[100] == 20 + MARGIN


def test_slot_frees_one_period_after_the_answer() -> None:
    sent = run_virtually(send_many(budget(), 3, RateReport(limit=1, period=10), lasts=4.0))
    assert sent == pytest.approx([0.0, 14 + MARGIN, 28 + 2 * MARGIN])


def test_requests_of_others_occupy_slots_for_a_period() -> None:
    sent = run_virtually(send_many(budget(), 4, RateReport(limit=10, period=20, count=8)))
    assert sent[:3] == [0.0, 0.0, 0.0]
    assert sent[3] == 20 + MARGIN


def test_own_requests_in_flight_are_not_taken_for_somebody_elses() -> None:
    async def scenario() -> list[float]:
        shared = budget()
        await send(shared, RateReport(limit=10, period=20, count=1))
        counted = [send(shared, RateReport(count=count), lasts=1.0 + count % 3) for count in range(2, 11)]
        await asyncio.gather(*counted)
        return await send_many(shared, 10, RateReport())

    first_freed = 20 + MARGIN
    assert run_virtually(scenario()) == pytest.approx(
        [first_freed + wait for wait in (0, *[1] * 3, *[2] * 3, *[3] * 3)]
    )


def test_slots_that_freed_while_a_request_was_under_way_are_not_taken_for_somebody_elses() -> None:
    async def scenario() -> float:
        shared = budget()
        await send_many(shared, 2, RateReport(limit=3, period=20))
        await asyncio.sleep(19)
        counted_before_they_freed = asyncio.create_task(send(shared, RateReport(count=3), lasts=2.0))
        still_under_way = asyncio.create_task(send(shared, RateReport(), lasts=2.0))
        await counted_before_they_freed
        sent_at = await send(shared, RateReport())
        await still_under_way
        return sent_at

    assert run_virtually(scenario()) == 21.0


def test_silence_of_two_periods_makes_the_next_request_go_alone_again() -> None:
    async def scenario() -> list[float]:
        shared = budget()
        await send(shared, RateReport(limit=10, period=20, count=1))
        await asyncio.sleep(41)
        return await send_many(shared, 3, RateReport(count=9), lasts=1.0)

    first, second, third = run_virtually(scenario())
    assert (first, second) == (41.0, 42.0)
    assert third == pytest.approx(42 + 20 + MARGIN)


def test_lower_limit_holds_at_once_and_a_higher_one_lets_waiters_go() -> None:
    async def scenario() -> tuple[list[float], list[float]]:
        shared = budget()
        await send_many(shared, 5, RateReport(limit=100, period=20))
        await send(shared, RateReport(limit=6))
        lowered = asyncio.gather(*(send(shared, RateReport(limit=6)) for _ in range(2)))
        before = await lowered
        await send(shared, RateReport(limit=50))
        return list(before), await send_many(shared, 40, RateReport())

    before, after = run_virtually(scenario())
    assert before == [20 + MARGIN] * 2
    assert after == [20 + MARGIN] * 40


def test_longer_period_holds_for_slots_already_taken() -> None:
    async def scenario() -> float:
        shared = budget()
        await send(shared, RateReport(limit=2, period=20))
        await send(shared, RateReport(limit=2, period=60))
        return await send(shared, RateReport())

    assert run_virtually(scenario()) == 60 + MARGIN


def test_permits_are_granted_in_the_order_of_requests() -> None:
    async def scenario() -> list[int]:
        shared = budget()
        order: list[int] = []

        async def ask(number: int) -> None:
            await send(shared, RateReport(limit=3, period=20), lasts=0.5)
            order.append(number)

        await asyncio.gather(*(ask(number) for number in range(20)))
        return order

    assert run_virtually(scenario()) == list(range(20))


def test_pause_holds_everybody_back() -> None:
    async def scenario() -> list[float]:
        shared = budget()
        await send(shared, RateReport())
        await shared.pause(timedelta(seconds=19))
        await shared.pause(timedelta(seconds=3))
        return await send_many(shared, 3, RateReport())

    assert run_virtually(scenario()) == [19.0] * 3


def test_a_permit_has_the_time_it_was_waited_for() -> None:
    async def scenario() -> list[float]:
        shared = budget()
        await send(shared, RateReport(limit=1, period=5))
        await asyncio.sleep(2)
        return [(await shared.acquire()).waited_seconds]

    assert run_virtually(scenario()) == pytest.approx([3 + MARGIN])


def test_deep_requests_keep_to_the_lower_limit_among_all_requests() -> None:
    async def scenario() -> tuple[float, float]:
        shared = budget()
        await send_many(shared, 74, RateReport(limit=100, period=20))
        last_with_room = await send(shared, RateReport(limit=100), is_deep=True)
        await send(shared, RateReport(limit=100))
        return last_with_room, await send(shared, RateReport(limit=100), is_deep=True)

    assert run_virtually(scenario()) == (0.0, 20 + MARGIN)


def test_deep_limit_named_by_a_refusal_holds_for_deep_requests_only() -> None:
    async def scenario() -> tuple[float, float]:
        shared = budget()
        await send(shared, RateReport(limit=100, period=20, count=1, exceeded_limit=10), is_deep=True)
        shallow = await send_many(shared, 20, RateReport(limit=100))
        return max(shallow), await send(shared, None, is_deep=True)

    assert run_virtually(scenario()) == (0.0, 20 + MARGIN)


def test_deep_limit_named_by_a_refusal_is_forgotten_after_a_while() -> None:
    async def scenario() -> float:
        shared = budget()
        await send(shared, RateReport(limit=100, period=20, count=1, exceeded_limit=10), is_deep=True)
        await asyncio.sleep(DEEP_LIMIT_HOLDS_FOR + 1)
        await send_many(shared, 20, RateReport(limit=100))
        return await send(shared, None, is_deep=True)

    assert run_virtually(scenario()) == DEEP_LIMIT_HOLDS_FOR + 1


def test_limit_named_by_a_refusal_overrules_the_header() -> None:
    sent = run_virtually(send_many(budget(), 3, RateReport(limit=100, period=20, exceeded_limit=2)))
    assert sent == [0.0, 0.0, 20 + MARGIN]


@pytest.mark.parametrize("is_granted", [False, True], ids=["while waiting", "just after the grant"])
def test_cancelled_waiter_takes_no_slot_and_blocks_nobody(is_granted: bool) -> None:
    async def scenario() -> list[float]:
        shared = budget()
        await send(shared, RateReport(limit=3, period=20))
        holders = [await shared.acquire() for _ in range(2)]
        waiting = asyncio.create_task(shared.acquire())
        await asyncio.sleep(0)
        behind = [asyncio.create_task(send(shared, RateReport())) for _ in range(2)]
        await asyncio.sleep(0)
        if is_granted:  # the slot of the first request frees while the waiter is on its way out
            asyncio.get_running_loop().call_later(20 + MARGIN, waiting.cancel)
        else:
            waiting.cancel()
        sent = [await behind[0]]
        for holder in holders:
            await shared.release(holder, RateReport())
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return [*sent, await behind[1]]

    freed = 20 + MARGIN
    assert run_virtually(scenario()) == pytest.approx([freed, 2 * freed])


def test_waiter_cancelled_at_the_moment_room_appears_takes_no_slot() -> None:
    async def scenario() -> list[float]:
        shared = budget()
        await send(shared, RateReport(limit=2, period=20))
        holder = await shared.acquire()
        waiting = asyncio.create_task(shared.acquire())
        await asyncio.sleep(0)
        waiting.cancel()
        await shared.release(holder, RateReport(limit=3))
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return await send_many(shared, 2, RateReport())

    assert run_virtually(scenario()) == [0.0, 20 + MARGIN]
