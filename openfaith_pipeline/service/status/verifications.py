"""The newest verifications of a church, and their differences from the source."""

from collections.abc import Mapping
from typing import Any, Final

from psycopg import Connection

from openfaith_pipeline.audit.records import newest_verifications
from openfaith_pipeline.service.status.models import VerificationLine, VerifiedLine

_SHOWN: Final = 7
_FINE: Final = frozenset({"equal", "withheld"})


def read_verifications(connection: Connection[Any], org_id: str) -> list[VerificationLine]:
    """The church's newest verifications, the newest first."""
    return [_line(report) for report in newest_verifications(connection, org_id, _SHOWN)]


def _line(report: Mapping[str, Any]) -> VerificationLine:
    parts: dict[str, Mapping[str, Any]] = {**report["streams"], **report["canonical"]}
    return VerificationLine(
        verification_id=report["verification_id"],
        status=report["status"],
        trigger=report["trigger"],
        is_full=report["is_full"],
        finished_at=report["finished_at"],
        requests=report["requests"],
        compared=sum(part["compared"] for part in report["streams"].values()),
        parts=len(parts),
        not_compared=sum(map(len, report.get("not_compared", {}).values())),
        differing=[_differing(name, part) for name, part in parts.items() if part["status"] not in _FINE],
    )


def _differing(name: str, part: Mapping[str, Any]) -> VerifiedLine:
    examples = [each for each in part["examples"] if each["kind"] != "behind"]
    kinds = dict.fromkeys(each["kind"] for each in examples)
    told = "; ".join(f"{kind.replace('_', ' ')}: {_ids(examples, kind)}" for kind in kinds)
    return VerifiedLine(
        name=name,
        status=part["status"],
        missing=part["missing"],
        extra=part["extra"],
        different=part["different"],
        reason=told or part.get("reason", ""),
        mend=examples[0]["mend"] if examples else None,
    )


def _ids(examples: list[Mapping[str, Any]], kind: str) -> str:
    found = [each["id"] for each in examples if each["kind"] == kind]
    return ", ".join(found[:3]) + (", ..." if len(found) > 3 else "")
