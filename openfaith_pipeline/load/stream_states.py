"""State of each stream of an org, in `sync.stream_states`: its position, availability and number of rows.

Its lease is in the same row, see `load/leases`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

from psycopg import AsyncConnection, Connection, sql
from psycopg.types.json import Jsonb

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database.parentage import parentless_count
from openfaith_pipeline.database.table_names import raw_name
from openfaith_pipeline.load.leases import FREED, RENEWAL, Leases

CLOCK_ALLOWANCE = timedelta(minutes=10)
"""A whole listing has seen every change up to its start, less this allowance for differences between clocks."""

_WITHOUT_LEASE: Final = "to_jsonb({}) - ARRAY['org_id', 'stream', 'fence', 'holder', 'lease_expires_at']"
"""SQL: a state as it is kept for a rollback."""

_KEEP: Final = sql.SQL("""
WITH held AS ({renewal} RETURNING state.*)
UPDATE sync.stream_syncs AS done SET state_before = {kept}
FROM held WHERE done.id = ANY(%(ids)s) AND done.stream = held.stream
""").format(renewal=RENEWAL, kept=sql.SQL(_WITHOUT_LEASE).format(sql.Identifier("held")))


async def keep_states(connection: AsyncConnection[Any], leases: Leases, stream_sync_ids: Sequence[int]) -> None:
    """Save the streams' states before a publish, for a rollback. Raises LeaseLost as `renew` does."""
    cursor = await connection.execute(_KEEP, {**leases.parameters, "ids": list(stream_sync_ids)})
    leases.check(cursor.rowcount)


_RECORD_ROLLBACK: Final = sql.SQL("""
INSERT INTO sync.stream_syncs (sync_id, org_id, stream, lead_stream, mode, status, finished_at, state_before)
SELECT %(rollback_id)s, org_id, stream, %(lead_stream)s, 'rollback', 'succeeded', now(), {kept}
FROM sync.stream_states AS state WHERE org_id = %(org_id)s AND stream = %(stream)s
""").format(kept=sql.SQL(_WITHOUT_LEASE).format(sql.Identifier("state")))

_REVERT: Final = sql.SQL("""
UPDATE sync.stream_states AS state SET watermark = was.watermark, availability = was.availability,
    availability_reason = was.availability_reason, is_path_absent = was.is_path_absent, checked_at = was.checked_at,
    last_full_at = was.last_full_at, last_succeeded_at = was.last_succeeded_at, read_from = was.read_from,
    left_out = was.left_out, parents_read_at = was.parents_read_at, parentless = present.parentless,
    row_count = CASE WHEN was.row_count IS NULL AND present.row_count = 0 THEN NULL ELSE present.row_count END
FROM jsonb_populate_record(NULL::sync.stream_states, %(before)s) AS was,
    (SELECT count(*) AS row_count, {parentless} AS parentless FROM {raw}
     WHERE org_id = %(org_id)s AND _deleted_at IS NULL) AS present
WHERE state.org_id = %(org_id)s AND state.stream = %(stream)s
""")


def record_rollback(connection: Connection[Any], org_id: str, rollback_id: str, done: Mapping[str, Any]) -> None:
    """Record the rollback's work on the stream of `done`, a row of `sync.stream_syncs`, with the state as it is."""
    connection.execute(_RECORD_ROLLBACK, {**done, "org_id": org_id, "rollback_id": rollback_id})


def revert_state(connection: Connection[Any], org_id: str, stream: Stream, before: Mapping[str, Any]) -> None:
    """Restore the stream's state, once its rows are restored: they are counted."""
    statement = _REVERT.format(raw=raw_name(stream), parentless=parentless_count(stream))
    connection.execute(statement, {"org_id": org_id, "stream": stream.name, "before": Jsonb(before)})


