"""API paths with ids in them. An id is any text: some of Planning Center's are not numbers (`unique`)."""

from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import quote, unquote

from openfaith_pipeline.catalog.placeholders import placeholders_of

_CLIMBING: Final = {".": "%2E", "..": "%2E%2E"}


def fill_path(template: str, ids: Mapping[str, str]) -> str:
    """The path with each placeholder `{household_id}` replaced by the id in `ids["household"]`."""
    return template.format_map({f"{name}_id": as_segment(identifier) for name, identifier in ids.items()})


def fill_paths(templates: Iterable[str], ids: Mapping[str, str]) -> list[str]:
    """The paths for which all ids are known, filled in."""
    return [fill_path(each, ids) for each in templates if ids.keys() >= set(placeholders_of(each))]


def record_path(listing: str, identifier: str) -> str:
    """The path of one record of a listing."""
    return f"{listing}/{as_segment(identifier)}"


def as_segment(identifier: str) -> str:
    """Percent-encode an id for a path: `lyric_chart-12 (G#)` -> `lyric_chart-12%20%28G%23%29`."""
    return _CLIMBING.get(identifier) or quote(identifier, safe=":")


def id_in(segment: str) -> str:
    """Decode the id in a path segment."""
    return unquote(segment)
