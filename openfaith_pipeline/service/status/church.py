"""One church as a whole, and one of its streams."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import dict_row

from openfaith_pipeline.alerts.incidents import list_alerts
from openfaith_pipeline.connections.shared_budget import read_budget_use
from openfaith_pipeline.inbox.requests import list_requests
from openfaith_pipeline.orgs.changes import recent_changes
from openfaith_pipeline.orgs.registry import get_org, read_connection
from openfaith_pipeline.orgs.row_history import DAYS, read_row_history
from openfaith_pipeline.orgs.standing import StandingQuery, read_standings
from openfaith_pipeline.orgs.status import OrgStatus, StreamStatus, statuses_of
from openfaith_pipeline.orgs.turns import progress_of
from openfaith_pipeline.review.held_deletions import list_held
from openfaith_pipeline.service.executions import Execution, described
from openfaith_pipeline.service.problems import NothingHere
from openfaith_pipeline.service.status.models import (
    AlertLine,
    BudgetLine,
    ChangeLine,
    Church,
    ConnectionLine,
    HeldLine,
    ProductLine,
    QuarantineLine,
    StreamLine,
    StreamPage,
    SyncLine,
    TurnLine,
    WebhookLine,
    WithheldLine,
)
from openfaith_pipeline.service.status.verifications import read_verifications
from openfaith_pipeline.settings import Settings
from openfaith_pipeline.sources import DEFAULT_SOURCE, PRODUCTS, STREAMS

_EXECUTIONS: Final = 5
_SYNCS: Final = 25
_WITHHELD: Final = frozenset({"not_granted", "forbidden", "withheld"})
_FRESH_KINDS: Final = frozenset({"available", "silent"})

_WEBHOOKS: Final = """
SELECT (SELECT count(*) FROM sync.source_webhook_subscriptions
         WHERE org_id = %(org_id)s AND adapter = %(adapter)s) AS subscriptions,
       (SELECT problem FROM sync.source_webhooks WHERE org_id = %(org_id)s AND adapter = %(adapter)s) AS problem,
       count(*) FILTER (WHERE status = 'pending') AS pending,
       min(received_at) FILTER (WHERE status = 'pending') AS oldest_pending_at,
       count(*) FILTER (WHERE status = 'failed') AS failed
  FROM sync.webhook_deliveries WHERE org_id = %(org_id)s AND status IN ('pending', 'failed')
"""
_NEWEST_RUN: Final = """
SELECT run_id FROM sync.stream_syncs JOIN sync.syncs USING (sync_id)
 WHERE org_id = %s AND run_id IS NOT NULL ORDER BY stream_syncs.started_at DESC LIMIT 1
"""
_STREAM_SYNCS: Final = """
SELECT sync_id, mode, status, started_at, finished_at, fetched, inserted, updated, deleted, quarantined, requests, error
  FROM sync.stream_syncs WHERE org_id = %s AND stream = %s ORDER BY id DESC LIMIT %s
"""
_QUARANTINE: Final = """
SELECT field, reason, count(*) AS number, max(created_at) AS newest_at FROM sync.quarantine
 WHERE org_id = %s AND stream = %s AND resolved_at IS NULL GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 50
