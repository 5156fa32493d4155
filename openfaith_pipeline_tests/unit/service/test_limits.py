"""Calls in a minute, on a clock of the test's own."""

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from openfaith_pipeline.service.limits import RateLimiter


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_minutes_calls_may_come_at_once_and_then_evenly() -> None:
    clock = Clock()
    limiter = RateLimiter(60, clock)
    assert [limiter.wait_of("a") for _ in range(61)] == [0] * 60 + [1]
    clock.now = 1.0
    assert [limiter.wait_of("a") for _ in range(2)] == [0, 1]
    assert limiter.wait_of("b") == 0, "each caller has their own"


def test_the_wait_is_long_enough() -> None:
    clock = Clock()
    limiter = RateLimiter(7, clock)
    for _ in range(7):
        assert limiter.wait_of("a") == 0
    clock.now = float(limiter.wait_of("a"))
    assert limiter.wait_of("a") == 0


def test_those_who_called_longest_ago_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openfaith_pipeline.service.limits._MOST_CALLERS", 3)
    limiter = RateLimiter(1, Clock())
    for caller in "abcad":
        limiter.wait_of(caller)
    assert list(limiter._buckets) == ["c", "a", "d"]
    assert limiter.wait_of("a") > 0, "and nobody else is"


@pytest.fixture
def _switching() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_switching")
def test_callers_in_several_threads_are_counted_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openfaith_pipeline.service.limits._MOST_CALLERS", 1)
    limiter = RateLimiter(10**9)
    with ThreadPoolExecutor(4) as threads:
        waits = list(threads.map(lambda number: limiter.wait_of(str(number % 3)), range(5000)))
    assert set(waits) == {0}


def test_a_new_caller_costs_the_same_however_many_there_were() -> None:
    def seconds_of(callers: range) -> float:
        began = time.process_time()
        for caller in callers:
            limiter.wait_of(str(caller))
        return time.process_time() - began

    limiter = RateLimiter(60)
    few, many = seconds_of(range(5_000)), seconds_of(range(20_000, 25_000))
    seconds_of(range(30_000, 45_000))
    assert seconds_of(range(50_000, 55_000)) < 20 * max(few, many)
