"""Syncs that were neither finished nor continued: their staged rows and checkpoints are given up."""

from datetime import timedelta
from typing import Any

from psycopg import Connection, sql

from openfaith_pipeline.catalog import STREAMS
from openfaith_pipeline.load.sessions import staging_name


def forget_abandoned(connection: Connection[Any], older_than: timedelta) -> int:
    """Give up what is unfinished and that old, of every org, but for what a live sync holds; returns how many walks.

    Each stream of an org is a transaction of its own, under the same lock as a sync that would continue it.
    """
    forgotten = 0
    for org_id, stream in _abandoned(connection, older_than):
        with connection.transaction():
            forgotten += _forget(connection, org_id, stream, older_than)
    return forgotten


def _abandoned(connection: Connection[Any], older_than: timedelta) -> list[tuple[str, str]]:
    return connection.execute(
        "SELECT DISTINCT org_id, stream FROM sync.stream_syncs"
        " WHERE status IN ('running', 'failed') AND checkpoint IS NOT NULL AND started_at < now() - %s",
        (older_than,),
    ).fetchall()


def _forget(connection: Connection[Any], org_id: str, stream: str, older_than: timedelta) -> int:
    is_live = connection.execute(
        "SELECT lease_expires_at > now() AND holder IS NOT NULL FROM sync.stream_states"
        " WHERE org_id = %s AND stream = %s FOR UPDATE",
        (org_id, stream),
    ).fetchone()
    if is_live and is_live[0]:
        return 0
    walks = connection.execute(
        "UPDATE sync.stream_syncs SET status = 'abandoned', checkpoint = NULL, finished_at = now()"
        " WHERE org_id = %s AND stream = %s AND status IN ('running', 'failed') AND started_at < now() - %s"
        " RETURNING id",
        (org_id, stream, older_than),
    ).fetchall()
    if stream in STREAMS:
        connection.execute(
            sql.SQL("DELETE FROM {} WHERE _stream_sync_id = ANY(%s)").format(staging_name(STREAMS[stream])),
            ([walk for (walk,) in walks],),
        )
    return len(walks)
