"""The findings of `doctor`, and the writes of a repair, as people and programs read them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from openfaith_pipeline.cli import terminal
from openfaith_pipeline.doctor.kinds import Severity
from openfaith_pipeline.doctor.repair import Order, OrgRepair
from openfaith_pipeline.doctor.report import Finding, Report

_EXAMPLES_SHOWN: Final = 5
_WORST_FIRST: Final = tuple(Severity)


def print_report(report: Report) -> None:
    """Each finding with its remedy, the worst first, and a line of totals."""
    for finding in sorted(report.findings, key=lambda each: _WORST_FIRST.index(each.kind.severity)):
        for line in _lines(finding, report.orgs):
            terminal.report(line)
    for reason, parts in _by_reason(report).items():
        terminal.report(f"not looked at: {', '.join(parts)}: {reason}")
    terminal.report(_totals(report))


def _by_reason(report: Report) -> Mapping[str, Sequence[str]]:
    parts: dict[str, list[str]] = {}
    for each in report.unexamined:
        church = f" of {report.orgs.get(each.org_id, each.org_id)}" if each.org_id else ""
        parts.setdefault(each.reason, []).append(f"{each.area.value}{church}")
    return parts


def _lines(finding: Finding, orgs: Mapping[str, str]) -> Iterator[str]:
    kind, org_id = finding.kind, finding.org_id
    church = f" {orgs.get(org_id, org_id)} ({org_id})" if org_id else ""
    number = f" {finding.count:,}" if finding.examples else ""
    detail = f": {finding.detail}" if finding.detail else ""
    yield f"{kind.severity.value}: {kind.name}{number}{church}: {kind.says}{detail}"
    if shown := finding.examples[:_EXAMPLES_SHOWN]:
        more = f" and {finding.count - len(shown):,} more" if finding.count > len(shown) else ""
        yield f"    {', '.join(shown)}{more}"
    yield f"    mend: {finding.mend}"


def _totals(report: Report) -> str:
    numbers = ", ".join(terminal.number_of(report.count(each), each.value) for each in Severity if report.count(each))
    missed = f"; {terminal.number_of(len(report.unexamined), 'part')} not looked at" if report.unexamined else ""
    churches = "1 church" if len(report.orgs) == 1 else f"{len(report.orgs):,} churches"
    return f"{churches}: {numbers or 'nothing found'}{missed}"


def print_repair(title: str, orgs: Sequence[OrgRepair], names: Mapping[str, str], *, to_stderr: bool = False) -> None:
    """Rows by church, table and kind of change, and the reasons for those left alone."""
    rows = [
        [names.get(org.org_id, org.org_id), table, action, terminal.count(number)]
        for org in orgs
        for table, actions in org.tables.items()
        for action, number in actions.items()
    ]
    table = terminal.table(("church", "table", "change", "rows"), rows, title=title, numbers=("rows",))
    (terminal.messages() if to_stderr else terminal.output()).print(table)
    for org in orgs:
        for reason in org.left:
            terminal.say(f"{names.get(org.org_id, org.org_id)}: left as it is: {reason}")


def repair_described(order: Order, orgs: Sequence[OrgRepair], *, is_dry_run: bool) -> dict[str, Any]:
    """The form used in JSON."""
    return {
        "sync_id": None if is_dry_run or not orgs else order.sync_id,
        "is_dry_run": is_dry_run,
        "orgs": {org.org_id: {key: value for key, value in asdict(org).items() if key != "org_id"} for org in orgs},
    }
