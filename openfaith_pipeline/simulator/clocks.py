"""The simulator's clock: it only moves forward, and can be advanced so that no test has to wait."""

import time
from email.utils import formatdate

from openfaith_pipeline.simulator.values import EPOCH, stamp


class Clock:
    """Wall-clock time, but never before the last generated record and never going back."""

    def __init__(self, earliest: int = EPOCH) -> None:
        self._ahead = 0.0
        self._last = float(earliest)

    def now(self) -> float:
        """Seconds since 1970."""
        self._last = max(self._last, time.time() + self._ahead)
        return self._last

    def stamp(self) -> str:
        """The current time in the API's format."""
        return stamp(int(self.now()))

    def http_date(self) -> str:
        return formatdate(self.now(), usegmt=True)

    def advance(self, seconds: float) -> None:
        """Move forward; raise ValueError for a negative step."""
        if seconds < 0:
            raise ValueError("the clock only moves forward")
        self._ahead += seconds
