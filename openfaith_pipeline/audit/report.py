"""The report of a verification: a certificate by stream and by canonical table, without personal data."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from openfaith_pipeline.audit.findings import COUNTED_AS, Finding

EXAMPLES: Final = 20
"""Differences that are named for each stream and table; all are counted."""

CONFIDENCE: Final = 0.95
_SKIPPED: Final = "not in the sample: compared with the journal alone"


@dataclass
class Part:
    """A stream or a canonical table.

    source_count: records at the source, None if only a `--full` verification counts them.
    row_count: live rows. compared: records whose contents were compared with the source.
    whole: whether every record was compared. withheld: why the source does not show it. incomplete: why no statement
    can be made. is_asked: whether any of it was requested. is_skipped: whether it was left out only because a sample
    is limited.
    """

    row_count: int = 0
    source_count: int | None = None
    compared: int = 0
    whole: bool = False
    withheld: str | None = None
    incomplete: str | None = None
    is_asked: bool = False
    is_skipped: bool = False
    findings: list[Finding] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        found = dict.fromkeys(("missing", "extra", "different", "behind"), 0)
        for each in self.findings:
            found["behind" if each.is_behind else COUNTED_AS[each.kind]] += 1
        return found

    @property
    def reason(self) -> str | None:
        """Why it was not, or not wholly, compared with the source."""
        return self.incomplete or self.withheld or (_SKIPPED if self.is_skipped else None)

    @property
    def status(self) -> str:
        if any(not each.is_behind for each in self.findings):
            return "differs"
        if self.incomplete:
            return "incomplete"
        return "withheld" if self.withheld else "equal"


@dataclass
class Verification:
    """The result of one verification.

    sync_requests: estimate of the requests with which a sync would read the same streams whole.
    """

    verification_id: str
    org_id: str
    is_full: bool
    started_at: datetime
    finished_at: datetime | None = None
    requests: int = 0
    sync_requests: int = 0
    streams: dict[str, Part] = field(default_factory=dict)
    canonical: dict[str, Part] = field(default_factory=dict)

    @property
    def parts(self) -> list[Part]:
        return [*self.streams.values(), *self.canonical.values()]

    @property
    def status(self) -> str:
        statuses = {part.status for part in self.parts}
        known = next((each for each in ("differs", "incomplete") if each in statuses), "equal")
        return "incomplete" if known == "equal" and self.has_compared_nothing else known

    @property
    def has_compared_nothing(self) -> bool:
        """Whether no stream was requested, although the source has some."""
        is_any_asked = any(part.is_asked for part in self.streams.values())
        return not is_any_asked and bool(self.withheld or self.skipped)

    @property
    def withheld(self) -> list[str]:
        """Streams that the source does not show, and that were not compared with it."""
        return [name for name, part in self.streams.items() if part.withheld]

    @property
    def skipped(self) -> list[str]:
        """Streams that the sample did not reach."""
        return [name for name, part in self.streams.items() if part.is_skipped]

    @property
    def compared(self) -> int:
        return sum(part.compared for part in self.streams.values())

    def described(self) -> dict[str, Any]:
        """The report in its JSON form."""
        return {
            "verification_id": self.verification_id,
            "org_id": self.org_id,
            "status": self.status,
            "is_full": self.is_full,
            "started_at": self.started_at.isoformat(),
            "finished_at": self.finished_at.isoformat() if self.finished_at else None,
            "requests": self.requests,
            "sync_requests": self.sync_requests,
            "confidence": confidence(self.compared, is_whole=self.is_full),
            "not_compared": {"withheld": self.withheld, "not_sampled": self.skipped},
            "streams": {
                name: {**_source_part(part), **_described(part, self.org_id)} for name, part in self.streams.items()
            },
            "canonical": {
                name: {"row_count": part.row_count, **_described(part, self.org_id)}
                for name, part in self.canonical.items()
            },
        }


def confidence(compared: int, *, is_whole: bool) -> dict[str, float] | None:
    """The share of records that may differ although none of the compared ones does; None if all were compared.

    For a sample without a difference: with this confidence, not more than `at_most` of all records differ.
    """
    if is_whole:
        return None
    at_most = 1.0 if not compared else 1 - (1 - CONFIDENCE) ** (1 / compared)
    return {"level": CONFIDENCE, "at_most": round(at_most, 6)}


def _source_part(part: Part) -> Mapping[str, Any]:
    return {
        "source_count": part.source_count,
        "row_count": part.row_count,
        "compared": part.compared,
        "confidence": None if part.withheld else confidence(part.compared, is_whole=part.whole),
    }


def _described(part: Part, org_id: str) -> dict[str, Any]:
    return {
        "status": part.status,
        **part.counts(),
        **({"reason": part.reason} if part.reason else {}),
        "examples": [_example(each, org_id) for each in _first(part.findings)],
    }


def _first(findings: Sequence[Finding]) -> Iterable[Finding]:
    return sorted(findings, key=lambda each: each.is_behind)[:EXAMPLES]


def _example(finding: Finding, org_id: str) -> dict[str, Any]:
    return {
        "id": finding.record_id,
        "kind": "behind" if finding.is_behind else finding.kind.value,
        "fields": list(finding.fields),
        "why": finding.why,
        "mend": finding.mend(org_id),
    }
