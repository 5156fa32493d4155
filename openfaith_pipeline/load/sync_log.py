"""The log of syncs: requests, and the outcome of each stream."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg import AsyncConnection, Connection
from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk import RESUMABLE_FOR
from openfaith_pipeline.database import Database
from openfaith_pipeline.load.leases import LEASE_TTL
from openfaith_pipeline.orgs.newest_syncs import NEWEST_ATTEMPTS
from openfaith_pipeline.sources import names_of_source

INTERRUPTED: Final = "interrupted"
CONTINUED_FOR: Final = timedelta(hours=1)
"""How long after an interruption a sync is continued: after that, its finished streams would be too old."""

_SEEN: Final = """
SELECT sync_id, run_id, status, mode, requested, error,
       greatest(started_at, finished_at,
           (SELECT beat_at FROM sync.run_leases WHERE run_leases.run_id = syncs.run_id),
           (SELECT max(greatest(done.started_at, done.finished_at)) FROM sync.stream_syncs AS done
             WHERE done.sync_id = syncs.sync_id)) AS seen_at
  FROM sync.syncs
"""
# If anything of the same orgs was synced since, continuing would gain nothing over a new sync.
_UNFINISHED: Final = f"""
SELECT * FROM ({_SEEN} WHERE status IN ('running', 'interrupted') AND mode = %(mode)s AND trigger = %(trigger)s
    AND requested = %(requested)s AND idempotency_key IS NULL ORDER BY started_at DESC LIMIT 1) AS unfinished
 WHERE seen_at > now() - %(continued_for)s AND NOT EXISTS (
    SELECT FROM sync.stream_syncs AS newer
     WHERE newer.org_id = ANY(%(orgs)s) AND newer.sync_id <> unfinished.sync_id AND newer.started_at > seen_at)
"""  # noqa: S608 - a part of ours
PUBLISHED: Final = ("succeeded", "incomplete", "withheld")
"""Statuses of a stream's sync whose rows were published."""


@dataclass(frozen=True)
class SyncStart:
    """A sync to begin.

    trigger: its origin (cli, dagster, ...). requested: streams and orgs, for the record.
    idempotency_key: the client's own name for the request; a second request with it is the same sync.
    """

    sync_id: str
    run_id: str | None
    mode: str
    trigger: str
    requested: Mapping[str, Any]
    idempotency_key: str | None = None

    @property
    def lease(self) -> timedelta | None:
        """How long it counts as alive without a renewal by its process; None if its run is followed."""
        return LEASE_TTL if self.run_id is None else None


@dataclass(frozen=True)
class RecordedSync:
    """A sync as recorded. status: running, succeeded, failed or interrupted. seen_at: its end, or last sign of life."""

    sync_id: str
    run_id: str | None
    status: str
    mode: str
    requested: Mapping[str, Any]
    error: str | None
    seen_at: datetime


@dataclass(frozen=True)
class RunningSync:
    """A sync that is recorded as running. run_id: of its last attempt, if that is a single run."""

    sync_id: str
    run_id: str | None


def begin_sync(connection: Connection[Any], start: SyncStart) -> RecordedSync | None:
    """Record a sync, or the start of another attempt of it, once the undoing of the previous one has ended.

    One without a run has a lease from now on, which its process has to keep (see `sync_leases`).
    If another sync was begun with the same idempotency key, nothing is recorded and that one is returned: the caller
    must not sync. Of several concurrent callers one begins; the others wait for its transaction to end.
    """
    key = start.idempotency_key
    inserted = connection.execute(
        "INSERT INTO sync.syncs (sync_id, run_id, mode, trigger, requested, idempotency_key, lease_expires_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, now() + %s) ON CONFLICT DO NOTHING",
        (start.sync_id, start.run_id, start.mode, start.trigger, Jsonb(dict(start.requested)), key, start.lease),
    )
    if inserted.rowcount:
        return None
    earlier = find_sync(connection, key) if key else None
    if earlier and earlier.sync_id != start.sync_id:
        return earlier
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('attempt ' || %s, 0))", (start.sync_id,))
    connection.execute(
        "UPDATE sync.syncs SET run_id = coalesce(%s, run_id), status = 'running', finished_at = NULL, error = NULL,"
        " lease_expires_at = now() + %s WHERE sync_id = %s",
        (start.run_id, start.lease, start.sync_id),
    )
    return None


