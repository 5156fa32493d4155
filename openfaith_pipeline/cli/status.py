"""`status`: what is known of each church's syncs."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.orgs import describe_org
from openfaith_pipeline.database import open_database
from openfaith_pipeline.orgs.status import OrgStatus, StreamStatus, read_status
from openfaith_pipeline.settings import load_settings

OrgId = Annotated[
    str | None, typer.Argument(metavar="ORG_ID", help="One org in detail; all, in a line each, if not given.")
]


def show_status(org_id: OrgId = None, as_json: terminal.JsonOption = False) -> None:
    """Show each church's connection and how its last syncs went; of one church, each stream.

    \b
    Examples:
      openfaith-pipeline status
      openfaith-pipeline status org_01k5t0w2m1e9qv4y8z3n7b6c5d --json

    \b
    Exit codes: 0 shown; 1 the database does not answer; 2 no such org.
    """
    with open_database(load_settings()) as database:
        statuses = read_status(database, org_id)
    if as_json:
        described = [_describe(status) for status in statuses]
        terminal.print_json(described[0] if org_id else described)
    elif org_id:
        _print_detail(statuses[0])
    else:
        _print_overview(statuses)


def _describe(status: OrgStatus) -> dict[str, Any]:
    streams = {stream.stream: asdict(stream) for stream in status.streams}
    for stream in streams.values():
        del stream["org_id"], stream["stream"]
    return {**describe_org(status.org, status.health), "running": status.running, "streams": streams}


def _print_overview(statuses: list[OrgStatus]) -> None:
    numbers = ("streams", "rows", "quarantined")
    rows = [
        [
            status.org.org_id,
            status.org.name,
            _state(status),
            terminal.moment(max((s.last_succeeded_at for s in status.streams if s.last_succeeded_at), default=None)),
            terminal.count(len(status.streams)),
            terminal.count(sum(stream.row_count or 0 for stream in status.streams)),
            terminal.count(sum(stream.quarantined for stream in status.streams)),
            _remark(status),
        ]
        for status in statuses
    ]
    columns = ("org", "name", "state", "last success", *numbers, "")
    terminal.output().print(terminal.table(columns, rows, numbers=numbers))
    if not statuses:
        terminal.say("no church is connected; see: openfaith-pipeline org add --help")


def _print_detail(status: OrgStatus) -> None:
    numbers = ("rows", "quarantined")
    rows = [
        [
            stream.stream,
            stream.status or "never",
            terminal.moment(stream.finished_at),
            terminal.moment(stream.last_succeeded_at),
            terminal.moment(stream.last_full_at),
            terminal.count(stream.row_count),
            terminal.count(stream.quarantined),
            _reason(stream),
        ]
        for stream in status.streams
    ]
    columns = ("stream", "last sync", "ended", "last success", "last full", *numbers, "")
    title = f"{status.org.name} ({status.org.org_id}): {_state(status)}"
    terminal.output().print(terminal.table(columns, rows, title=title, numbers=numbers))
    if rows:
        parentless = sum(stream.parentless for stream in status.streams)
        terminal.output().print(f"rows of child streams without their parent: {parentless} (0 expected)")
    if not rows:
        terminal.say(f"nothing was synced yet; next: openfaith-pipeline sync {status.org.org_id}")


def _state(status: OrgStatus) -> str:
    if status.org.paused_at:
        return f"paused since {terminal.moment(status.org.paused_at)}"
    return str(status.health)


def _remark(status: OrgStatus) -> str:
    withheld = sum(stream.availability != "available" for stream in status.streams)
    drifted = sum(bool(stream.drift) for stream in status.streams)
    told = {
        "running": len(status.running),
        "failing": len(status.failing),
        "unavailable": withheld,
        "drifted": drifted,
        "alerts": status.health.open_alerts,
        "with rows without their parent": sum(bool(stream.parentless) for stream in status.streams),
        "holding deletions": sum(bool(stream.held) for stream in status.streams),
    }
    return ", ".join(f"{number} {what}" for what, number in told.items() if number)


def _reason(stream: StreamStatus) -> str:
    if stream.availability != "available":
        return f"{stream.availability}: {stream.availability_reason}"
    drift = f"differs from the catalog: {', '.join(stream.drift)}" if stream.drift else ""
    held = f"{terminal.number_of(stream.held, 'row')} held from deletion" if stream.held else ""
    parentless = f"{terminal.number_of(stream.parentless, 'row')} without their parent" if stream.parentless else ""
    return "; ".join(filter(None, (stream.error, held, parentless, drift)))