_RECOUNT: Final = sql.SQL("""
UPDATE sync.stream_states SET (row_count, parentless) =
    (SELECT count(*), {parentless} FROM {raw} WHERE org_id = %(org_id)s AND _deleted_at IS NULL)
WHERE org_id = %(org_id)s AND stream = %(stream)s AND (row_count IS NOT NULL OR NOT %(was_counted)s)
RETURNING row_count
""")


def recounting(stream: Stream) -> sql.Composed:
    """SQL that recounts the stream's live rows, and returns `row_count`.

    Its parameters are org_id, stream and was_counted: whether it concerns only a stream that was counted before.
    """
    return _RECOUNT.format(raw=raw_name(stream), parentless=parentless_count(stream))


async def recount(connection: AsyncConnection[Any], org_id: str, stream: Stream) -> None:
    """Recount the live rows of a stream."""
    await connection.execute(_recount_statement(stream), _recounted(org_id, stream, was_counted=False))


def recount_counted(connection: Connection[Any], org_id: str, stream: Stream) -> None:
    """Recount the stream's live rows, if they were counted before."""
    connection.execute(_recount_statement(stream), _recounted(org_id, stream, was_counted=True))


@cache
def _recount_statement(stream: Stream) -> bytes:
    return recounting(stream).as_bytes()


def _recounted(org_id: str, stream: Stream, *, was_counted: bool) -> dict[str, Any]:
    return {"org_id": org_id, "stream": stream.name, "was_counted": was_counted}


# A watermark in the future, set by an earlier version, counts as none.
_MOVE_WATERMARK: Final = """
UPDATE sync.stream_states SET watermark = greatest(
    CASE WHEN watermark <= now() + %(allowance)s THEN watermark END,
    CASE WHEN %(reached)s::timestamptz <= now() + %(allowance)s THEN %(reached)s::timestamptz END)
WHERE org_id = %(org_id)s AND stream = %(stream)s
"""


async def move_watermark(
    connection: AsyncConnection[Any], org_id: str, stream: str, reached: datetime | str | None
) -> None:
    """Move the stream's watermark forward, never back."""
    asked = {"allowance": CLOCK_ALLOWANCE, "reached": reached, "org_id": org_id, "stream": stream}
    await connection.execute(_MOVE_WATERMARK, asked)


@dataclass(frozen=True)
class Reading:
    """State of a stream after it was read and published.

    read_from: when the reading began, None if the records included with its own have yet to be read.
    is_path_there: its unconfirmed path was read. is_proven: everything of it was read.
    """

    availability: str
    reason: str | None
    row_count: int
    read_from: datetime | None
    is_path_there: bool
    is_proven: bool


_NOTE_READING: Final = sql.SQL("""
UPDATE sync.stream_states SET {freed}, row_count = %(row_count)s,
    availability = %(availability)s, availability_reason = %(reason)s, checked_at = now(),
    last_succeeded_at = CASE WHEN %(availability)s <> 'withheld' THEN now() ELSE last_succeeded_at END,
    read_from = CASE WHEN %(availability)s <> 'withheld' THEN coalesce(%(read_from)s, read_from) ELSE read_from END,
    is_path_absent = is_path_absent AND NOT %(is_path_there)s,
    last_full_at = CASE WHEN %(is_proven)s THEN now() ELSE last_full_at END
WHERE org_id = %(org_id)s AND stream = %(stream)s
""").format(freed=FREED)


async def note_reading(connection: AsyncConnection[Any], org_id: str, stream: str, reading: Reading) -> None:
    """Record the state of a stream after its publish, and release its lease."""
    await connection.execute(_NOTE_READING, {**vars(reading), "org_id": org_id, "stream": stream})


async def forget_proof(connection: AsyncConnection[Any], org_id: str, streams: Sequence[str]) -> None:
    """Let the next reconcile read all of these streams."""
    await connection.execute(
        "UPDATE sync.stream_states SET last_full_at = NULL WHERE org_id = %s AND stream = ANY(%s)",
        (org_id, list(streams)),
    )


