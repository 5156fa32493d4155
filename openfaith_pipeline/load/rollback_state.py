"""The bookkeeping side of a rollback: streams taken from any sync, their states put back, and the record of it."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from psycopg import Connection, sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database.parentage import parentless_count
from openfaith_pipeline.database.table_names import raw_name
from openfaith_pipeline.errors import StreamBusy
from openfaith_pipeline.load.leases import is_dead
from openfaith_pipeline.load.run_leases import STALE_AFTER
from openfaith_pipeline.load.sync_log import PUBLISHED
from openfaith_pipeline.sources import STREAMS

_RECORD: Final = (
    "INSERT INTO sync.stream_syncs (sync_id, org_id, stream, lead_stream, mode, status, finished_at, state_before)"
    " SELECT %(rollback_id)s, org_id, stream, %(lead_stream)s, 'rollback', 'succeeded', now(),"
    " to_jsonb(state) - ARRAY['org_id', 'stream', 'fence', 'holder', 'lease_expires_at']"
    " FROM sync.stream_states AS state WHERE org_id = %(org_id)s AND stream = %(stream)s"
)
_REVERT: Final = sql.SQL(
    "UPDATE sync.stream_states AS state SET watermark = was.watermark, availability = was.availability,"
    " availability_reason = was.availability_reason, is_path_absent = was.is_path_absent, checked_at = was.checked_at,"
    " last_full_at = was.last_full_at, last_succeeded_at = was.last_succeeded_at, read_from = was.read_from,"
    " left_out = was.left_out,"
    " parents_read_at = was.parents_read_at, parentless = present.parentless, row_count = CASE"
    " WHEN was.row_count IS NULL AND present.row_count = 0 THEN NULL ELSE present.row_count END"
    " FROM jsonb_populate_record(NULL::sync.stream_states, %(before)s) AS was,"
    " (SELECT count(*) AS row_count, {parentless} AS parentless FROM {table}"
    " WHERE org_id = %(org_id)s AND _deleted_at IS NULL) AS present"
    " WHERE state.org_id = %(org_id)s AND state.stream = %(stream)s"
)


def published_streams(
    connection: Connection[Any], org_id: str, sync_id: str, only: Collection[str] | None
) -> list[dict[str, Any]]:
    """What the sync published of the org and is not rolled back, as `sync.stream_syncs` has it, oldest first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT id, sync_id, stream, lead_stream, state_before, finished_at FROM sync.stream_syncs"
            " WHERE sync_id = %s AND org_id = %s AND status = ANY(%s)"
            " AND (%s::text[] IS NULL OR stream = ANY(%s)) ORDER BY id",
            (sync_id, org_id, list(PUBLISHED), list(only) if only is not None else None, list(only or ())),
        ).fetchall()


def check_ended(connection: Connection[Any], sync_id: str) -> None:
    """Raise StreamBusy when the sync is still being worked for."""
    for (holder,) in connection.execute(
        "SELECT DISTINCT state.holder FROM sync.stream_syncs AS work JOIN sync.stream_states AS state"
        " USING (org_id, stream) WHERE work.sync_id = %s AND work.status = 'running' AND state.lease_expires_at > now()"
        " AND state.holder IS NOT NULL",
        (sync_id,),
    ).fetchall():
        if not is_dead(holder):
            raise StreamBusy(f"{sync_id} is still running in {holder.rsplit(':', 1)[0]}: wait for it, or end it first")
    alive = connection.execute(
        "SELECT run_id FROM sync.syncs JOIN sync.run_leases USING (run_id)"
        " WHERE sync_id = %s AND status = 'running' AND beat_at > now() - %s",
        (sync_id, STALE_AFTER),
    ).fetchone()
    if alive:
        raise StreamBusy(f"{sync_id} is still running as run {alive[0]}: wait for it, or terminate it in Dagster")


