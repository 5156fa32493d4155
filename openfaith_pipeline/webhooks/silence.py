"""Lost subscriptions, noticed by the changes that they should have reported. The caller commits."""

from collections.abc import Collection
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import scalar_row

from openfaith_pipeline.sources import STREAMS, event_named
from openfaith_pipeline.webhooks.secrets import subscriptions_of

_IS_SILENT: Final = """
SELECT NOT EXISTS (
    SELECT FROM sync.webhook_deliveries AS delivery JOIN sync.source_webhooks AS state USING (org_id)
     WHERE org_id = %s AND adapter = %s AND stream = ANY(%s) AND received_at > ensured_at)
"""
_DUE: Final = """
UPDATE sync.source_webhooks SET next_check_at = now()
 WHERE org_id = %s AND adapter = %s AND next_check_at > now() AND problem IS NULL
"""


def check_if_silent(connection: Connection[Any], org_id: str, adapter: str, changed: Collection[str]) -> None:
    """Make the check of the org's subscriptions due if a sync changed rows that deliveries should have brought.

    That is, rows of a stream that is subscribed to, without a delivery that explains them since the last check.
    changed: names of the streams with changed rows.
    """
    events = [event_named(each.event, adapter) for each in subscriptions_of(connection, org_id, adapter)]
    streams = {event.stream.name for event in events if event}.intersection(changed)
    if any(_is_silent(connection, org_id, adapter, name) for name in sorted(streams)):
        connection.execute(_DUE, (org_id, adapter))


def _is_silent(connection: Connection[Any], org_id: str, adapter: str, name: str) -> bool:
    """Whether no delivery since the last check is about the stream, or about one whose changes touch its records."""
    touching = [each.name for each in STREAMS.values() if name in {each.belongs_to[key] for key in each.touches}]
    with connection.cursor(row_factory=scalar_row) as cursor:
        return bool(cursor.execute(_IS_SILENT, (org_id, adapter, [name, *touching])).fetchone())
