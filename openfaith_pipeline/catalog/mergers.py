"""Records that the source has merged into others, and the surviving record of each."""

from collections.abc import Iterable


def survivors_of(mergers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Removed id -> id of the surviving record, with chains of mergers resolved.

    mergers: (kept, removed), oldest first. Ignored as bad data: a merger that removes a record already removed, and one
    that would make a record its own survivor (a merge with itself, or a cycle).
    """
    kept_by: dict[str, str] = {}
    for kept, removed in mergers:
        if removed not in kept_by and _end_of(kept_by, kept) != removed:
            kept_by[removed] = kept
    return {removed: _end_of(kept_by, removed) for removed in kept_by}


def _end_of(kept_by: dict[str, str], record_id: str) -> str:
    while record_id in kept_by:
        record_id = kept_by[record_id]
    return record_id
