"""Whatever runs when a run is terminated, the run hears of it."""

import asyncio
import signal
import time
from collections.abc import Iterator
from threading import Timer

import dagster as dg
import pytest
from dagster._utils.interrupts import raise_interrupts_as

from openfaith_pipeline.defs.run_handle import Caller
from openfaith_pipeline.processes import interrupts


@pytest.fixture
def _terminable() -> Iterator[None]:
    """Signals as they are within an op that Dagster executes in a process of its own."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with raise_interrupts_as(dg.DagsterExecutionInterruptedError):
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def signaled_in_the_background(number: signal.Signals) -> str:
    async def beat() -> None:
        signal.raise_signal(number)

    beats = asyncio.create_task(beat())
    await asyncio.sleep(20)
    return str(beats)


@pytest.mark.usefixtures("_terminable")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_that_comes_while_another_task_runs_ends_the_work(number: signal.Signals) -> None:
    began_at, outside = time.monotonic(), signal.getsignal(number)
    with pytest.raises(dg.DagsterExecutionInterruptedError):
        Caller().run(signaled_in_the_background(number))
    assert time.monotonic() - began_at < 5
    assert signal.getsignal(number) is outside


def test_a_cleanup_that_does_not_end_is_made_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupts, "INSIST_SECONDS", 0.05)
    caller = Caller()

    async def tidied_for_ever() -> None:
        try:
            caller.stop()
            await asyncio.sleep(20)
        finally:
            await asyncio.sleep(20)

    async def group() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(tidied_for_ever())

    began_at = time.monotonic()
    with pytest.raises(dg.DagsterExecutionInterruptedError):
        caller.run(group())
    assert time.monotonic() - began_at < 5


def test_who_rests_before_another_try_hears_that_it_is_not_wanted() -> None:
    caller = Caller()
    Timer(0.05, caller.stop).start()
    began_at = time.monotonic()
    with pytest.raises(dg.DagsterExecutionInterruptedError):
        caller.rest(20)
    assert time.monotonic() - began_at < 5