"""


def read_church(connection: Connection[Any], settings: Settings, org_id: str) -> Church:
    """Everything shown about a church. Raises UnknownOrg if it does not exist."""
    [status] = statuses_of(connection, [get_org(connection, org_id)], DEFAULT_SOURCE.adapter)
    limit = timedelta(hours=settings.freshness_hours)
    [standing] = read_standings(connection, limit, StandingQuery(), [org_id]).orgs
    run_id = _newest_run(connection, org_id)
    return Church(
        org_id=org_id,
        name=status.org.name,
        standing=standing.standing,
        paused_at=status.org.paused_at,
        connection=_connection(connection, status),
        rows=sum(stream.row_count or 0 for stream in status.streams),
        products=_products(status, read_row_history(connection, org_id)),
        turns=[TurnLine.model_validate(turn) for turn in progress_of(connection, org_id, DEFAULT_SOURCE.adapter)],
        budget=_budget(connection, org_id),
        held=[HeldLine.model_validate(held) for held in list_held(connection, org_id)],
        quarantined=sum(stream.quarantined for stream in status.streams),
        conflicts=status.conflicts,
        webhooks=_webhooks(connection, org_id),
        alerts=[AlertLine.model_validate(alert) for alert in list_alerts(connection, org_id=org_id)],
        changes=[ChangeLine.model_validate(change) for change in recent_changes(connection, org_id)],
        verifications=read_verifications(connection, org_id),
        executions=[Execution(**described(each)) for each in list_requests(connection, None, [org_id], _EXECUTIONS)],
        run_id=run_id,
        run_url=settings.run_url(run_id),
    )


def read_stream(connection: Connection[Any], org_id: str, name: str) -> StreamPage:
    """Everything shown about a stream. Raises UnknownOrg, or NothingHere for a stream that no sync has begun."""
    [status] = statuses_of(connection, [get_org(connection, org_id)], DEFAULT_SOURCE.adapter)
    found = next((stream for stream in status.streams if stream.stream == name), None)
    if found is None:
        raise NothingHere(f"no stream {name[:80]!r} has been synced yet")
    with connection.cursor(row_factory=dict_row) as cursor:
        syncs = cursor.execute(_STREAM_SYNCS, (org_id, name, _SYNCS)).fetchall()
        quarantine = cursor.execute(_QUARANTINE, (org_id, name)).fetchall()
    changes = recent_changes(connection, org_id, name)
    return StreamPage(
        org_id=org_id,
        name=status.org.name,
        description=STREAMS[name].description if name in STREAMS else "",
        line=StreamLine.model_validate(found),
        rows_by_day=read_row_history(connection, org_id, name).get(name, []),
        syncs=[SyncLine(**row) for row in syncs],
        changes=[ChangeLine.model_validate(change) for change in changes],
        quarantine=[QuarantineLine(**row) for row in quarantine],
        held=[HeldLine.model_validate(held) for held in list_held(connection, org_id) if held.stream == name],
    )


def _products(status: OrgStatus, history: dict[str, list[int]]) -> list[ProductLine]:
    by_product: dict[str, list[StreamStatus]] = {}
    for stream in status.streams:
        by_product.setdefault(stream.stream.partition(".")[0], []).append(stream)
    order = list(PRODUCTS)
    return [_product(name, by_product[name], history) for name in sorted(by_product, key=order.index)]


def _product(name: str, streams: Sequence[StreamStatus], history: dict[str, list[int]]) -> ProductLine:
    fresh = [stream.last_succeeded_at for stream in streams if stream.availability in _FRESH_KINDS]
    succeeded = [moment for moment in fresh if moment]
    days = zip(*(history[stream.stream] for stream in streams if stream.stream in history), strict=True)
    return ProductLine(
        product=name,
        rows=sum(stream.row_count or 0 for stream in streams),
        failing=sum(stream.status in {"failed", "incomplete"} for stream in streams),
        running=sum(stream.status == "running" for stream in streams),
        withheld=sum(stream.availability in _WITHHELD for stream in streams),
        newest_success_at=max(succeeded, default=None),
        oldest_success_at=min(succeeded, default=None),
        rows_by_day=[sum(day) for day in days] or [0] * DAYS,
        streams=sorted(map(StreamLine.model_validate, streams), key=lambda line: (not line.reason, line.stream)),
    )


def _connection(connection: Connection[Any], status: OrgStatus) -> ConnectionLine:
    found = read_connection(connection, status.org.org_id, DEFAULT_SOURCE.adapter)
    return ConnectionLine(
        state=status.health.state,
        reason=status.health.reason,
        kind=found.kind if found else None,
        since=found.updated_at if found else None,
        withheld=[WithheldLine.model_validate(each) for each in status.health.withheld],
    )


def _budget(connection: Connection[Any], org_id: str) -> BudgetLine | None:
    use = read_budget_use(connection, org_id, adapter=DEFAULT_SOURCE.adapter)
    return BudgetLine.model_validate(use) if use else None


def _webhooks(connection: Connection[Any], org_id: str) -> WebhookLine:
    with connection.cursor(row_factory=dict_row) as cursor:
        [row] = cursor.execute(_WEBHOOKS, {"org_id": org_id, "adapter": DEFAULT_SOURCE.adapter}).fetchall()
    return WebhookLine(**row)


def _newest_run(connection: Connection[Any], org_id: str) -> str | None:
    row: tuple[str, datetime] | None = connection.execute(_NEWEST_RUN, (org_id,)).fetchone()
    return row[0] if row else None
