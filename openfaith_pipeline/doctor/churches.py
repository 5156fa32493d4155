"""A church's connection, streams and rate budget, as the bookkeeping has them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import Connection

from openfaith_pipeline.alerts.incidents import list_alerts
from openfaith_pipeline.connections.cipher import KEY_FILE, cipher_from
from openfaith_pipeline.connections.registry import credentials_of
from openfaith_pipeline.connections.shared_budget import read_budget_use
from openfaith_pipeline.doctor.report import Finding, found, found_all
from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.load.left_behind import leases_left, walks_left
from openfaith_pipeline.orgs.org_settings import settings_of
from openfaith_pipeline.orgs.registry import read_connection
from openfaith_pipeline.orgs.status import OrgStatus
from openfaith_pipeline.settings import Settings

_READABLE = frozenset({"available", "silent"})


def examine_syncs(connection: Connection[Any], settings: Settings, org_id: str) -> Iterator[Finding]:
    """Leases and readings that a process left behind."""
    yield from found_all("leases_left", org_id, leases_left(connection, org_id))
    # The maintenance runs once a day.
    age = timedelta(hours=settings.abandoned_hours + 24)
    yield from found_all("walks_left", org_id, walks_left(connection, org_id, age))


def examine_connection(
    connection: Connection[Any], settings: Settings, status: OrgStatus, adapter: str
) -> Iterator[Finding]:
    """The state of the credentials, and whether they can be read."""
    org_id, health = status.org.org_id, status.health
    if health.state == "paused":
        yield found("org_paused", org_id)
    elif health.state == "not_connected":
        yield found("not_connected", org_id)
    elif health.state == "needs_reconnect":
        yield found("needs_reconnect", org_id, detail=health.reason or "")
    elif health.state == "never_synced":
        yield found("never_synced", org_id)
    yield from found_all("source_withholds", org_id, [str(each) for each in health.withheld])
    if read_connection(connection, org_id, adapter) and (problem := _unreadable(connection, settings, org_id, adapter)):
        yield found("credentials_unreadable", org_id, detail=problem)


def _unreadable(connection: Connection[Any], settings: Settings, org_id: str, adapter: str) -> str | None:
    # A missing key file would be recreated, and nobody would notice that the old one is lost.
    if settings.is_embedded and not settings.encryption_keys and not (settings.home / KEY_FILE).exists():
        return f"the key file {settings.home / KEY_FILE} is missing"
    try:
        credentials_of(connection, cipher_from(settings), org_id, adapter)
    except ConfigurationError as error:
        return str(error)
    return None


def examine_streams(connection: Connection[Any], settings: Settings, status: OrgStatus) -> Iterator[Finding]:
    """How the newest syncs ended, and decisions that wait for a person."""
    org_id, streams = status.org.org_id, status.streams
    yield from found_all("streams_failing", org_id, status.failing)
    if status.org.paused_at is None:
        yield from found_all("streams_late", org_id, _late(connection, settings, status))
    yield from found_all("streams_drifted", org_id, [each.stream for each in streams if each.drift])
    yield from _counted("records_quarantined", org_id, {each.stream: each.quarantined for each in streams})
    yield from _counted("deletions_held", org_id, {each.stream: each.held for each in streams})
    yield from _counted("conflicts_waiting", org_id, {org_id: status.conflicts})
    yield from found_all("alerts_open", org_id, [each.kind for each in list_alerts(connection, org_id=org_id)])


def _late(connection: Connection[Any], settings: Settings, status: OrgStatus) -> list[str]:
    """The church's chosen streams that are older than the limit, without failing ones, which are reported as such."""
    limit = datetime.now(UTC) - timedelta(hours=settings.freshness_hours)
    chosen = {stream.name for stream in settings_of(connection, status.org.org_id).chosen_streams()}
    return [
        each.stream
        for each in status.streams
        if each.stream not in status.failing
        and each.availability in _READABLE
        and each.last_succeeded_at
        and each.last_succeeded_at < limit
        and each.stream in chosen
    ]


def _counted(kind: str, org_id: str, numbers: dict[str, int]) -> list[Finding]:
    named = {name: number for name, number in numbers.items() if number}
    return found_all(kind, org_id, list(named), count=sum(named.values()))


def examine_budget(connection: Connection[Any], org_id: str, adapter: str) -> Iterator[Finding]:
    """The rate budget, which all processes share."""
    use = read_budget_use(connection, org_id, adapter)
    if use is None:
        return
    if use.paused_seconds:
        yield found("requests_paused", org_id, detail=f"{use.paused_seconds:.0f} s more")
    if use.waiting and use.used >= use.limit:
        detail = f"{use.used} of {use.limit} requests in {use.period:.0f} s, {use.waiting} wait"
        yield found("budget_crowded", org_id, detail=detail)
