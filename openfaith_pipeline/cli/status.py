"""`status`: the state of each church's syncs, the worst first."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from typing import Annotated, Any

import typer

from openfaith_pipeline.catalog.source import Product
from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.org_names import OnlyOrg, only_org_id
from openfaith_pipeline.cli.orgs import describe_org
from openfaith_pipeline.cli.selection import Products
from openfaith_pipeline.database import open_database
from openfaith_pipeline.orgs.status import OrgStatus, StreamStatus, read_status
from openfaith_pipeline.settings import load_settings
from openfaith_pipeline.sources import DEFAULT_SOURCE

Failing = Annotated[bool, typer.Option("--failing", help="Only churches, or of one church streams, that fail.")]
WithAll = Annotated[bool, typer.Option("--all", help="Of one church: every stream.")]

_STANDINGS = ("needs reconnect", "not connected", "failing", "degraded", "never synced", "connected", "paused")
"""Worst first."""
_MOST_ALIKE = 3
_WITHHELD = {"not_granted", "forbidden", "withheld"}
_BROKEN = {"failed": 0, "incomplete": 1, "abandoned": 2, "withheld": 3, "unavailable": 3, None: 4}


def show_status(
    org: OnlyOrg = None,
    failing: Failing = False,
    product: Products = None,
    everything: WithAll = False,
    as_json: terminal.JsonOption = False,
) -> None:
    """Show each church's connection and how its last syncs went, the worst first; of one church, each stream.

    \b
    Examples:
      openfaith-pipeline status
      openfaith-pipeline status --failing
      openfaith-pipeline status "Cedar Hollow Chapel" --product giving
      openfaith-pipeline status org_01k5t0w2m1e9qv4y8z3n7b6c5d --json

    \b
    Exit codes: 0 shown; 1 the database does not answer; 2 no such org.
    """
    with open_database(load_settings()) as database:
        with database.connect() as connection:
            org_id = only_org_id(connection, org)
        statuses = [
            _only(status, product or ()) for status in read_status(database, org_id, adapter=DEFAULT_SOURCE.adapter)
        ]
    if failing and not org_id:
        statuses = [status for status in statuses if _rank(status) < _rank_of("degraded")]
    statuses.sort(key=lambda status: (_rank(status), status.org.name.casefold(), status.org.org_id))
    if as_json:
        wanted = _is_broken if failing and org_id else None
        described = [_describe(replace(each, streams=tuple(filter(wanted, each.streams)))) for each in statuses]
        terminal.print_json(described[0] if org_id else described)
    elif org_id:
        _print_detail(statuses[0], everything=everything, only_failing=failing)
    else:
        _print_overview(statuses, only_failing=failing)


def _only(status: OrgStatus, products: Collection[Product]) -> OrgStatus:
    """The status with only the streams of these products, or with all streams if none is named."""
    names = {product.value for product in products}
    streams = tuple(each for each in status.streams if not names or each.stream.split(".")[0] in names)
    return replace(status, streams=streams)


def _is_broken(stream: StreamStatus) -> bool:
    return stream.status in {"failed", "incomplete"} or stream.availability in _WITHHELD


def _standing(status: OrgStatus) -> str:
    """The first of _STANDINGS that applies; a paused org is always shown as paused."""
    if status.health.state not in {"connected", "degraded"}:
        return status.health.state.replace("_", " ")
    if status.failing:
        return "failing"
    if status.health.state == "connected" and not any(stream.last_succeeded_at for stream in status.streams):
        return "never synced"
    return status.health.state


def _rank_of(standing: str) -> int:
    return _STANDINGS.index(standing)


def _rank(status: OrgStatus) -> int:
    return _rank_of(_standing(status))


def _describe(status: OrgStatus) -> dict[str, Any]:
    streams = {stream.stream: asdict(stream) for stream in status.streams}
    for stream in streams.values():
        del stream["org_id"], stream["stream"]
    return {
        **describe_org(status.org, status.health),
        "running": status.running,
        "conflicts": status.conflicts,
        "streams": streams,
    }


def _print_overview(statuses: Sequence[OrgStatus], *, only_failing: bool) -> None:
    numbers = ("streams", "rows", "quarantined")
    rows = [
        [
            status.org.org_id,
            status.org.name,
            _state(status),
            terminal.moment_and_age(_last_success(status)),
            terminal.count(len(status.streams)),
            terminal.count(_rows(status)),
            terminal.count(sum(stream.quarantined for stream in status.streams)),
            _remark(status),
        ]
        for status in statuses
    ]
    columns = ("org", "name", "state", "last success", *numbers, "")
    go = ("streams", "quarantined", "rows", "", "last success")
    terminal.output().print(terminal.table(columns, rows, numbers=numbers, first_to_go=go))
    if statuses:
        terminal.report(_totals(statuses))
    elif only_failing:
        terminal.say("no church fails")
    else:
        terminal.say("no church is connected; see: openfaith-pipeline org add --help")


def _totals(statuses: Sequence[OrgStatus]) -> str:
    """`3 churches: 1 failing, 2 connected; 10,488 rows, 1 alert open`."""
    standings = [_standing(status) for status in statuses]
    counted = ", ".join(f"{standings.count(word)} {word}" for word in _STANDINGS if word in standings)
    alerts = sum(status.health.open_alerts for status in statuses)
    churches = "1 church" if len(statuses) == 1 else f"{len(statuses):,} churches"
    rows = terminal.number_of(sum(map(_rows, statuses)), "row")
    return f"{churches}: {counted}; {rows}, {terminal.number_of(alerts, 'alert')} open"


def _rows(status: OrgStatus) -> int:
    return sum(stream.row_count or 0 for stream in status.streams)


def _last_success(status: OrgStatus) -> Any:
    return max((each.last_succeeded_at for each in status.streams if each.last_succeeded_at), default=None)


def _print_detail(status: OrgStatus, *, everything: bool, only_failing: bool = False) -> None:
    numbers = ("rows", "quarantined")
    is_told = _is_broken if only_failing else lambda stream: everything or not _is_empty(stream)
    told = sorted(filter(is_told, status.streams), key=lambda stream: (_BROKEN.get(stream.status, 5), stream.stream))
    shown = told if everything else _without_repetition(told)
    rows = [
        [
            stream.stream,
            stream.status or "never",
            terminal.moment_and_age(stream.last_succeeded_at),
            terminal.moment(stream.finished_at),
            terminal.moment(stream.last_full_at),
            terminal.count(stream.row_count),
            terminal.count(stream.quarantined),
            _reason(stream),
        ]
        for stream in shown
    ]
    columns = ("stream", "last sync", "last success", "ended", "last full", *numbers, "")
    go = ("ended", "last full", "quarantined", "rows", "", "last success")
    title = f"{status.org.name} ({status.org.org_id}): {_state(status)}"
    terminal.output().print(terminal.table(columns, rows, title=title, numbers=numbers, first_to_go=go))
    if not status.streams:
        terminal.say(f"nothing here has been synced yet; next: openfaith-pipeline sync {status.org.org_id}")
        return
    if repeated := len(told) - len(shown):
        more = terminal.number_of(repeated, "stream")
        terminal.say(
            f"{more} more with the same result and reason as {_MOST_ALIKE} of these left out; --all shows them"
        )
    if only_failing and not told:
        terminal.say("no stream of it fails")
    elif not only_failing and (untold := len(status.streams) - len(told)):
        terminal.say(f"{terminal.number_of(untold, 'stream')} without records left out; --all shows them")
    parentless = sum(stream.parentless for stream in status.streams)
    terminal.output().print(f"rows of child streams without their parent: {parentless} (0 expected)")
    if status.conflicts:
        next_step = f"openfaith-pipeline review list {status.org.org_id}"
        terminal.say(f"{terminal.number_of(status.conflicts, 'conflict')} waiting for a decision; next: {next_step}")
    terminal.report(_totals([status]))


def _without_repetition(streams: Sequence[StreamStatus]) -> list[StreamStatus]:
    """Keep only the first few streams with the same result for the same reason, as when nothing can be reached."""
    seen: Counter[tuple[str | None, str]] = Counter()
    kept = []
    for stream in streams:
        result = stream.status, _reason(stream)
        seen[result] += 1
        if not result[1] or seen[result] <= _MOST_ALIKE:
            kept.append(stream)
    return kept


def _is_empty(stream: StreamStatus) -> bool:
    is_trouble = stream.error or stream.held or stream.drift or stream.quarantined or _is_broken(stream)
    return not stream.row_count and not is_trouble


def _state(status: OrgStatus) -> str:
    if status.org.paused_at:
        return f"paused since {terminal.moment(status.org.paused_at)}"
    return str(status.health) if status.health.state == "needs_reconnect" else _standing(status)


def _remark(status: OrgStatus) -> str:
    withheld = sum(stream.availability in _WITHHELD for stream in status.streams)
    drifted = sum(bool(stream.drift) for stream in status.streams)
    told = {
        "running": len(status.running),
        "failing": len(status.failing),
        "unavailable": withheld,
        "drifted": drifted,
        "alerts": status.health.open_alerts,
        "with rows without their parent": sum(bool(stream.parentless) for stream in status.streams),
        "conflicts waiting": status.conflicts,
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
