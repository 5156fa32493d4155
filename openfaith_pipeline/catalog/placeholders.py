"""Placeholders of parents in paths: `{household_id}` is one of a household."""

import re

_PLACEHOLDER = re.compile(r"\{(\w+)_id\}")


def placeholders_of(path: str) -> tuple[str, ...]:
    """Names of the parents in a path, outermost first."""
    return tuple(_PLACEHOLDER.findall(path))
