"""Whether an org wants subscriptions at a source, their last check, and when the next is due."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import class_row, tuple_row

from openfaith_pipeline.settings import Settings
from openfaith_pipeline.sources import SOURCES, SUBSCRIPTIONS

CHECK_AGAIN_IN: Final = timedelta(minutes=5)
"""Wait after a transient failure."""


@dataclass(frozen=True)
class WebhookState:
    """Webhook state of an org at a source. is_wanted: False after unsubscribing by hand."""

    org_id: str
    is_wanted: bool
    ensured_at: datetime | None
    problem: str | None


_CHECKED: Final = """
INSERT INTO sync.source_webhooks (org_id, adapter)
SELECT org_id, adapter FROM sync.orgs JOIN sync.source_connections USING (org_id)
 WHERE removed_at IS NULL AND adapter = ANY(%s) ON CONFLICT DO NOTHING
"""
_NEXT: Final = """
UPDATE sync.source_webhooks AS due SET next_check_at = now() + %s WHERE (org_id, adapter) = (
    SELECT org_id, adapter FROM sync.source_webhooks AS waiting JOIN sync.orgs USING (org_id)
     WHERE is_wanted AND next_check_at <= now() AND removed_at IS NULL AND paused_at IS NULL
     ORDER BY next_check_at LIMIT 1 FOR UPDATE OF waiting SKIP LOCKED)
RETURNING due.org_id, due.adapter
"""

_MOVED: Final = """
UPDATE sync.source_webhooks AS due SET next_check_at = now() WHERE next_check_at > now() AND EXISTS (
    SELECT FROM sync.source_webhook_subscriptions AS ours
     WHERE (ours.org_id, ours.adapter) = (due.org_id, due.adapter) AND ours.url <> %s || %s || '/' || ours.org_id)
  AND adapter = %s
"""


def want_subscriptions(connection: Connection[Any], org_id: str, adapter: str, *, is_wanted: bool) -> None:
    """Set whether the org should be subscribed from now on. The caller commits."""
    connection.execute(
        "INSERT INTO sync.source_webhooks (org_id, adapter, is_wanted) VALUES (%s, %s, %s)"
        " ON CONFLICT (org_id, adapter) DO UPDATE SET is_wanted = excluded.is_wanted, next_check_at = now()",
        (org_id, adapter, is_wanted),
    )


def state_of(connection: Connection[Any], org_id: str, adapter: str) -> WebhookState:
    """Webhook state of an org; before the first check, subscriptions are wanted."""
    with connection.cursor(row_factory=class_row(WebhookState)) as cursor:
        found = cursor.execute(
            "SELECT org_id, is_wanted, ensured_at, problem FROM sync.source_webhooks"
            " WHERE org_id = %s AND adapter = %s",
            (org_id, adapter),
        ).fetchone()
    return found or WebhookState(org_id, is_wanted=True, ensured_at=None, problem=None)


def next_to_check(connection: Connection[Any]) -> tuple[str, str] | None:
    """An org and the source at which its subscriptions are due for a check, given to one caller only.

    The caller commits.
    """
    connection.execute(_CHECKED, (list(SUBSCRIPTIONS),))
    with connection.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(_NEXT, (CHECK_AGAIN_IN,)).fetchone()


def check_moved(connection: Connection[Any], settings: Settings) -> int:
    """Make the check of each org due whose subscriptions lead to an address other than ours; returns their number.

    The caller commits.
    """
    if settings.public_url is None:
        return 0
    here = settings.public_url.rstrip("/")
    return sum(
        connection.execute(_MOVED, (here, SOURCES[adapter].events_path, adapter)).rowcount for adapter in SUBSCRIPTIONS
    )
