"""Rows compared with the journal: a row that differs from its entries was changed by others, or entries are lost.

This costs no request, so every row is compared. Entries older than the journal's horizon, or the org's own, are gone,
so only columns that have changed since can be compared.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from psycopg import AsyncConnection, sql

from openfaith_pipeline.audit.comparison import parent_columns
from openfaith_pipeline.audit.findings import Finding, Kind
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database.table_names import raw_name

# `_synced_at` moves with every write of a row, so each entry names the value that the one before it left.
_SUSPECT: Final = """
WITH horizon AS (
    SELECT coalesce((SELECT begins_at FROM sync.org_journal_horizons WHERE org_id = %(org_id)s),
        (SELECT begins_at FROM sync.journal_horizon), '-infinity') AS begins_at
), entries AS MATERIALIZED (
    SELECT id, row_key ->> 'id' AS record_id, action, before ->> '_synced_at' AS synced_before,
        after ->> '_synced_at' AS synced_at, after::jsonb AS after
    FROM sync.journal WHERE org_id = %(org_id)s AND table_name = %(table)s
), linked AS (
    SELECT record_id, synced_before <> lag(synced_at) OVER (PARTITION BY record_id ORDER BY id) AS is_cut
    FROM entries WHERE coalesce(synced_before, synced_at) IS NOT NULL
), cut AS (
    SELECT record_id FROM linked GROUP BY record_id HAVING bool_or(is_cut)
), images AS (
    SELECT record_id, sync.merge_images(after ORDER BY id) AS image,
        (array_agg(action ORDER BY id))[1] AS first, (array_agg(action ORDER BY id DESC))[1] AS last
    FROM entries GROUP BY record_id
), present AS (
    SELECT id, to_jsonb(raw) AS row, _first_seen_at >= horizon.begins_at AS is_told
    FROM {raw} AS raw, horizon WHERE org_id = %(org_id)s
), compared AS (
    SELECT coalesce(present.id, images.record_id) AS id, present.id IS NULL AS is_absent,
        images.record_id IS NULL AS is_unknown, images.first, images.last, images.image,
        cut.record_id IS NOT NULL AS is_cut, present.is_told,
        ARRAY(SELECT key FROM jsonb_each(images.image) WHERE present.row ? key AND present.row -> key <> value
              AND present.row ->> key IS DISTINCT FROM images.image ->> key ORDER BY key) AS fields
    FROM present FULL JOIN images ON images.record_id = present.id LEFT JOIN cut ON cut.record_id = images.record_id
)
SELECT id, is_absent, is_unknown, fields, image FROM compared WHERE CASE
    WHEN is_absent THEN last <> 'remove'
    WHEN is_unknown THEN is_told
    ELSE last = 'remove' OR is_cut OR cardinality(fields) > 0 OR is_told AND first <> 'insert' END
ORDER BY id
"""
_OURS: Final = frozenset({"_synced_at", "_sync_id", "_content_hash", "_first_seen_at"})


@dataclass(frozen=True)
class Suspect:
    """A row that differs from its last entry in the journal. parents: as the journal knows them, by relationship."""

    finding: Finding
    parents: Mapping[str, str]


async def find_suspects(connection: AsyncConnection[Any], org_id: str, stream: Stream) -> list[Suspect]:
    """Rows of the stream that differ from their journal entries, or lack some."""
    cursor = await connection.execute(_statement(stream), {"org_id": org_id, "table": stream.raw_table})
    return [Suspect(_finding(stream, row), _parents(stream, row["image"])) for row in await cursor.fetchall()]


@cache
def _statement(stream: Stream) -> bytes:
    return sql.SQL(_SUSPECT).format(raw=raw_name(stream)).as_bytes()


def _finding(stream: Stream, row: Mapping[str, Any]) -> Finding:
    fields = set(row["fields"])
    told = tuple(sorted(fields - _OURS - {"_deleted_at"}))
    if row["is_absent"]:
        return Finding(stream.name, row["id"], Kind.MISSING)
    if row["is_unknown"] or fields & {"_synced_at", "_sync_id"} or not fields:
        return Finding(stream.name, row["id"], Kind.JOURNAL_CUT, told)
    if "_deleted_at" in fields:
        return Finding(stream.name, row["id"], Kind.MARKED_DELETED, told)
    kind = Kind.PARENT_LOST if told and fields <= set(parent_columns(stream)) else Kind.CHANGED
    return Finding(stream.name, row["id"], kind, told)


def _parents(stream: Stream, image: Mapping[str, Any] | None) -> dict[str, str]:
    known = image or {}
    return {name: str(known[f"{name}_id"]) for name in stream.belongs_to if known.get(f"{name}_id")}
