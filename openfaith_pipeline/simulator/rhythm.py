"""The times of a living church: it grows, has seasons, meets weekly, and most happens on Sundays.

Everything follows from the day up to which records are made, so that the same day gives the same bytes.
"""

import math
from typing import Final

HOUR: Final = 3600
WEEK: Final = 7 * 24 * HOUR
YEAR: Final = 365 * 24 * HOUR

_SERVICE: Final = 3 * 24 * HOUR + 15 * HOUR
"""Seconds from 1970, a Thursday, to its first Sunday at 15:00 UTC: ten in the morning in Chicago's summer."""

_YEARS: Final = 4
_GROWTH: Final = 0.6
"""Below 1, later years have more than earlier ones."""

_SWING: Final = 0.4
"""How much more happens in midwinter than on average, and less in midsummer."""

_SUNDAY_SHARE: Final = 0.6
_SUNDAY_HOURS: Final = 5
_EVENING: Final = 9 * HOUR + 30 * 60


def moment(share: float, end: int) -> int:
    """The time of a record before which that share of all was made; ascending with the share, and before `end`."""
    span = _YEARS * YEAR
    return min(_weekly(_seasonal(end - span + span * share**_GROWTH)), end - 1)


def between(since: int, share: float, end: int) -> int:
    """The time at that share of the time since then; ascending with the share, and before `end`."""
    return min(_weekly(_seasonal(since + (end - since) * share)), end - 1)


def meeting(number: int, end: int, *, every: int = 1) -> int:
    """Start of a meeting held every few weeks: `number` meetings before the last one."""
    return service_of(end - 1) - number * every * WEEK


def stayed_until(number: int, end: int) -> int:
    """The time at which a person stopped coming: one in four some months ago, as `number` decides."""
    return end if number % 4 else end - (9 + (number >> 2) % 6) * WEEK


def gave_until(number: int, end: int) -> int:
    """The time at which a person stopped giving: one in three a year ago, as `number` decides."""
    return end if number % 3 else end - YEAR


def service_of(time: int) -> int:
    """The beginning of the Sunday service at that time or before it."""
    return time - (time - _SERVICE) % WEEK


def evening_of(time: int, number: int) -> int:
    """The beginning of an evening of that week: Monday to Thursday, by number."""
    return service_of(time) + (1 + number % 4) * 24 * HOUR + _EVENING - WEEK


def season(time: int) -> float:
    """How much happens at that time of the year, 1 on average."""
    return 1 + _SWING * math.cos(2 * math.pi * (time % YEAR) / YEAR)


def _seasonal(time: float) -> float:
    """Move a time within its year, so that more of them are in winter."""
    year, rest = divmod(time, YEAR)
    wanted, low, high = rest / YEAR, 0.0, 1.0
    for _ in range(24):
        middle = (low + high) / 2
        reached = middle + _SWING / (2 * math.pi) * math.sin(2 * math.pi * middle)
        low, high = (middle, high) if reached < wanted else (low, middle)
    return (year + low) * YEAR


def _weekly(time: float) -> int:
    """Move a time within its week, so that most of them are on Sunday around the service."""
    start = service_of(int(time))
    share = (time - start) / WEEK
    if share < _SUNDAY_SHARE:
        return start + int(share / _SUNDAY_SHARE * _SUNDAY_HOURS * HOUR)
    rest = (share - _SUNDAY_SHARE) / (1 - _SUNDAY_SHARE)
    return start + _SUNDAY_HOURS * HOUR + int(rest * (WEEK - _SUNDAY_HOURS * HOUR))
