"""Everything that waits for a person, in one list: held deletions, conflicts and the quarantine.

An item is named by its kind and number: `deletion-3`, `conflict-7`, `quarantine-12`.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from psycopg import Connection

from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.review.conflicts import Conflict, list_conflicts
from openfaith_pipeline.review.held_deletions import HeldDeletion, ids_of, list_held
from openfaith_pipeline.review.quarantine import Quarantined, list_quarantined


class Kind(StrEnum):
    """Kind of an item, and the beginning of its name."""

    DELETION = "deletion"
    CONFLICT = "conflict"
    QUARANTINE = "quarantine"


_NAME: Final = re.compile(rf"({'|'.join(Kind)})-([1-9][0-9]{{0,17}})")
_QUARANTINE_VALUES: Final = ("record", "parents")
_CONFLICT_VALUES: Final = ("base", "local", "source")


@dataclass(frozen=True)
class Item:
    """about: the rows concerned. reason: without values, which are personal data; details: everything known."""

    id: str
    kind: Kind
    org_id: str
    about: str
    reason: str
    since: datetime
    decision: str | None
    details: dict[str, Any]

    def described(self, *, with_values: bool) -> dict[str, Any]:
        """The item in JSON form; values only on request."""
        hidden = () if with_values else (*_QUARANTINE_VALUES, *_CONFLICT_VALUES)
        details = {name: value for name, value in self.details.items() if name not in hidden}
        return {**asdict(self), "details": details}


def list_items(
    connection: Connection[Any],
    org_id: str | None = None,
    *,
    kinds: Collection[Kind] = tuple(Kind),
    with_decided: bool = False,
) -> list[Item]:
    """Waiting items, the oldest first; decided items too `with_decided`."""
    found: list[Item] = []
    if Kind.DELETION in kinds:
        held = list_held(connection, org_id, with_decided=with_decided)
        found += [_of_deletion(each, ids_of(connection, each.id)) for each in held]
    if Kind.CONFLICT in kinds:
        found += map(_of_conflict, list_conflicts(connection, org_id, with_decided=with_decided))
    if Kind.QUARANTINE in kinds:
        found += map(_of_entry, list_quarantined(connection, org_id=org_id, with_resolved=with_decided))
    return sorted(found, key=lambda item: item.since)


def get_items(connection: Connection[Any], names: Collection[str]) -> list[Item]:
    """The items with these names, decided or not, each once; UsageError if a name has none."""
    kinds = {parse_name(name)[0] for name in names}
    known = {item.id: item for item in list_items(connection, kinds=kinds, with_decided=True)}
    missing = [name for name in names if name not in known]
    if missing:
        raise UsageError(f"there is no {', '.join(missing)}; see: openfaith-pipeline review list --all")
    return [known[name] for name in dict.fromkeys(names)]


def parse_name(name: str) -> tuple[Kind, int]:
    """The kind and number of an item's name; UsageError for another text."""
    found = _NAME.fullmatch(name)
    if found is None:
        raise UsageError(f"{name[:80]!r} is not a review item: name one like deletion-3, conflict-7 or quarantine-12")
    return Kind(found[1]), int(found[2])


def _of_deletion(held: HeldDeletion, ids: list[str]) -> Item:
    return Item(
        id=f"{Kind.DELETION}-{held.id}",
        kind=Kind.DELETION,
        org_id=held.org_id,
        about=f"{held.number:,} of {held.row_count:,} rows of {held.stream}",
        reason=held.reason,
        since=held.held_at,
        decision=held.decision,
        details={**asdict(held), "ids": ids},
    )


def _of_conflict(conflict: Conflict) -> Item:
    return Item(
        id=conflict.id,
        kind=Kind.CONFLICT,
        org_id=conflict.org_id,
        about=f"{conflict.label} of {conflict.entity} {conflict.entity_id}",
        reason=f"changed by {conflict.edited_by} and at the source",
        since=conflict.since,
        decision=conflict.decision,
        details=asdict(conflict),
    )


def _of_entry(entry: Quarantined) -> Item:
    return Item(
        id=f"{Kind.QUARANTINE}-{entry.id}",
        kind=Kind.QUARANTINE,
        org_id=entry.org_id,
        about=" ".join(_words_of(entry)),
        reason=entry.reason,
        since=entry.created_at,
        decision="resolved" if entry.resolved_at else None,
        details=asdict(entry),
    )


def _words_of(entry: Quarantined) -> Iterator[str]:
    if entry.field:
        yield f"{entry.field} of"
    yield f"{entry.stream} {entry.record_id or 'without an id'}"