@contextmanager
def between_attempts(database: Database, sync_id: str) -> Iterator[str | None]:
    """Keep other attempts of the sync from beginning during the block. Yields the run of the last attempt, if any."""
    with database.connect(autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtextextended('attempt ' || %s, 0))", (sync_id,))
        row = connection.execute("SELECT run_id FROM sync.syncs WHERE sync_id = %s", (sync_id,)).fetchone()
        yield row[0] if row else None


@contextmanager
def started_alone(database: Database, idempotency_key: str | None) -> Iterator[None]:
    """Let only one process at a time begin or continue the sync with this key."""
    if idempotency_key is None:
        yield
        return
    with database.connect(autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtextextended('sync ' || %s, 0))", (idempotency_key,))
        yield


def find_sync(connection: Connection[Any], idempotency_key: str) -> RecordedSync | None:
    """The sync that was begun with this key."""
    with connection.cursor(row_factory=class_row(RecordedSync)) as cursor:
        return cursor.execute(f"{_SEEN} WHERE idempotency_key = %s", (idempotency_key,)).fetchone()


def find_unfinished(connection: Connection[Any], start: SyncStart) -> RecordedSync | None:
    """The newest sync of the same request, by the same trigger and without a key, that was interrupted or is running.

    None if that is too long ago to continue, or the orgs have been synced since.
    """
    values = {
        "mode": start.mode,
        "trigger": start.trigger,
        "requested": Jsonb(dict(start.requested)),
        "orgs": list(start.requested["orgs"]),
        "continued_for": CONTINUED_FOR,
    }
    with connection.cursor(row_factory=class_row(RecordedSync)) as cursor:
        return cursor.execute(_UNFINISHED, values).fetchone()


def finish_sync(connection: Connection[Any], sync_id: str, error: str | None = None) -> None:
    """Record the end of a sync: failed with `error`, succeeded without."""
    connection.execute(
        "UPDATE sync.syncs SET status = %s, error = %s, finished_at = now() WHERE sync_id = %s",
        ("failed" if error else "succeeded", error, sync_id),
    )


def running_syncs(connection: Connection[Any]) -> list[RunningSync]:
    """The syncs that are recorded as running, whether somebody still works on them or not."""
    with connection.cursor(row_factory=class_row(RunningSync)) as cursor:
        return cursor.execute("SELECT sync_id, run_id FROM sync.syncs WHERE status = 'running'").fetchall()


_END_STREAMS: Final = """
UPDATE sync.stream_syncs AS work SET status = 'failed', error = %s, finished_at = now()
FROM sync.stream_states AS state
WHERE work.sync_id = %s AND work.status = 'running' AND state.org_id = work.org_id AND state.stream = work.stream
  AND coalesce(state.lease_expires_at < now(), true)
"""


def end_left_over(connection: Connection[Any], sync: RunningSync, error: str) -> bool:
    """Record a sync that nobody works on as interrupted, its streams as failed; False if it was continued since.

    A later attempt, or the same command, continues from the last page that was committed.
    """
    ended = connection.execute(
        "UPDATE sync.syncs SET status = %s, error = %s, finished_at = now()"
        " WHERE sync_id = %s AND status = 'running' AND run_id IS NOT DISTINCT FROM %s",
        (INTERRUPTED, error, sync.sync_id, sync.run_id),
    )
    if ended.rowcount:
        connection.execute(_END_STREAMS, (error, sync.sync_id))
    return bool(ended.rowcount)


def interrupt_sync(connection: Connection[Any], sync_id: str) -> None:
    """Record that a person interrupted the sync; it may be continued."""
    connection.execute(
        "UPDATE sync.syncs SET status = %s, error = 'interrupted', finished_at = now() WHERE sync_id = %s",
        (INTERRUPTED, sync_id),
    )


def error_of(connection: Connection[Any], sync_id: str) -> str | None:
    """Why a sync failed; None if it did not, or ended before it could record the reason."""
    row = connection.execute("SELECT error FROM sync.syncs WHERE sync_id = %s", (sync_id,)).fetchone()
    return row[0] if row else None