def take_streams(connection: Connection[Any], org_id: str, names: Collection[str]) -> None:
    """Keep every sync from these streams until the transaction ends, and fence off whoever held them before.

    Raises StreamBusy when a live sync holds one of them.
    """
    states = connection.execute(
        "SELECT stream, holder, lease_expires_at > now() FROM sync.stream_states"
        " WHERE org_id = %s AND stream = ANY(%s) ORDER BY stream FOR UPDATE",
        (org_id, sorted(names)),
    ).fetchall()
    for stream, holder, is_live in states:
        if is_live and holder and not is_dead(holder):
            raise StreamBusy(f"{stream} of {org_id} is being synced by {holder.rsplit(':', 1)[0]}")
    connection.execute(
        "UPDATE sync.stream_states SET fence = fence + 1, holder = NULL, lease_expires_at = NULL"
        " WHERE org_id = %s AND stream = ANY(%s)",
        (org_id, list(names)),
    )


def revert_stream(connection: Connection[Any], org_id: str, rollback_id: str, done: Mapping[str, Any]) -> None:
    """Put the stream's state back to what it was before `done`, and record this as the rollback's work on it.

    The rows are given back by now, for they are counted.
    """
    named = {**done, "org_id": org_id, "rollback_id": rollback_id, "before": Jsonb(done["state_before"])}
    connection.execute(_RECORD, named)
    if done["state_before"] is not None:
        stream = STREAMS[done["stream"]]
        connection.execute(_REVERT.format(table=raw_name(stream), parentless=parentless_count(stream)), named)
    connection.execute("UPDATE sync.stream_syncs SET status = 'rolled_back' WHERE id = %(id)s", named)
    # What the sync had settled waits again; what it had put there came with rows that are gone.
    connection.execute(
        "UPDATE sync.quarantine SET resolved_at = CASE WHEN resolved_at IS NULL THEN now() END"
        " WHERE org_id = %(org_id)s AND stream = %(stream)s"
        " AND (resolved_at = %(finished_at)s OR sync_id = %(sync_id)s AND resolved_at IS NULL)",
        named,
    )


def recount_stream(connection: Connection[Any], org_id: str, stream: Stream) -> None:
    """Count the stream's live rows anew, where they were counted."""
    connection.execute(
        sql.SQL(
            "UPDATE sync.stream_states SET (row_count, parentless) = (SELECT count(*), {} FROM {}"
            " WHERE org_id = %(org_id)s AND _deleted_at IS NULL)"
            " WHERE org_id = %(org_id)s AND stream = %(stream)s AND row_count IS NOT NULL"
        ).format(parentless_count(stream), raw_name(stream)),
        {"org_id": org_id, "stream": stream.name},
    )


def finish_rollback(connection: Connection[Any], rollback_id: str, sync_id: str, *, is_whole: bool) -> None:
    """End a rollback; where what it undid is itself a rollback, what that had undone counts again.

    is_whole: nothing of the sync is left.
    """
    connection.execute(
        "UPDATE sync.syncs SET status = 'succeeded', finished_at = now() WHERE sync_id = %s", (rollback_id,)
    )
    if not is_whole:
        return
    connection.execute(
        "UPDATE sync.syncs SET status = 'rolled_back', finished_at = coalesce(finished_at, now()) WHERE sync_id = %s",
        (sync_id,),
    )
    for (undone,) in connection.execute(
        "UPDATE sync.rollbacks SET undone_at = now() WHERE rollback_id = %s RETURNING sync_id", (sync_id,)
    ).fetchall():
        connection.execute(
            "UPDATE sync.syncs SET status = CASE WHEN error IS NULL THEN 'succeeded' ELSE 'failed' END"
            " WHERE sync_id = %s AND status = 'rolled_back'",
            (undone,),
        )
        connection.execute(
            "UPDATE sync.stream_syncs AS done SET status = CASE WHEN error IS NULL THEN 'succeeded' ELSE 'incomplete'"
            " END WHERE sync_id = %s AND status = 'rolled_back' AND EXISTS (SELECT FROM sync.stream_syncs AS undoing"
            " WHERE undoing.sync_id = %s AND undoing.org_id = done.org_id AND undoing.stream = done.stream)",
            (undone, sync_id),
        )
