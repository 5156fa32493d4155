"""A caller that takes more than its share is delayed in proportion; on a fake clock."""

import pytest

from openfaith_pipeline.service import pace as module
from openfaith_pipeline.service.pace import Pace
from openfaith_pipeline_tests.unit.service.test_limits import Clock


def test_a_caller_that_takes_more_than_its_share_waits_and_nobody_else_does() -> None:
    clock = Clock()
    pace = Pace(10, clock=clock)
    assert [pace.wait_after("flood", 10) for _ in range(3)] == [
        pytest.approx(seconds, rel=0.25) for seconds in (1, 2, 3)
    ]
    assert pace.wait_after("other", 1) == pytest.approx(0.1, rel=0.25)
    clock.now = 10.0
    assert pace.wait_after("flood", 10) == pytest.approx(1, rel=0.25), "what it took is made up for"


def test_a_wait_has_bounds_however_much_was_taken() -> None:
    pace = Pace(10, shortest=0.5, longest=2, clock=Clock())
    assert pace.wait_after("one", 1) >= 0.5 * 0.75
    assert max(pace.wait_after("one", 1000) for _ in range(5)) <= 2 * 1.25


def test_waits_that_begin_together_do_not_end_together() -> None:
    pace = Pace(1000, shortest=1, clock=Clock())
    waits = sorted(pace.wait_after(number, 1) for number in range(100))
    assert waits[0] < 0.9
    assert waits[-1] > 1.1


def test_callers_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_CALLERS", 50)
    clock = Clock()
    pace = Pace(1, clock=clock)
    for number in range(1000):
        pace.wait_after(number, 5)
    assert len(pace._free_at) == 50
    clock.now = 60.0
    for number in range(50):
        pace.wait_after(f"later {number}", 5)
        clock.now += 10
    assert len(pace._free_at) == 1
