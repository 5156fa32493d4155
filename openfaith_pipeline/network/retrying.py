"""Retries of failed requests: exponential backoff with jitter, limited in attempts and in total time."""

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
    """Limits for the retries of one call.

    attempts: failures after which it is given up; a 429, which dictates a wait, is not a failure.
    total: no attempt is scheduled to begin later than this after the first was sent, whatever the reason.
    own_attempts: failures in the same way while other calls succeed.
    unreached_attempts: as `attempts`, where no connection can be made and none was ever made.
    second_looks: waits before refused credentials are tried again; after the last they are dead.
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
    """Make stamina log like everything else: its own hook prints to stdout with structlog, which Dagster installs."""
    stamina.instrumentation.set_on_retry_hooks([_log_retry])


def _log_retry(details: stamina.instrumentation.RetryDetails) -> None:
    _logger.warning("%s; trying again in %.1f s", details.caused_by, details.wait_for)


@dataclass
class Reachability:
    """A client's knowledge of the reachability of the API, for all its calls.

    is_reached: whether a connection was ever made. given_up: why calls are no longer tried, None while they are.
    answers: number of successful calls.
    """

    is_reached: bool = False
    answers: int = 0
    given_up: str | None = None


class Patience:
    """Effort of one call so far, and the decision about its retries.

    requests: sent so far. waited_seconds: spent on the rate limit, ours or the server's; backoff is not counted. The
    total time starts with the first request: waiting for a permit before that is not a fault.
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
        # Both limits are kept by `decide`: stamina's own would count a dictated wait as a failed attempt.
        return stamina.retry_context(on=self.decide, attempts=None, timeout=None)

    def record_request(self, waited_seconds: float) -> None:
        """Record a request that is sent now, after this wait for its permit."""
        if not self.requests:
            self._began_at = self._clock()
        self.requests += 1
        self.waited_seconds += waited_seconds

    def demand(self, wait: timedelta) -> bool:
        """Record a wait dictated by the server. True if the next attempt is still within the total time."""
        self._demanded = wait
        return self._allows(wait)

    def decide(self, error: BaseException) -> bool | timedelta:
        """The wait before the next attempt, False for none."""
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
        """Whether this call fails while Planning Center works for others."""
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
