"""The rate limit, observed on our side: how many requests may be sent, and when.

The server counts a request at some time between its sending and its response. So a slot becomes free one period after
the *response* to its request: any `limit` + 1 of our requests then lie at least a period apart on the server's clock,
whether it counts in fixed or in sliding windows. Under steady demand the n-th request (from 0, after `others` requests
of somebody else) is sent no later than

    floor((n + others) / limit) * (period + MARGIN + latency) + latency

which property tests verify. Nothing about HTTP belongs here; a source's package reads the headers.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

MARGIN = 0.05
"""Seconds a slot stays taken beyond the period: clocks drift, and the server's many hosts differ by milliseconds."""

DEEP_LIMIT_HOLDS_FOR = 3600.0
"""Seconds after which a limit of deep requests that a refusal named is forgotten: no response names a higher one."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """Requests in `period` seconds, and those of them with a deep offset, until a response gives other limits."""

    requests: int
    deep_requests: int
    period: float


@dataclass(frozen=True, slots=True)
class RateReport:
    """Rate-limit data of a response; None for values it lacks.

    limit, period, count: as in its headers; count is the server's own and includes this request.
    exceeded_limit: the limit named in the text of a 429, which may differ from the headers (deep offsets).
    """

    limit: int | None = None
    period: float | None = None
    count: int | None = None
    exceeded_limit: int | None = None


@dataclass(frozen=True, slots=True)
class Permit:
    """Permission to send one request. `freed_before`: slots freed until then, to count those taken since."""

    waited_seconds: float
    is_deep: bool
    freed_before: int


class RateBudget(Protocol):
    """Shared by everything that sends with the same credentials: the server counts per authenticated user."""

    async def acquire(self, *, is_deep: bool = False, is_leading: bool = False) -> Permit:
        """Wait until a request may be sent; a deep one has a lower limit (`calls.py`).

        is_leading: others depend on this response, so the request may overtake earlier ones.
        """

    async def release(self, permit: Permit, report: RateReport | None) -> None:
        """End of a request.

        `report` is None if nothing was learnt: no response, or one that is not from the API itself.
        """

    async def pause(self, wait: timedelta) -> None:
        """Send no request until `wait` has passed, on the server's demand."""


@dataclass(frozen=True, slots=True)
class _Taken:
    received_at: float
    slots: int


@dataclass(eq=False, slots=True)
class _Waiter:
    is_deep: bool
    since: float
    granted: asyncio.Future[Permit]


class LocalRateBudget:
    """A RateBudget within one process and one event loop at a time.

    While the use by others is unknown (at the start, and after two periods without a response) one request is sent
    alone, and its response releases the rest.
    """

    def __init__(self, usual: RateLimit, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._limit = usual.requests
        self._usual_deep_limit = self._deep_limit = usual.deep_requests
        self._deep_limit_until = math.inf
        self._period = usual.period
        self._in_flight = 0
        self._answered: deque[_Taken] = deque()
        self._taken_total = 0
        self._freed_total = 0
        self._reported_at = -math.inf
        self._paused_until = -math.inf
        self._waiters: deque[_Waiter] = deque()
        self._timer: asyncio.TimerHandle | None = None

    async def acquire(self, *, is_deep: bool = False, is_leading: bool = False) -> Permit:  # noqa: ARG002 - in turn
        waiter = _Waiter(is_deep, self._clock(), asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        self._admit()
        try:
            return await waiter.granted
        except asyncio.CancelledError:
            self._withdraw(waiter)
            raise

    async def release(self, permit: Permit, report: RateReport | None) -> None:
        self._in_flight -= 1
        self._answered.append(_Taken(self._clock(), 1))
        if report is not None:
            self._learn(permit, report)
        self._admit()

    async def pause(self, wait: timedelta) -> None:
        self._paused_until = max(self._paused_until, self._clock() + wait.total_seconds())

    def _learn(self, permit: Permit, report: RateReport) -> None:
        self._reported_at = self._clock()
        self._limit = report.limit or self._limit
        self._period = report.period or self._period
        if report.exceeded_limit and permit.is_deep:
            self._deep_limit = report.exceeded_limit
            self._deep_limit_until = self._clock() + DEEP_LIMIT_HOLDS_FOR
        elif report.exceeded_limit:
            self._limit = report.exceeded_limit
        if report.count is not None:
            self._yield_to_others(permit, report.count)

    def _yield_to_others(self, permit: Permit, count: int) -> None:
        """Take slots for requests that the server counted and we did not send.

        Of ours, at most those whose slots were taken at some time between the sending of the request and now can have
        been counted, so without other clients there is never a difference.
        """
        others = count - (self._taken_total - permit.freed_before)
        if others > 0:
            self._answered.append(_Taken(self._clock(), others))
            self._taken_total += others

    def _admit(self) -> None:
        """Grant permits in order of request, then schedule a wake-up for the next free slot."""
        self._free_slots()
        while self._waiters and self._has_room(self._waiters[0]):
            waiter = self._waiters.popleft()
            if not waiter.granted.done():
                self._grant(waiter)
        self._set_timer()

    def _free_slots(self) -> None:
        now = self._clock()
        while self._answered and self._frees_at(self._answered[0]) <= now:
            self._freed_total += self._answered.popleft().slots

    def _frees_at(self, taken: _Taken) -> float:
        return taken.received_at + self._period + MARGIN

    def _has_room(self, waiter: _Waiter) -> bool:
        now = self._clock()
        if now < self._paused_until:
            return False
        if self._in_flight and now > self._reported_at + 2 * self._period:
            return False
        if now > self._deep_limit_until:
            self._deep_limit, self._deep_limit_until = self._usual_deep_limit, math.inf
        # It is unknown whether deep requests have a separate counter. Holding them to the lower limit among *all*
        # requests is right in both cases.
        limit = min(self._limit, self._deep_limit) if waiter.is_deep else self._limit
        return self._taken_total - self._freed_total < limit

    def _grant(self, waiter: _Waiter) -> None:
        self._in_flight += 1
        self._taken_total += 1
        waiter.granted.set_result(Permit(self._clock() - waiter.since, waiter.is_deep, self._freed_total))

    def _withdraw(self, waiter: _Waiter) -> None:
        """Handle a cancelled waiter: leave the queue, or return a permit that was granted but not used."""
        if waiter in self._waiters:
            self._waiters.remove(waiter)
        elif not waiter.granted.cancelled():
            self._in_flight -= 1
            self._taken_total -= 1
        self._admit()

    def _set_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._waiters and (room_at := self._next_room_at()) is not None:
            delay = max(0.0, room_at - self._clock())
            self._timer = asyncio.get_running_loop().call_later(delay, self._admit)

    def _next_room_at(self) -> float | None:
        """When waiting may end by itself; None if only the response to a request in flight can end it."""
        if self._clock() < self._paused_until:
            return self._paused_until
        return self._frees_at(self._answered[0]) if self._answered else None
