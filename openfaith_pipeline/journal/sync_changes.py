"""Changes made by one sync so far, by stream, read from the journal inside the sync's own transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from psycopg import AsyncConnection

from openfaith_pipeline.sources import STREAMS

SAMPLES: Final = 3
"""Samples kept for each kind of change of a stream."""

_OURS_SHOWN: Final = "_extra"


@dataclass(frozen=True)
class Sample:
    """One changed row. kind: insert, update, delete, restore or merge. fields: name -> (before, after)."""

    record_id: str
    kind: str
    fields: Mapping[str, tuple[Any, Any]]


@dataclass
class StreamChanges:
    """Number of changed rows by kind of change, with a few samples."""

    counts: dict[str, int] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)


_CHANGES: Final = """
SELECT table_name, kind, of_kind, row_key ->> 'id' AS record_id, before, after FROM (
    SELECT told.*, count(*) OVER (PARTITION BY table_name, kind) AS of_kind,
        row_number() OVER (PARTITION BY table_name, kind ORDER BY id) AS place
    FROM (
        SELECT *, CASE WHEN cause = 'merge' AND action = 'delete' THEN 'merge' ELSE action END AS kind
        FROM sync.journal WHERE sync_id = %s AND org_id = %s AND table_name = ANY(%s)) AS told) AS numbered
WHERE place <= %s ORDER BY table_name, kind, place
"""


async def changes_of(connection: AsyncConnection[Any], org_id: str, sync_id: str) -> dict[str, StreamChanges]:
    """Changes that the sync has made to the org's raw rows, by stream."""
    streams = {stream.raw_table: stream.name for stream in STREAMS.values()}
    cursor = await connection.execute(_CHANGES, (sync_id, org_id, list(streams), SAMPLES))
    changes: dict[str, StreamChanges] = {}
    for row in await cursor.fetchall():
        found = changes.setdefault(streams[row["table_name"]], StreamChanges())
        found.counts[row["kind"]] = row["of_kind"]
        found.samples.append(Sample(row["record_id"], row["kind"], _fields(row["before"], row["after"])))
    return changes


def _fields(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> dict[str, tuple[Any, Any]]:
    """The source's own fields that differ; for a new row, the fields that are not empty."""
    known, now = before or {}, after or {}
    names = [name for name in {**known, **now} if not name.startswith("_") or name == _OURS_SHOWN]
    return {
        name: (known.get(name), now.get(name))
        for name in sorted(names)
        if name not in {"org_id", "id"} and known.get(name) != now.get(name)
    }
