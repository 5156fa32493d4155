"""Records that the source has merged into others: which one is left in the place of each."""

from collections.abc import Iterable


def survivors_of(mergers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Removed id -> the id of the record that stands for it now, chains followed to their end.

    mergers: (kept, removed), oldest first. One that removes a record already gone, or would make a record its own
    survivor (a merge with itself, or a circle), is bad data and does not count.
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
