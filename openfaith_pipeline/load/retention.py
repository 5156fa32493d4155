"""Retention of sync records: a thousand churches leave millions of rows a day about syncs that changed nothing."""

from datetime import timedelta
from typing import Any, Final

from psycopg import Connection, sql

from openfaith_pipeline.database.table_names import staging_name
from openfaith_pipeline.load.leases import lock_holders
from openfaith_pipeline.sources import STREAMS

UNCHANGED_KEPT: Final = timedelta(days=2)
"""Retention for a stream's sync without changes: longer than a sync may be continued."""

_ROWS_AT_ONCE: Final = 20_000
_SYNCS_AT_ONCE: Final = 1_000

# The newest record of each mode and of each status gives the stream's state and since when. Changes of links alone are
# not counted in the row, but are in the journal.
_FORGET_STREAMS: Final = """
WITH old AS (
    SELECT done.id FROM sync.stream_syncs AS done JOIN sync.syncs AS whole USING (sync_id)
    WHERE done.id > %(after)s AND done.id <= %(until)s
      AND done.status IN ('succeeded', 'incomplete', 'withheld', 'unavailable', 'failed', 'abandoned',
                          'rolled_back')
      AND done.checkpoint IS NULL AND (whole.status <> 'running' OR whole.started_at < now() - %(runs)s)
      AND done.finished_at < now() - CASE
          WHEN done.inserted + done.updated + done.deleted + done.merged + done.quarantined > 0
              OR done.mode = 'rollback' OR done.status = 'rolled_back'
              OR done.stream = ANY(%(linked)s)
                  AND EXISTS (SELECT FROM sync.journal AS entry WHERE entry.sync_id = done.sync_id)
              THEN %(journal)s
          WHEN done.status IN ('succeeded', 'withheld') THEN %(unchanged)s
          ELSE %(runs)s END
      AND EXISTS (SELECT FROM sync.stream_syncs AS newer WHERE newer.org_id = done.org_id
          AND newer.stream = done.stream AND newer.mode = done.mode AND newer.status = done.status
          AND newer.id > done.id)
)
DELETE FROM sync.stream_syncs USING old WHERE stream_syncs.id = old.id
"""

# A used idempotency key must never begin a second sync, so it is kept.
_OLD_SYNCS: Final = """
SELECT sync_id FROM sync.syncs
WHERE sync_id > %(after)s AND status <> 'planned' AND idempotency_key IS NULL
  AND coalesce(finished_at, started_at) < now() - %(runs)s
ORDER BY sync_id LIMIT %(most)s
"""
_FORGET_SYNCS: Final = """
DELETE FROM sync.syncs AS whole
WHERE whole.sync_id = ANY(%(syncs)s)
  AND NOT EXISTS (SELECT FROM sync.stream_syncs AS done WHERE done.sync_id = whole.sync_id)
  AND NOT EXISTS (SELECT FROM sync.journal AS entry WHERE entry.sync_id = whole.sync_id)
  AND NOT EXISTS (SELECT FROM sync.rollbacks AS undone
      WHERE whole.sync_id IN (undone.sync_id, undone.rollback_id) AND undone.created_at > now() - %(journal)s)
"""


def forget_syncs(connection: Connection[Any], *, runs: timedelta, journal: timedelta) -> int:
    """Delete records of old syncs that are no longer needed, in batches; returns the number of stream rows deleted.

    runs: retention of failures, and of syncs as a whole. journal: retention of syncs that changed rows, which can be
    rolled back that long. Needs an autocommit connection.
    """
    linked = [stream.name for stream in STREAMS.values() if stream.links]
    asked = {"runs": runs, "journal": journal, "unchanged": UNCHANGED_KEPT, "linked": linked}
    bounds = connection.execute("SELECT coalesce(min(id), 1), coalesce(max(id), 0) FROM sync.stream_syncs").fetchone()
    first, last = bounds or (1, 0)
    forgotten = sum(
        connection.execute(_FORGET_STREAMS, {**asked, "after": after, "until": after + _ROWS_AT_ONCE}).rowcount
        for after in range(first - 1, last, _ROWS_AT_ONCE)
    )
    after = ""
    while old := connection.execute(_OLD_SYNCS, {**asked, "after": after, "most": _SYNCS_AT_ONCE}).fetchall():
        after = old[-1][0]
        connection.execute(_FORGET_SYNCS, {**asked, "syncs": [sync_id for (sync_id,) in old]})
    return forgotten


_FORGET_RESOLVED: Final = """
DELETE FROM sync.quarantine AS entry WHERE resolved_at < now() - coalesce(
    (SELECT coalesce(own.quarantine_kept, own.journal_kept) FROM sync.org_settings AS own
     WHERE own.org_id = entry.org_id), %s)
"""


def forget_resolved(connection: Connection[Any], older_than: timedelta) -> int:
    """Delete quarantine entries resolved that long ago, with their personal data; returns their number.

    older_than: for orgs without a setting of their own, for these or for the journal.
    """
    return connection.execute(_FORGET_RESOLVED, (older_than,)).rowcount


def forget_abandoned(connection: Connection[Any], older_than: timedelta) -> int:
    """Abandon unfinished walks of that age, of every org, unless held by a live sync; returns their streams' number.

    Each stream of an org is a separate transaction, under the lock of a sync that would continue it.
    """
    forgotten = 0
    for org_id, stream in _abandoned(connection, older_than):
        with connection.transaction():
            forgotten += _forget(connection, org_id, stream, older_than)
    return forgotten


# Of streams that are read together the first one has the checkpoint, and each has staged rows.
_ABANDONED: Final = """
SELECT DISTINCT org_id, stream FROM sync.stream_syncs
WHERE status IN ('running', 'failed') AND (checkpoint IS NOT NULL OR fetched > 0) AND started_at < now() - %s
"""


def _abandoned(connection: Connection[Any], older_than: timedelta) -> list[tuple[str, str]]:
    return connection.execute(_ABANDONED, (older_than,)).fetchall()


def _forget(connection: Connection[Any], org_id: str, stream: str, older_than: timedelta) -> int:
    if lock_holders(connection, org_id, [stream]):
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
