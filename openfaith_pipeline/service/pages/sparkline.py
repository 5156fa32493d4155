"""Numbers of successive days as a small line."""

from collections.abc import Sequence

WIDTH, HEIGHT = 120, 24
_EDGE = 2


def points(values: Sequence[int]) -> str:
    """The points of an SVG polyline in a box of WIDTH by HEIGHT; the scale is from the least to the most."""
    if len(values) < 2:
        return ""
    least, most = min(values), max(values)
    step = (WIDTH - 2 * _EDGE) / (len(values) - 1)
    room = HEIGHT - 2 * _EDGE
    heights = [(value - least) / (most - least) if most > least else 0.5 for value in values]
    return " ".join(f"{_EDGE + index * step:.1f},{_EDGE + room * (1 - each):.1f}" for index, each in enumerate(heights))


def spoken(values: Sequence[int]) -> str:
    """The line in words, for screen readers."""
    if not values:
        return "no rows yet"
    return f"{values[0]:,} rows {len(values)} days ago, {values[-1]:,} now"
