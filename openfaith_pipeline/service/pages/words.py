"""Values as people read them: moments with their zone and age, numbers with their groups."""

from datetime import UTC, datetime

from openfaith_pipeline.text.printable import printable

_SWEEP_SECONDS = 60
"""A sweep begins every minute: until then a waiting turn is nothing new."""
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def moment(value: datetime | None) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC") if value else "never"


def iso(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="seconds")


def age(value: datetime | None) -> str:
    """`3 min ago`, `in 2 h`; empty for none."""
    if value is None:
        return ""
    seconds = (datetime.now(UTC) - value).total_seconds()
    if abs(seconds) < 1:
        return "now"
    return f"{duration(seconds)} ago" if seconds > 0 else f"in {duration(-seconds)}"


def due(since: datetime) -> str:
    """`due now`, `due for 7 min`."""
    seconds = (datetime.now(UTC) - since).total_seconds()
    return "due now" if seconds < _SWEEP_SECONDS else f"due for {duration(seconds)}"


def duration(seconds: float | None) -> str:
    """The largest unit with at least two, or else the seconds: `90 min`, `45 s`."""
    if seconds is None:
        return ""
    for size, unit in _UNITS:
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s"


def count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def rate(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def share(value: float | None) -> str:
    """Rounded down: only finished work shows 100 %."""
    return "" if value is None else f"{int(value * 100)} %"


def plain(value: str | None) -> str:
    """A name of ours as words: `needs_reconnect` as `needs reconnect`."""
    return (value or "").replace("_", " ")


def one_line(value: str | None) -> str:
    """Untrusted text on one line, without characters that reverse the order of letters."""
    return printable(value or "")
