"""The quarantine: records, or single values, that could not be loaded as received."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection, Connection, sql
from psycopg.rows import class_row

from openfaith_pipeline.catalog.walk import RESUMABLE_FOR


@dataclass(frozen=True)
class Quarantined:
    """One entry.

    page: the page of the sync. record_id: None if the record has no usable id.
    field: the attribute or relationship kept in `_extra` instead of its column, None if the whole record was left
    out.
    record: as received, personal data included. parents: ids of the records it was listed under, by relationship.
    is_waiting: its sync has not published yet, so the record may still be loaded by it.
    """

    id: int
    org_id: str
    stream: str
    sync_id: str
    page: int | None
    record_id: str | None
    field: str | None
    reason: str
    record: Any
    parents: Mapping[str, str] | None
    created_at: datetime
    resolved_at: datetime | None
    is_waiting: bool


_ENTRIES = sql.SQL("""
SELECT held.*, EXISTS (
    SELECT FROM sync.stream_syncs AS reading
    WHERE reading.sync_id = held.sync_id AND reading.org_id = held.org_id AND reading.stream = held.stream
        AND reading.status IN ('running', 'failed', 'planned') AND reading.started_at > now() - %(resumable_for)s
    ) AS is_waiting
FROM sync.quarantine AS held
WHERE (%(org_id)s::text IS NULL OR held.org_id = %(org_id)s) AND (%(stream)s::text IS NULL OR held.stream = %(stream)s)
    AND (%(id)s::bigint IS NULL OR held.id = %(id)s) AND (%(with_resolved)s OR held.resolved_at IS NULL)
ORDER BY held.org_id, held.stream, held.id
""")


def list_quarantined(
    connection: Connection[Any],
    *,
    org_id: str | None = None,
    stream: str | None = None,
    entry_id: int | None = None,
    with_resolved: bool = False,
) -> list[Quarantined]:
    """Open entries (resolved ones too `with_resolved`), filtered by org, stream or entry id."""
    asked = {
        "org_id": org_id,
        "stream": stream,
        "id": entry_id,
        "with_resolved": with_resolved,
        "resumable_for": RESUMABLE_FOR,
    }
    with connection.cursor(row_factory=class_row(Quarantined)) as cursor:
        return cursor.execute(_ENTRIES, asked).fetchall()


async def settle(connection: AsyncConnection[Any], entries: Sequence[Quarantined]) -> None:
    """Close all open entries for these records and fields."""
    await connection.execute(
        "UPDATE sync.quarantine SET resolved_at = now() WHERE id = ANY(%s)", ([entry.id for entry in entries],)
    )


async def restate(connection: AsyncConnection[Any], entries: Sequence[tuple[Quarantined, str | None]]) -> None:
    """Replace the reasons of entries; an entry whose new reason is None keeps its own."""
    changed = [(entry.id, reason) for entry, reason in entries if reason and reason != entry.reason]
    for identifier, reason in changed:
        await connection.execute("UPDATE sync.quarantine SET reason = %s WHERE id = %s", (reason, identifier))
