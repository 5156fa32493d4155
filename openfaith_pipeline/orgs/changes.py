"""The newest changes of an org's rows, in numbers: which sync changed how many rows of which stream."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import class_row

_CHANGES: Final = """
SELECT finished_at, stream, sync_id, mode, inserted, updated, deleted, merged FROM sync.stream_syncs
 WHERE org_id = %(org_id)s AND (%(stream)s::text IS NULL OR stream = %(stream)s)
   AND (inserted + updated + deleted + merged > 0 OR mode = 'rollback')
   AND status IN ('succeeded', 'incomplete', 'withheld', 'rolled_back') AND finished_at IS NOT NULL
 ORDER BY finished_at DESC, stream LIMIT %(most)s
"""


@dataclass(frozen=True)
class StreamChange:
    """Rows of one stream that one sync changed. merged: marked deleted because their records were merged."""

    finished_at: datetime
    stream: str
    sync_id: str
    mode: str
    inserted: int
    updated: int
    deleted: int
    merged: int


def recent_changes(
    connection: Connection[Any], org_id: str, stream: str | None = None, *, most: int = 20
) -> list[StreamChange]:
    """The org's newest changes, the newest first."""
    with connection.cursor(row_factory=class_row(StreamChange)) as cursor:
        return cursor.execute(_CHANGES, {"org_id": org_id, "stream": stream, "most": most}).fetchall()
