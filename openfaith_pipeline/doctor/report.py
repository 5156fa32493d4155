"""Findings, and the report of everything that was looked at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from openfaith_pipeline.doctor.kinds import KINDS, Area, Kind, Severity

EXAMPLES: Final = 20
"""Ids that are named of each finding; all are counted."""


@dataclass(frozen=True)
class Finding:
    """count: of all, including the examples. detail: more about this one, without personal data."""

    kind: Kind
    org_id: str | None = None
    count: int = 1
    examples: tuple[str, ...] = ()
    detail: str = ""

    @property
    def mend(self) -> str:
        return self.kind.mend.format(org=self.org_id or "ORG")

    def described(self) -> dict[str, Any]:
        """The form used in JSON."""
        return {
            "kind": self.kind.name,
            "area": self.kind.area.value,
            "severity": self.kind.severity.value,
            "org_id": self.org_id,
            "count": self.count,
            "message": self.kind.says,
            "detail": self.detail,
            "examples": list(self.examples),
            "mend": self.mend,
            "is_repairable": self.kind.is_repairable,
        }


def found(kind: str, org_id: str | None = None, *, detail: str = "") -> Finding:
    """One finding of this kind."""
    return Finding(KINDS[kind], org_id, detail=detail)


def found_all(
    kind: str, org_id: str | None, names: Sequence[str], *, count: int = 0, detail: str = ""
) -> list[Finding]:
    """One finding about all of these, or no finding if there are none. count: of all, if only some are named."""
    if not names:
        return []
    return [Finding(KINDS[kind], org_id, count or len(names), tuple(names[:EXAMPLES]), detail)]


@dataclass(frozen=True)
class Unexamined:
    """A part that could not be looked at."""

    area: Area
    org_id: str | None
    reason: str


@dataclass
class Report:
    """orgs: names by id, of those that were looked at."""

    orgs: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    unexamined: list[Unexamined] = field(default_factory=list)

    def count(self, severity: Severity) -> int:
        return sum(each.kind.severity is severity for each in self.findings)

    def replace(self, area: Area, by_org: Mapping[str, Sequence[Finding]]) -> None:
        """Replace the findings in this area about these orgs."""
        kept = [each for each in self.findings if each.kind.area is not area or each.org_id not in by_org]
        self.findings = [*kept, *(finding for findings in by_org.values() for finding in findings)]

    @property
    def status(self) -> str:
        """`findings` if something has to be done, `incomplete` if that is unknown, else `well`."""
        if any(each.kind.severity is not Severity.NOTE for each in self.findings):
            return "findings"
        return "incomplete" if self.unexamined else "well"

    def described(self) -> dict[str, Any]:
        """The form used in JSON."""
        return {
            "status": self.status,
            "orgs": self.orgs,
            "findings": [each.described() for each in self.findings],
            "unexamined": [
                {"area": each.area.value, "org_id": each.org_id, "reason": each.reason} for each in self.unexamined
            ],
        }
