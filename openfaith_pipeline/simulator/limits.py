"""The request budget of each authenticated user, as shown in headers and 429 responses."""

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from openfaith_pipeline.simulator.answers import Answer, too_many_requests
from openfaith_pipeline.simulator.clocks import Clock
from openfaith_pipeline.simulator.options import RateLimit


class _Counter(Protocol):
    def hit(self, now: float, period: float) -> int:
        """Count one request; returns the number within the period, including this one."""

    def free_in(self, now: float, period: float, allowed: int) -> float:
        """Seconds until another request would be within `allowed`."""


@dataclass
class _FixedWindow:
    started_at: float = 0
    count: int = 0

    def hit(self, now: float, period: float) -> int:
        if now >= self.started_at + period:
            self.started_at, self.count = now, 0
        self.count += 1
        return self.count

    def free_in(self, now: float, period: float, allowed: int) -> float:
        return self.started_at + period - now if self.count >= allowed else 0


@dataclass
class _SlidingWindow:
    hits: deque[float] = field(default_factory=deque)

    def hit(self, now: float, period: float) -> int:
        while self.hits and self.hits[0] <= now - period:
            self.hits.popleft()
        self.hits.append(now)
        return len(self.hits)

    def free_in(self, now: float, period: float, allowed: int) -> float:
        return self.hits[-allowed] + period - now if len(self.hits) >= allowed else 0


@dataclass(frozen=True)
class Verdict:
    """Rate-limit headers for the user, and the refusal if the budget is spent."""

    headers: dict[str, str]
    refusal: Answer | None = None


class RateLimiter:
    """Request counts by user. `limit` can be changed at any time; None for no limit."""

    def __init__(self, limit: RateLimit | None, clock: Clock) -> None:
        self._clock = clock
        self.limit = limit

    @property
    def limit(self) -> RateLimit | None:
        return self._limit

    @limit.setter
    def limit(self, limit: RateLimit | None) -> None:
        self._limit = limit
        self._counters: dict[tuple[str, bool], _Counter] = {}

    def admit(self, user: str, offset: int) -> Verdict:
        """Count one request. High offsets also have a counter that no header shows."""
        limit = self._limit
        if limit is None:
            return Verdict({})
        count, wait = self._hit(limit, (user, False), limit.limit)
        headers = {
            "X-PCO-API-Request-Rate-Limit": str(limit.limit),
            "X-PCO-API-Request-Rate-Period": f"{limit.period_seconds:g}",
            "X-PCO-API-Request-Rate-Count": str(count),
        }
        allowed = limit.limit
        if count <= allowed and offset > limit.high_offset:
            allowed = limit.high_offset_limit
            count, wait = self._hit(limit, (user, True), allowed)
        if count <= allowed:
            return Verdict(headers)
        headers["X-PCO-API-Request-Rate-Period"] += " seconds"  # recorded: only refusals give the unit
        return Verdict(headers, too_many_requests(count, limit, allowed, max(1, math.ceil(wait))))

    def _hit(self, limit: RateLimit, key: tuple[str, bool], allowed: int) -> tuple[int, float]:
        now = self._clock.now()
        counter = self._counters.get(key)
        if counter is None:
            counter = self._counters[key] = _SlidingWindow() if limit.is_sliding else _FixedWindow()
        count = counter.hit(now, limit.period_seconds)
        return count, counter.free_in(now, limit.period_seconds, allowed)
