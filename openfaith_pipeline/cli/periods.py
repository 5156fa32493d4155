"""Periods as they are typed and shown: `15m`, `36h`, `7d`."""

import re
from datetime import timedelta
from typing import Final

from openfaith_pipeline.errors import UsageError

_UNITS: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def parse_period(text: str, option: str) -> timedelta:
    """A number of minutes, hours or days. Raises UsageError, which names the option, for anything else."""
    found = re.fullmatch(r"(\d{1,4})([mhd])", text.strip())
    if not found:
        raise UsageError(f"{option} takes a number and m, h or d, such as 15m, 36h or 7d; not {text[:40]!r}")
    return int(found[1]) * _UNITS[found[2]]


def written_period(value: timedelta) -> str:
    """The period as a user would type it, in its largest whole unit."""
    unit = next(unit for unit in ("d", "h", "m") if not value % _UNITS[unit])
    return f"{value // _UNITS[unit]}{unit}"
