"""Patience alone: which faults are retried, after which delay, and when retrying ends."""

from datetime import timedelta

import pytest

from openfaith_pipeline.errors import PathNotFound, RateLimitedError, TransientError
from openfaith_pipeline.network.retrying import Patience, RetryLimits

SECOND = timedelta(seconds=1)
FAULT = TransientError("no answer")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def patience(clock: Clock | None = None, **limits: object) -> Patience:
    begun = Patience(RetryLimits(**limits), clock=clock or Clock())  # type: ignore[arg-type]
    begun.record_request(0.0)
    return begun


def test_backoff_doubles_up_to_the_longest_with_at_most_half_taken_away() -> None:
    waits = [
        patience_.decide(FAULT)
        for patience_ in [patience(first_wait=SECOND, longest_wait=5 * SECOND)]
        for _ in range(5)
    ]
    for wait, longest in zip(waits, (1, 2, 4, 5, 5), strict=True):
        assert isinstance(wait, timedelta)
        assert longest / 2 <= wait.total_seconds() <= longest


def test_backoff_is_spread() -> None:
    assert len({patience().decide(FAULT) for _ in range(20)}) > 10


def test_attempts_are_capped() -> None:
    tried = patience(attempts=3)
    assert [bool(tried.decide(FAULT)) for _ in range(3)] == [True, True, False]


def test_total_time_is_capped() -> None:
    clock = Clock()
    tried = patience(clock, attempts=1000, total=60 * SECOND, longest_wait=2 * SECOND)
    assert tried.decide(FAULT)
    clock.now += 59.9
    assert tried.decide(FAULT) is False


def test_total_time_starts_with_the_first_request() -> None:
    clock = Clock()
    tried = Patience(RetryLimits(total=60 * SECOND), clock=clock)
    clock.now += 3600
    tried.record_request(3600.0)
    assert tried.decide(FAULT)
    clock.now += 50
    tried.record_request(0.0)
    clock.now += 9.9
    assert tried.decide(FAULT) is False


def test_dictated_waits_use_up_no_attempts_but_time() -> None:
    clock = Clock()
    tried = patience(clock, attempts=1, total=60 * SECOND)
    for _ in range(3):
        assert tried.demand(20 * SECOND)
        assert tried.decide(RateLimitedError("429")) == 20 * SECOND
        clock.now += 20
    assert not tried.demand(20 * SECOND)
    assert tried.decide(RateLimitedError("429")) is False
    assert tried.waited_seconds == 60


def test_fault_that_names_a_wait_is_given_at_least_that() -> None:
    tried = patience()
    assert tried.demand(40 * SECOND)
    assert tried.decide(FAULT) == 40 * SECOND
    second = tried.decide(FAULT)
    assert isinstance(second, timedelta)
    assert second < 2 * SECOND
    assert tried.waited_seconds == 0


@pytest.mark.parametrize("error", [PathNotFound("404"), KeyboardInterrupt(), ValueError()])
def test_anything_else_is_not_tried_again(error: BaseException) -> None:
    assert patience().decide(error) is False