def has_failing_streams(connection: Connection[Any], org_id: str, adapter: str) -> bool:
    """Whether the newest sync of any of the source's streams of the org did not succeed."""
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM sync.failing_streams WHERE org_id = %s AND stream = ANY(%s))",
        (org_id, names_of_source(adapter)),
    ).fetchone()
    return bool(row and row[0])


def mode_of(connection: Connection[Any], sync_id: str) -> str | None:
    """The sync's mode, None if it was never begun."""
    row = connection.execute("SELECT mode FROM sync.syncs WHERE sync_id = %s", (sync_id,)).fetchone()
    return row[0] if row else None


def note_run(connection: Connection[Any], sync_id: str, run_id: str) -> None:
    """Record the run of the sync."""
    connection.execute("UPDATE sync.syncs SET run_id = %s WHERE sync_id = %s", (run_id, sync_id))


def recorded_streams(connection: Connection[Any], sync_id: str, org_id: str) -> list[dict[str, Any]]:
    """Last outcome of each stream of the sync, as stored."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT done.*, state.row_count,"  # noqa: S608 - a part of ours
            " coalesce(extract(epoch FROM done.finished_at - done.started_at), 0)::float8 AS seconds"
            f" FROM ({NEWEST_ATTEMPTS}) AS done JOIN sync.stream_states AS state USING (org_id, stream)"
            " WHERE org_id = %(org_id)s ORDER BY stream",
            {"sync_id": sync_id, "org_id": org_id},
        ).fetchall()


async def finished_streams(
    connection: AsyncConnection[Any],
    org_id: str,
    sync_id: str,
    streams: Sequence[Stream],
) -> dict[str, dict[str, Any]]:
    """Streams of this org that earlier attempts of the sync have published, as stored; the last of several readings.

    A stream that was published longer ago than a walk may be continued is read again.
    """
    cursor = await connection.execute(
        "SELECT done.*, extract(epoch FROM done.finished_at - done.started_at)::float8 AS seconds, state.row_count"
        " FROM sync.stream_syncs AS done JOIN sync.stream_states AS state USING (org_id, stream)"
        " WHERE done.sync_id = %s AND done.org_id = %s AND done.stream = ANY(%s) AND done.status = ANY(%s)"
        " AND done.finished_at > now() - %s ORDER BY done.id",
        (sync_id, org_id, [stream.name for stream in streams], list(PUBLISHED), RESUMABLE_FOR),
    )
    return {row["stream"]: row for row in await cursor.fetchall()}


async def changed_streams(connection: AsyncConnection[Any], org_id: str, sync_id: str) -> list[str]:
    """Streams of the org with rows changed by any attempt of this sync."""
    cursor = await connection.execute(
        "SELECT stream FROM sync.stream_syncs WHERE sync_id = %s AND org_id = %s"
        " AND inserted + updated + deleted > 0 ORDER BY stream",
        (sync_id, org_id),
    )
    return [row["stream"] for row in await cursor.fetchall()]


async def record_stream_sync(
    connection: AsyncConnection[Any],
    sync_id: str,
    org_id: str,
    stream: str,
    lead: str,
    *,
    mode: str,
    deleted: int,
) -> None:
    """Record a change of a stream that was not read: the number of rows marked deleted."""
    await connection.execute(
        "INSERT INTO sync.stream_syncs (sync_id, org_id, stream, lead_stream, mode, status, deleted, finished_at)"
        " VALUES (%s, %s, %s, %s, %s, 'succeeded', %s, now())",
        (sync_id, org_id, stream, lead, mode, deleted),
    )


async def page_counts(connection: AsyncConnection[Any], stream_sync_ids: Sequence[int]) -> dict[str, dict[str, Any]]:
    """Counts by stream, summed over all pages, including earlier attempts, and the drift of its attributes."""
    cursor = await connection.execute(
        "SELECT stream, quarantined, withheld_by_erasure, requests, waited_seconds,"
        " ARRAY(SELECT kind || ' ' || attribute FROM sync.drift"
        " WHERE drift.org_id = done.org_id AND drift.stream = done.stream ORDER BY 1) AS drift"
        " FROM sync.stream_syncs AS done WHERE id = ANY(%s)",
        (list(stream_sync_ids),),
    )
    return {row.pop("stream"): row for row in await cursor.fetchall()}
