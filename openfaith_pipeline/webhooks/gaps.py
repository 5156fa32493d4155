"""Syncs for the events of a time in which none, or not all, were received."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

from psycopg import Connection

from openfaith_pipeline.inbox.sync_requests import request_sync
from openfaith_pipeline.orgs.org_settings import settings_of
from openfaith_pipeline.sources import event_named

LONG_SILENCE: Final = timedelta(minutes=15)
"""Silence after which deliveries may be lost: Planning Center retries, but gives up early under many failures."""

RECEIVER: Final = "receiver"
"""Name of the beat of a service that receives deliveries."""


def fill_gap(
    connection: Connection[Any], org_id: str, adapter: str, events: Iterable[str], *, key: str | None = None
) -> None:
    """Request a sync of the org's streams that these events of the source are about. The caller commits."""
    found = [event_named(name, adapter) for name in events]
    streams = {event.stream.name for event in found if event} & {
        stream.name for stream in settings_of(connection, org_id).chosen_streams()
    }
    if streams:
        request_sync(connection, org_id, streams=streams, trigger="webhook", idempotency_key=key, adapter=adapter)


def beat(connection: Connection[Any]) -> list[str]:
    """Record that the receiver is alive; after a silence, request syncs for every subscribed org.

    Returns those orgs. Only one of several concurrent callers finds the silence. The caller commits.
    """
    row = connection.execute(
        "SELECT CASE WHEN beat_at < now() - %s THEN beat_at END FROM sync.webhook_beats WHERE name = %s FOR UPDATE",
        (LONG_SILENCE, RECEIVER),
    ).fetchone()
    connection.execute(
        "INSERT INTO sync.webhook_beats (name, beat_at) VALUES (%s, now())"
        " ON CONFLICT (name) DO UPDATE SET beat_at = now()",
        (RECEIVER,),
    )
    silent_since = row[0] if row else None
    if silent_since is None:
        return []
    events = connection.execute(
        "SELECT org_id, adapter, array_agg(event) FROM sync.source_webhook_subscriptions JOIN sync.orgs USING (org_id)"
        " WHERE paused_at IS NULL AND removed_at IS NULL GROUP BY 1, 2 ORDER BY 1, 2"
    ).fetchall()
    for org_id, adapter, names in events:
        fill_gap(connection, org_id, adapter, names, key=f"{adapter} webhooks silent since {silent_since.isoformat()}")
    return list(dict.fromkeys(org_id for org_id, _, _ in events))
