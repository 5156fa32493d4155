"""The record of syncs: what was asked for, and how each stream of it ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection, Connection
from psycopg.types.json import Jsonb

from openfaith_pipeline.catalog import Stream


@dataclass(frozen=True)
class SyncStart:
    """What was asked for. trigger: what asked (cli, dagster, ...). requested: streams and orgs, for the record."""

    sync_id: str
    run_id: str | None
    mode: str
    trigger: str
    requested: Mapping[str, Any]


def begin_sync(connection: Connection[Any], start: SyncStart) -> None:
    """Record a sync, or that another attempt of it has begun."""
    connection.execute(
        "INSERT INTO sync.syncs (sync_id, run_id, mode, trigger, requested) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT (sync_id) DO UPDATE SET status = 'running', finished_at = NULL, error = NULL",
        (start.sync_id, start.run_id, start.mode, start.trigger, Jsonb(dict(start.requested))),
    )


def finish_sync(connection: Connection[Any], sync_id: str, error: str | None = None) -> None:
    """Record the end of a sync: failed when `error` says why, succeeded otherwise."""
    connection.execute(
        "UPDATE sync.syncs SET status = %s, error = %s, finished_at = now() WHERE sync_id = %s",
        ("failed" if error else "succeeded", error, sync_id),
    )


async def finished_streams(
    connection: AsyncConnection[Any], org_id: str, sync_id: str, streams: Sequence[Stream]
) -> dict[str, dict[str, Any]]:
    """The streams of this org that earlier attempts of the sync have brought to an end, as stored."""
    cursor = await connection.execute(
        "SELECT done.*, extract(epoch FROM done.finished_at - done.started_at)::float8 AS seconds, state.row_count"
        " FROM sync.stream_syncs AS done JOIN sync.stream_states AS state USING (org_id, stream)"
        " WHERE done.sync_id = %s AND done.org_id = %s AND done.stream = ANY(%s) AND done.status = 'succeeded'",
        (sync_id, org_id, [stream.name for stream in streams]),
    )
    return {row["stream"]: row for row in await cursor.fetchall()}


async def mark_unavailable(
    connection: AsyncConnection[Any], org_id: str, streams: Sequence[str], availability: str, reason: str
) -> None:
    """Remember that the source withholds these streams. Their rows stay as they are."""
    await connection.execute(
        "UPDATE sync.stream_states SET availability = %s, availability_reason = %s, checked_at = now()"
        " WHERE org_id = %s AND stream = ANY(%s)",
        (availability, reason, org_id, list(streams)),
    )


async def mark_incomplete(connection: AsyncConnection[Any], stream_sync_ids: Sequence[int], reason: str) -> None:
    """Say of published stream syncs that their listing could not be proven complete."""
    await connection.execute(
        "UPDATE sync.stream_syncs SET status = 'incomplete', error = %s WHERE id = ANY(%s)",
        (reason, list(stream_sync_ids)),
    )


async def absent_paths(connection: AsyncConnection[Any], org_id: str) -> list[str]:
    """The streams of the org whose unconfirmed path was found to be absent."""
    cursor = await connection.execute(
        "SELECT stream FROM sync.stream_states WHERE org_id = %s AND is_path_absent", (org_id,)
    )
    return [row["stream"] for row in await cursor.fetchall()]


async def mark_paths_absent(connection: AsyncConnection[Any], org_id: str, streams: Sequence[str]) -> None:
    """Remember, until a whole sync asks again, that these streams are to be read by the way around."""
    await connection.execute(
        "UPDATE sync.stream_states SET is_path_absent = true WHERE org_id = %s AND stream = ANY(%s)",
        (org_id, list(streams)),
    )
