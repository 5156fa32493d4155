"""How a sync ended: as JSON, in a few lines, and stream by stream."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.listing import Listing
from openfaith_pipeline.cli.progress import waited_of
from openfaith_pipeline.orgs.registry import Org
from openfaith_pipeline.sources import CANONICAL, STREAMS
from openfaith_pipeline.sync.results import StreamResult

if TYPE_CHECKING:
    from openfaith_pipeline.defs.reports import OrgReport

NO_REASON: Final = "its process ended without an error message"
_TABLES_SHOWN: Final = 6
_STREAMS_NAMED: Final = 3
"""Where so few streams have changes, they are named: new rows may be our own webhook subscriptions."""
_PLACES: Final = {name: place for place, name in enumerate(CANONICAL.tables)}
"""Of the OpenFaith tables in summaries: people and their contacts first, whichever was written first."""
_FIRST_TO_GO: Final = ("waited", "unchanged", "requests", "took", "changed", "deleted", "new")


def describe_sync(sync_id: str, reports: Mapping[str, "OrgReport"]) -> dict[str, Any]:
    """The sync in its JSON form. Each org has its own run; `run_id` is set if there is one org."""
    run_ids = [report.run_id for report in reports.values()]
    return {
        "sync_id": sync_id,
        "run_id": run_ids[0] if len(run_ids) == 1 else None,
        "orgs": {
            org_id: {
                "status": report.status,
                "run_id": report.run_id,
                "error": report.error,
                "streams": {name: _without(asdict(result), "stream") for name, result in report.streams.items()},
                "tables": {name: _without(asdict(result), "table") for name, result in report.tables.items()},
            }
            for org_id, report in reports.items()
        },
    }


def print_end(
    sync_id: str, orgs: Sequence[Org], reports: Mapping[str, "OrgReport"], *, every_stream: bool = False
) -> None:
    """The result, in a line or two for each church; on request, with each of its streams."""
    for org in orgs:
        if org.org_id in reports:
            if every_stream:
                terminal.output().print(tabulate_report(org, reports[org.org_id]), "")
            for line in summarize(org, reports[org.org_id]):
                terminal.report(line)
    terminal.say(f"each stream: openfaith-pipeline syncs show {sync_id}")
    if any(_is_changed(report) for report in reports.values()):
        terminal.say(f"to undo it: openfaith-pipeline rollback {sync_id}")


def summarize(org: Org, report: "OrgReport") -> list[str]:
    """`Grace (org_...): succeeded: 250 rows of 12 streams read, 3 new in people.tabs; 9 requests`, and the tables."""
    results = report.streams.values()
    ended = [result for result in results if not result.is_unsynced]
    sums = {name: _sum(results, name) for name in ("inserted", "updated", "deleted", "quarantined")}
    words = {"inserted": "new", "updated": "changed", "deleted": "deleted", "quarantined": "quarantined"}
    changes = ", ".join(f"{terminal.count(sums[name])} {word}" for name, word in words.items() if sums[name])
    changed = [each.stream for each in results if any(getattr(each, name) for name in sums)]
    place = f" in {', '.join(changed)}" if 0 < len(changed) <= _STREAMS_NAMED else ""
    read = f"{terminal.number_of(_sum(results, 'fetched'), 'row')} of {terminal.number_of(len(ended), 'stream')} read"
    requests = terminal.number_of(_sum(results, "requests"), "request")
    lines = [f"{org.name} ({org.org_id}): {report.status}: {read}, {changes or 'nothing new'}{place}; {requests}"]
    written = sorted(report.tables.items(), key=lambda item: _PLACES.get(item[0], len(_PLACES)))
    tables = [f"{result.row_count:,} {name.replace('_', ' ')}" for name, result in written]
    if len(tables) > _TABLES_SHOWN:
        tables[_TABLES_SHOWN:] = [f"and the rows of {len(tables) - _TABLES_SHOWN} more tables"]
    return [*lines, f"  in OpenFaith's tables: {', '.join(tables)}"] if tables else lines


def tabulate_report(org: Org, report: "OrgReport") -> Listing:
    """One org's streams with records, one row each, and their costs."""
    numbers = ("rows", "new", "changed", "unchanged", "deleted", "requests", "waited", "took")
    told = [result for result in report.streams.values() if not is_empty(result)]
    rows = [
        [
            result.stream,
            terminal.count(result.row_count),
            terminal.count(result.inserted),
            terminal.count(result.updated),
            terminal.count(result.unchanged),
            terminal.count(result.deleted),
            terminal.count(result.requests),
            terminal.duration(waited_of(result)),
            terminal.duration(result.seconds),
            _remark(result),
        ]
        for result in sorted(told, key=lambda result: result.stream)
    ]
    untold = len(report.streams) - len(told)
    rest = f", {terminal.number_of(untold, 'stream')} without records left out" if untold else ""
    title = f"{org.name} ({org.org_id}): {report.status}{rest}"
    return terminal.table(("stream", *numbers, ""), rows, title=title, numbers=numbers, first_to_go=_FIRST_TO_GO)


def is_empty(result: StreamResult) -> bool:
    """Whether the stream was synced and has no records at all."""
    return result.status == "succeeded" and not result.row_count and not result.deleted and not result.quarantined


def complain_of_failures(reports: Mapping[str, "OrgReport"]) -> int:
    """Report failed syncs on stderr; returns the exit code."""
    failures = 0
    for org_id, report in reports.items():
        unsynced = [result for result in report.streams.values() if result.is_unsynced]
        for result in unsynced:
            terminal.complain(f"{org_id}: {result.stream} {result.status}: {result.error or NO_REASON}")
        if report.status != "succeeded" and not unsynced:
            terminal.complain(f"{org_id}: {report.status}: {report.error or NO_REASON}")
        withheld = [result for result in report.streams.values() if result.is_withheld]
        for result in withheld:
            terminal.say(f"{org_id}: {result.stream} is {result.status}: {result.error}")
        refused = [result for result in withheld if result.status == "unavailable"]
        is_nothing = bool(refused) and len(refused) == len(report.streams)
        failures += bool(unsynced) or report.status != "succeeded" or is_nothing
    return 1 if failures else 0


def _is_changed(report: "OrgReport") -> bool:
    return any(result.inserted + result.updated + result.deleted for result in report.streams.values())


def _sum(results: Iterable[StreamResult], name: str) -> int:
    return sum(getattr(result, name) for result in results)


def _remark(result: StreamResult) -> str:
    remarks = [] if result.status == "succeeded" else [result.status]
    if result.held:
        remarks.append(f"{result.held} held from deletion")
    if result.merged:
        remarks.append(f"{result.merged} merged")
    if result.caught:
        remarks.append(f"{result.caught} without a new {STREAMS[result.stream].cursor}")
    if result.quarantined:
        remarks.append(f"{result.quarantined} quarantined")
    if result.withheld_by_erasure:
        remarks.append(f"{result.withheld_by_erasure} withheld, as erased")
    return ", ".join(remarks)


def _without(values: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != name}
