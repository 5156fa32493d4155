"""Pace: how much of something each caller gets in a second. A caller that takes more waits, and nobody else does."""

import random
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final

_MOST_CALLERS: Final = 10_000


class Pace:
    """Paces callers, for one event loop.

    per_second: of one caller. shortest, longest: minimum and maximum seconds of a wait. Waits vary by a
    quarter, so that callers whose calls were answered together do not all come back together.
    """

    def __init__(
        self,
        per_second: float,
        *,
        shortest: float = 0.0,
        longest: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_second, self._shortest, self._longest, self._clock = per_second, shortest, longest, clock
        self._free_at: OrderedDict[Hashable, float] = OrderedDict()
        """By caller, when what it took so far is made up for; the caller that took something longest ago first."""

    def wait_after(self, caller: Hashable, amount: float) -> float:
        """Count the caller's turns; returns the seconds it has to wait before the next."""
        now = self._clock()
        self._forget_idle(now)
        free_at = max(now, self._free_at.pop(caller, now)) + amount / self._per_second
        self._free_at[caller] = min(free_at, now + self._longest)
        return max(self._shortest, self._free_at[caller] - now) * random.uniform(0.75, 1.25)  # noqa: S311 - no secret

    def _forget_idle(self, now: float) -> None:
        """Forget two callers at most, so that each call costs the same, however many there were."""
        for _ in range(2):
            if not self._free_at:
                return
            caller, free_at = next(iter(self._free_at.items()))
            if free_at > now and len(self._free_at) < _MOST_CALLERS:
                return
            del self._free_at[caller]
