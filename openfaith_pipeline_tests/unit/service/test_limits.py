"""Calls in a minute, on a clock of the test's own."""

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


def test_those_who_are_away_are_forgotten(monkeypatch) -> None:
    monkeypatch.setattr("openfaith_pipeline.service.limits._MOST_CALLERS", 3)
    clock = Clock()
    limiter = RateLimiter(1, clock)
    for caller in "abc":
        limiter.wait_of(caller)
    clock.now = 61.0
    limiter.wait_of("d")
    assert len(limiter._buckets) == 1
