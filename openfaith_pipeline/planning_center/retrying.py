"""When a failed request is tried again: exponential backoff with jitter, under a cap on attempts and on total time."""

import logging
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta

import stamina
import stamina.instrumentation

from openfaith_pipeline.errors import RateLimitedError, SourceUnreachable, TransientError

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RetryLimits:
    """How patient one call is.

    attempts: how often it may fail before it is given up; being told to wait (429) is no failure.
    total: no attempt is scheduled to begin later than this after the first was sent, whatever the reason.
    own_attempts: how often it may fail in the same way while other calls are answered.
    unreached_attempts: as `attempts`, where no connection can be made and none has been made before.
    second_looks: the waits before credentials that were refused are tried again; then they are dead.
    first_wait, longest_wait: the backoff doubles from the one to the other; its jitter takes away up to a half.
    """

    attempts: int = 8
    own_attempts: int = 5
    unreached_attempts: int = 3
    second_looks: tuple[timedelta, ...] = (timedelta(seconds=1), timedelta(seconds=2))
    total: timedelta = timedelta(minutes=5)
    first_wait: timedelta = timedelta(seconds=0.5)
    longest_wait: timedelta = timedelta(seconds=30)


USUAL_PATIENCE = RetryLimits()


def log_retries() -> None:
    """Have stamina log as all else does: its own hook prints to stdout where structlog is, which Dagster brings."""
    stamina.instrumentation.set_on_retry_hooks([_log_retry])


def _log_retry(details: stamina.instrumentation.RetryDetails) -> None:
    _logger.warning("%s; trying again in %.1f s", details.caused_by, details.wait_for)


@dataclass
class Reachability:
    """What a client has learnt of the API's address, for all of its calls.

    is_reached: whether a connection was ever made. given_up: why no call is tried any more, None as long as they are.
    answers: how many calls have ended well.
    """

    is_reached: bool = False
    answers: int = 0
    given_up: str | None = None


class Patience:
    """What one call has cost, and whether it is tried again.

    requests: sent so far. waited_seconds: spent on the rate limit, ours or the server's; backing off not counted.
    The total time runs from the first request: waiting one's turn before that is nobody's fault.
    """

    def __init__(
        self, limits: RetryLimits, *, clock: Callable[[], float], reachability: Reachability | None = None
    ) -> None:
        self.requests = 0
        self.waited_seconds = 0.0
        self._limits = limits
        self._clock = clock
        self._reachability = reachability or Reachability(is_reached=True)
        self._began_at = 0.0
        self._failures = 0
        self._same_failures = 0
        self._failed_as = ""
        self._answers_before = 0
        self._demanded = timedelta()

    def attempts(self) -> AsyncIterator[stamina.Attempt]:
        # Both caps are kept by `decide`: stamina's own would take a dictated wait for a failed attempt.
        return stamina.retry_context(on=self.decide, attempts=None, timeout=None)

    def record_request(self, waited_seconds: float) -> None:
        """A request goes out now, after so long a wait for its permit."""
        if not self.requests:
            self._began_at = self._clock()
        self.requests += 1
        self.waited_seconds += waited_seconds

    def demand(self, wait: timedelta) -> bool:
        """The server dictates the next wait. True when that leaves the next attempt within the total time."""
        self._demanded = wait
        return self._allows(wait)

    def decide(self, error: BaseException) -> bool | timedelta:
        """How long to wait before the next attempt, False when there is to be none."""
        wait, self._demanded = self._demanded, timedelta()
        if isinstance(error, TransientError):
            self._count(error)
            wait = max(wait, self._backoff())
        elif not isinstance(error, RateLimitedError):
            return False
        if self._failures >= self._attempts_for(error) or self._is_own_fault() or not self._allows(wait):
            if isinstance(error, SourceUnreachable):
                self._reachability.given_up = str(error)
            return False
        if isinstance(error, RateLimitedError):
            self.waited_seconds += wait.total_seconds()
        return wait

    def _count(self, error: TransientError) -> None:
        self._failures += 1
        if str(error) != self._failed_as:
            self._failed_as, self._same_failures, self._answers_before = str(error), 0, self._reachability.answers
        self._same_failures += 1

    def _is_own_fault(self) -> bool:
        """Whether it is not Planning Center that fails, but this one call of it."""
        return self._same_failures >= self._limits.own_attempts and self._reachability.answers > self._answers_before

    def _attempts_for(self, error: BaseException) -> int:
        if not isinstance(error, SourceUnreachable):
            return self._limits.attempts
        if self._reachability.given_up:
            return 0
        is_new = not self._reachability.is_reached
        return min(self._limits.attempts, self._limits.unreached_attempts) if is_new else self._limits.attempts

    def _allows(self, wait: timedelta) -> bool:
        elapsed = self._clock() - self._began_at
        return elapsed + wait.total_seconds() <= self._limits.total.total_seconds()

    def _backoff(self) -> timedelta:
        doubled = self._limits.first_wait * 2.0 ** min(self._failures - 1, 16)
        return min(self._limits.longest_wait, doubled) * random.uniform(0.5, 1.0)  # noqa: S311 - spreads the load, protects nothing
