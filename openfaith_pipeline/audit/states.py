"""How far syncs have read each stream of an org, so a change is newer than the last sync or was missed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection

from openfaith_pipeline.catalog.stream import Stream

READABLE: Final = frozenset({"available", "silent"})

_STATES: Final = """
SELECT state.stream, availability, availability_reason AS reason, watermark, last_full_at,
    coalesce(read_from, last_succeeded_at) AS read_from, is_path_absent,
    (SELECT count(DISTINCT record_id) FROM sync.quarantine AS broken WHERE broken.org_id = state.org_id
     AND broken.stream = state.stream AND broken.resolved_at IS NULL AND broken.field IS NULL) AS broken
FROM sync.stream_states AS state WHERE state.org_id = %s
"""


@dataclass(frozen=True)
class StreamState:
    """State of one stream. broken: number of records that are quarantined whole and therefore have no row."""

    stream: str
    availability: str
    reason: str | None
    watermark: datetime | None
    last_full_at: datetime | None
    read_from: datetime | None
    is_path_absent: bool
    broken: int

    @property
    def is_readable(self) -> bool:
        return self.availability in READABLE

    def is_behind(self, stream: Stream, changed_at: datetime | None) -> bool:
        """Whether a change of that time could not be read yet by the syncs so far.

        A stream with a cursor has been read up to its watermark; another one when its last reading began, or, if it is
        read only below records that changed, when it was last read whole.
        """
        if changed_at is None:
            return False
        if stream.cursor and self.watermark and changed_at > self.watermark:
            return True
        if self.read_from and changed_at >= self.read_from:
            return True
        return not stream.cursor and self.last_full_at is not None and changed_at >= self.last_full_at


def unrecorded(stream: Stream) -> StreamState:
    """The state of a stream that has rows although no sync is known to have read it: none of them is behind."""
    return StreamState(stream.name, "available", None, None, None, None, is_path_absent=False, broken=0)


async def read_states(connection: AsyncConnection[Any], org_id: str) -> dict[str, StreamState]:
    """States by stream name, of the streams that a sync has read or found to be withheld."""
    cursor = await connection.execute(_STATES, (org_id,))
    rows = [row for row in await cursor.fetchall() if row["read_from"] or row["availability"] not in READABLE]
    return {row["stream"]: StreamState(**row) for row in rows}
