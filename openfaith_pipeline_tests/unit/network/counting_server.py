"""A rate limit as a server keeps it, in each of the ways Planning Center may: which of them it uses is unknown."""

from collections import deque
from enum import StrEnum


class Window(StrEnum):
    SLIDING = "sliding"
    FIXED = "fixed"
    """Windows that follow each other on the server's clock."""
    OPENED = "opened"
    """A window that opens with the first request after the last one closed."""


class CountingServer:
    def __init__(self, window: Window, limit: int, period: float, *, phase: float = 0.0) -> None:
        self.limit = limit
        self.period = period
        self.refused = 0
        self._window = window
        self._phase = phase
        self._stamps: deque[float] = deque()

    def count(self, now: float) -> int:
        """Record a request and return the number in the window; refused ones count too."""
        self._forget(now)
        self._stamps.append(now)
        self.refused += len(self._stamps) > self.limit
        return len(self._stamps)

    def _forget(self, now: float) -> None:
        while self._stamps and self._is_over(now):
            if self._window is Window.SLIDING:
                self._stamps.popleft()
            else:
                self._stamps.clear()

    def _is_over(self, now: float) -> bool:
        if self._window is Window.FIXED:
            return self._number_of(self._stamps[0]) < self._number_of(now)
        return self._stamps[0] + self.period <= now

    def _number_of(self, moment: float) -> int:
        return int((moment + self._phase) // self.period)
