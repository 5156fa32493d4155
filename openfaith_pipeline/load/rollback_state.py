"""Bookkeeping of rollbacks: lock streams against syncs, restore their states, and record the rollback."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import dict_row

from openfaith_pipeline.errors import StreamBusy
from openfaith_pipeline.load.leases import live_holder
from openfaith_pipeline.load.run_leases import STALE_AFTER
from openfaith_pipeline.load.stream_states import record_rollback, revert_state
from openfaith_pipeline.load.sync_log import PUBLISHED
from openfaith_pipeline.sources import STREAMS

# An org that the sync changed and that has no rollback of the whole of it, or only ones that are undone.
_LEFT: Final = """
SELECT FROM (
    SELECT org_id FROM sync.journal WHERE sync_id = %(id)s
    UNION SELECT org_id FROM sync.stream_syncs WHERE sync_id = %(id)s AND status = ANY(%(published)s)
) AS touched
WHERE NOT EXISTS (
    SELECT FROM sync.rollbacks AS undone WHERE undone.sync_id = %(id)s AND undone.org_id = touched.org_id
        AND undone.streams IS NULL AND undone.undone_at IS NULL)
LIMIT 1"""
_ROLLED_BACK: Final = """
UPDATE sync.syncs SET status = 'rolled_back', finished_at = coalesce(finished_at, now())
WHERE sync_id = %s AND status <> 'rolled_back'"""
_COUNTS: Final = """
UPDATE sync.syncs SET status = CASE WHEN error IS NULL THEN 'succeeded' ELSE 'failed' END
WHERE sync_id = %s AND status = 'rolled_back'"""
_STREAMS_COUNT: Final = """
UPDATE sync.stream_syncs AS done SET status = CASE WHEN error IS NULL THEN 'succeeded' ELSE 'incomplete' END
WHERE sync_id = %(undone)s AND status = 'rolled_back' AND EXISTS (
    SELECT FROM sync.stream_syncs AS undoing
    WHERE undoing.sync_id = %(rollback)s AND undoing.org_id = done.org_id AND undoing.stream = done.stream)"""
_STREAMS_ROLLED_BACK: Final = """
UPDATE sync.stream_syncs AS done SET status = 'rolled_back'
WHERE sync_id = %(undone)s AND status = ANY(%(published)s) AND EXISTS (
    SELECT FROM sync.stream_syncs AS undoing
    WHERE undoing.sync_id = %(rollback)s AND undoing.org_id = done.org_id AND undoing.stream = done.stream)"""


def published_streams(
    connection: Connection[Any], org_id: str, sync_id: str, only: Collection[str] | None
) -> list[dict[str, Any]]:
    """The sync's published streams of the org that are not rolled back, as in `sync.stream_syncs`, oldest first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT id, sync_id, stream, lead_stream, state_before, finished_at FROM sync.stream_syncs"
            " WHERE sync_id = %s AND org_id = %s AND status = ANY(%s)"
            " AND (%s::text[] IS NULL OR stream = ANY(%s)) ORDER BY id",
            (sync_id, org_id, list(PUBLISHED), list(only) if only is not None else None, list(only or ())),
        ).fetchall()


def check_ended(connection: Connection[Any], sync_id: str) -> None:
    """Raise StreamBusy if the sync is still running."""
    if holder := live_holder(connection, sync_id):
        raise StreamBusy(f"{sync_id} is still running in {holder}: wait for it, or end it first")
    alive = connection.execute(
        "SELECT run_id FROM sync.syncs JOIN sync.run_leases USING (run_id)"
        " WHERE sync_id = %s AND status = 'running' AND beat_at > now() - %s",
        (sync_id, STALE_AFTER),
    ).fetchone()
    if alive:
        raise StreamBusy(f"{sync_id} is still running as run {alive[0]}: wait for it, or terminate it in Dagster")


def revert_stream(connection: Connection[Any], org_id: str, rollback_id: str, done: Mapping[str, Any]) -> None:
    """Restore the stream's state from before `done`, and record this as part of the rollback.

    Call after the rows were restored, because they are counted.
    """
    record_rollback(connection, org_id, rollback_id, done)
    if done["state_before"] is not None:
        revert_state(connection, org_id, STREAMS[done["stream"]], done["state_before"])
    named = {**done, "org_id": org_id}
    connection.execute("UPDATE sync.stream_syncs SET status = 'rolled_back' WHERE id = %(id)s", named)
    # Entries that the sync resolved are open again; entries that it added belonged to rows that are gone.
    connection.execute(
        "UPDATE sync.quarantine SET resolved_at = CASE WHEN resolved_at IS NULL THEN now() END"
        " WHERE org_id = %(org_id)s AND stream = %(stream)s"
        " AND (resolved_at = %(finished_at)s OR sync_id = %(sync_id)s AND resolved_at IS NULL)",
        named,
    )


def finish_rollback(connection: Connection[Any], rollback_id: str, sync_id: str) -> None:
    """End a rollback. The sync counts as rolled back once each of its orgs is."""
    connection.execute(
        "UPDATE sync.syncs SET status = 'succeeded', finished_at = now() WHERE sync_id = %s", (rollback_id,)
    )
    _recount(connection, sync_id)


def _recount(connection: Connection[Any], sync_id: str) -> None:
    """Bring the sync's status up to its rollbacks; if it is one itself, the syncs that it undid follow."""
    is_undone = connection.execute(_LEFT, {"id": sync_id, "published": list(PUBLISHED)}).fetchone() is None
    changed = connection.execute(_ROLLED_BACK if is_undone else _COUNTS, (sync_id,)).rowcount
    if not changed:
        return
    targets = connection.execute(
        "UPDATE sync.rollbacks SET undone_at = CASE WHEN %s THEN now() END WHERE rollback_id = %s RETURNING sync_id",
        (is_undone, sync_id),
    ).fetchall()
    for (undone,) in sorted(set(targets)):
        named = {"undone": undone, "rollback": sync_id, "published": list(PUBLISHED)}
        connection.execute(_STREAMS_COUNT if is_undone else _STREAMS_ROLLED_BACK, named)
        _recount(connection, undone)
