"""Staged versions of records that were written since, as by a webhook, and would undo that.

Nobody else writes a stream while its lease is held. But a process may have ended with pages staged, and the attempt
that continues them publishes them as they were read then. Of deleted rows nothing is staged, see `mark_deleted`.
"""

from functools import cache
from typing import Any, Final

from psycopg import AsyncConnection, sql

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database.table_names import raw_name, staging_name
from openfaith_pipeline.load.sessions import Session

# A record that this attempt has met again is as new as can be.
_DROP: Final = """
DELETE FROM {staging} AS staged USING {raw} AS present
WHERE staged._stream_sync_id = %(id)s AND staged._page <= %(pages)s
  AND present.org_id = %(org_id)s AND present.id = staged.id
  AND present._synced_at > %(started_at)s AND present._sync_id <> %(sync_id)s
  AND present._deleted_at IS NULL AND NOT {is_newer}
  AND NOT EXISTS (SELECT FROM {staging} AS again
      WHERE again._stream_sync_id = %(id)s AND again.id = staged.id AND again._page > %(pages)s)
"""


async def drop_staged_overtaken(connection: AsyncConnection[Any], session: Session, stream: Stream) -> None:
    """Drop versions staged by earlier attempts of records whose rows others have written since, if those are newer."""
    if session.pages_before:
        asked = {
            "id": session.ids[stream.name],
            "pages": session.pages_before,
            "org_id": session.org_id,
            "started_at": session.started_at,
            "sync_id": session.sync_id,
        }
        await connection.execute(_statement(stream), asked)


@cache
def _statement(stream: Stream) -> bytes:
    has_time = "updated_at" in stream.columns
    is_newer = sql.SQL("coalesce(staged.updated_at > present.updated_at, false)" if has_time else "false")
    return sql.SQL(_DROP).format(staging=staging_name(stream), raw=raw_name(stream), is_newer=is_newer).as_bytes()
