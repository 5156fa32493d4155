"""Kinds of differences between the source, the raw tables and the canonical ones, and the verb that mends each."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """Name of a difference, as reports have it."""

    MISSING = "missing"
    MARKED_DELETED = "marked_deleted"
    EXTRA = "extra"
    OTHER_ORG = "other_org"
    CHANGED = "changed"
    PARENT_LOST = "parent_lost"
    JOURNAL_CUT = "journal_cut"
    LINK_LOST = "link_lost"
    EDGE_LOST = "edge_lost"
    WITHOUT_LINK = "without_link"
    TO_NOTHING = "to_nothing"
    JOINED = "joined"
    NOT_AT_SOURCE = "not_at_source"
    UNPROVEN = "unproven"
    WITHOUT_ENTITY = "without_entity"
    LOGIN_OF_OTHER_ORG = "login_of_other_org"


COUNTED_AS: Final[Mapping[Kind, str]] = {
    Kind.MISSING: "missing",
    Kind.MARKED_DELETED: "missing",
    Kind.LINK_LOST: "missing",
    Kind.EDGE_LOST: "missing",
    Kind.EXTRA: "extra",
    Kind.OTHER_ORG: "extra",
    Kind.WITHOUT_LINK: "extra",
    Kind.TO_NOTHING: "extra",
    Kind.JOINED: "extra",
    Kind.NOT_AT_SOURCE: "extra",
    Kind.UNPROVEN: "extra",
    Kind.WITHOUT_ENTITY: "missing",
    Kind.LOGIN_OF_OTHER_ORG: "extra",
    Kind.CHANGED: "different",
    Kind.PARENT_LOST: "different",
    Kind.JOURNAL_CUT: "different",
}

_NO_VERB: Final = "no command restores journal entries: restore sync.journal from a backup"
_REBUILT: Final = frozenset((Kind.LINK_LOST, Kind.WITHOUT_LINK, Kind.TO_NOTHING))
"""What only a rebuild mends: it finds lost links, and ends what no record leads to."""

_REPAIRED: Final = frozenset(
    {
        Kind.OTHER_ORG,
        Kind.JOINED,
        Kind.NOT_AT_SOURCE,
        Kind.WITHOUT_ENTITY,
        Kind.LOGIN_OF_OTHER_ORG,
    }
)
"""Kinds of differences in OpenFaith's tables that `doctor --repair` mends and a rebuild does not."""

_WHY: Final[Mapping[Kind, str]] = {
    Kind.MISSING: "the source has the record, the table has no row",
    Kind.MARKED_DELETED: "the source has the record, its row is marked deleted",
    Kind.EXTRA: "the row is live, the source does not have the record",
    Kind.OTHER_ORG: "the row is another org's: this org's source does not have the record",
    Kind.CHANGED: "the row has other values than the record",
    Kind.PARENT_LOST: "the row has lost the parent under which the source lists it",
    Kind.JOURNAL_CUT: "the journal does not account for the row as it is",
    Kind.LINK_LOST: "the record has no external link",
    Kind.EDGE_LOST: "a relationship of the records has no edge",
    Kind.WITHOUT_LINK: "no external link leads to the entity",
    Kind.TO_NOTHING: "one end of the edge is not an entity of this org",
    Kind.JOINED: "the entity is that of a record of another type, which has the same id",
    Kind.NOT_AT_SOURCE: "the entity is live, the source does not have its record",
    Kind.UNPROVEN: "no sync has seen the entity's record, and none has read everything since it was made",
    Kind.WITHOUT_ENTITY: "the record's link leads to no entity",
    Kind.LOGIN_OF_OTHER_ORG: "the login, or the person it is joined to, is another org's",
}
_CANONICAL_WHY: Final[Mapping[Kind, str]] = {
    Kind.MISSING: "the record has no entity",
    Kind.CHANGED: "the entity has other values than its record makes",
    Kind.OTHER_ORG: "the link leads to another org's entity",
}
_BEHIND: Final = "newer at the source: `sync` fetches it"
_UNTRANSFORMED: Final = "its records changed since the last transform: `sync` applies them"


@dataclass(frozen=True)
class Finding:
    """One difference. place: a stream, or a canonical table.

    fields: the names of the columns that differ; values are personal data and stay out of reports.
    is_behind: the last sync could not have read it yet, so it is not a difference.
    is_missed: the row is as a sync wrote it, so it is the source that changed.
    """

    place: str
    record_id: str
    kind: Kind
    fields: tuple[str, ...] = ()
    is_behind: bool = False
    is_missed: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.place, self.record_id

    @property
    def is_canonical(self) -> bool:
        return "." not in self.place

    @property
    def why(self) -> str:
        if self.is_behind:
            return _UNTRANSFORMED if self.is_canonical else _BEHIND
        if self.is_missed and self.kind is Kind.CHANGED:
            return "the source changed without a time of change that a sync follows, or since the last one"
        return _CANONICAL_WHY.get(self.kind, _WHY[self.kind]) if self.is_canonical else _WHY[self.kind]

    def mend(self, org_id: str) -> str:
        """The command that mends the difference, or advice if there is none."""
        if self.kind is Kind.JOURNAL_CUT:
            return _NO_VERB
        if self.kind in _REBUILT and not self.is_behind:
            return f"openfaith-pipeline rebuild {org_id}"
        if self.is_canonical and self.kind in _REPAIRED and not self.is_behind:
            return f"openfaith-pipeline doctor --org {org_id} --repair"
        command = f"openfaith-pipeline sync {org_id}"
        if self.kind is Kind.UNPROVEN:
            return f"{command} --mode reconcile"
        if self.is_canonical or self.is_behind:
            return command
        is_overwritten = self.kind in {Kind.CHANGED, Kind.PARENT_LOST} and not self.is_missed
        return f"{command} --stream {self.place} --mode {'full_refresh' if is_overwritten else 'reconcile'}"

    def as_kind(self, kind: Kind) -> "Finding":
        return replace(self, kind=kind)