async def mark_unavailable(
    connection: AsyncConnection[Any], org_id: str, streams: Sequence[str], availability: str, reason: str
) -> None:
    """Record that the source withholds these streams. Their rows stay as they are."""
    await connection.execute(
        "UPDATE sync.stream_states SET availability = %s, availability_reason = %s, checked_at = now()"
        " WHERE org_id = %s AND stream = ANY(%s)",
        (availability, reason, org_id, list(streams)),
    )


async def mark_unavailable_with(
    connection: AsyncConnection[Any], org_id: str, streams: Sequence[str], parents: Sequence[str], reason: str
) -> None:
    """Record that the source withholds these streams in the same way as the first withheld one of their parents."""
    await connection.execute(
        "UPDATE sync.stream_states SET availability = parent.availability, availability_reason = %s, checked_at = now()"
        " FROM (SELECT availability FROM sync.stream_states WHERE org_id = %s AND stream = ANY(%s)"
        " AND availability NOT IN ('available', 'silent') ORDER BY stream LIMIT 1) AS parent"
        " WHERE org_id = %s AND stream = ANY(%s)",
        (reason, org_id, list(parents), org_id, list(streams)),
    )


async def absent_paths(connection: AsyncConnection[Any], org_id: str) -> list[str]:
    """Streams of the org whose unconfirmed path turned out to be absent."""
    cursor = await connection.execute(
        "SELECT stream FROM sync.stream_states WHERE org_id = %s AND is_path_absent", (org_id,)
    )
    return [row["stream"] for row in await cursor.fetchall()]


async def mark_paths_absent(connection: AsyncConnection[Any], org_id: str, streams: Sequence[str]) -> None:
    """Remember, until a whole sync requests them again, that the paths of these streams are absent."""
    await connection.execute(
        "UPDATE sync.stream_states SET is_path_absent = true WHERE org_id = %s AND stream = ANY(%s)",
        (org_id, list(streams)),
    )


_LAST_PROOFS: Final = """
SELECT stream, greatest(last_full_at, withheld_at) FROM (
    SELECT stream, last_full_at,
        CASE WHEN availability NOT IN ('available', 'silent') THEN checked_at END AS withheld_at
    FROM sync.stream_states WHERE org_id = %s) AS state
WHERE last_full_at IS NOT NULL OR withheld_at IS NOT NULL
"""


def last_proofs(connection: Connection[Any], org_id: str) -> dict[str, datetime]:
    """When each stream of the org was last read whole and proven, or last found to be withheld."""
    return dict(connection.execute(_LAST_PROOFS, (org_id,)).fetchall())


_NEWEST_CHANGES: Final = """
SELECT stream, watermark FROM sync.stream_states
WHERE org_id = %s AND (last_succeeded_at IS NOT NULL OR availability NOT IN ('available', 'silent'))
"""


def newest_changes(connection: Connection[Any], org_id: str) -> dict[str, datetime | None]:
    """The newest known change at the source, by stream of the org that was read or found to be withheld."""
    return dict(connection.execute(_NEWEST_CHANGES, (org_id,)).fetchall())


async def unread_streams(connection: AsyncConnection[Any], org_id: str, streams: Sequence[Stream]) -> set[str]:
    """The streams that no sync has read yet."""
    cursor = await connection.execute(
        "SELECT stream FROM sync.stream_states WHERE org_id = %s AND watermark IS NOT NULL", (org_id,)
    )
    return {stream.name for stream in streams} - {row["stream"] for row in await cursor.fetchall()}


async def never_read(connection: AsyncConnection[Any], org_id: str, streams: Sequence[Stream]) -> set[str]:
    """The streams that no sync has read with success, not even to find them empty."""
    cursor = await connection.execute(
        "SELECT stream FROM sync.stream_states WHERE org_id = %s AND last_succeeded_at IS NOT NULL", (org_id,)
    )
    return {stream.name for stream in streams} - {row["stream"] for row in await cursor.fetchall()}
