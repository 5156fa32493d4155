"""The simulator's own time: it only moves forward, and can be moved ahead so that nothing has to wait."""

import time
from email.utils import formatdate

from openfaith_pipeline.simulator.values import EPOCH, stamp


class Clock:
    """Wall time, never before the last generated record and never going back."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._last = float(EPOCH)

    def now(self) -> float:
        """Seconds since 1970."""
        self._last = max(self._last, time.time() + self._ahead)
        return self._last

    def stamp(self) -> str:
        """Now as the API writes it."""
        return stamp(int(self.now()))

    def http_date(self) -> str:
        return formatdate(self.now(), usegmt=True)

    def advance(self, seconds: float) -> None:
        """Move ahead; raise ValueError for a step back."""
        if seconds < 0:
            raise ValueError("the clock only moves forward")
        self._ahead += seconds
