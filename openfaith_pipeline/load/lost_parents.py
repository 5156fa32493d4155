"""Repair rows that lost their parent under earlier versions: read their streams once with all their parents.

The lost parent cannot be derived from the row. So everything that brings the stream is read whole, as in a reconcile,
by the next sync of changes; like any sync it can be interrupted and continued, and is journaled. It happens only once:
rows that are parentless afterwards are so at the source.
"""

from collections.abc import Collection
from typing import Any, Final

from psycopg import AsyncConnection, sql

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database.parentage import is_parentless
from openfaith_pipeline.database.table_names import raw_name
from openfaith_pipeline.load.sessions import Session
from openfaith_pipeline.sources import STREAMS

_UNMINDED: Final = """
SELECT stream FROM sync.stream_states
 WHERE org_id = %s AND stream = ANY(%s) AND parents_read_at IS NULL AND last_succeeded_at IS NOT NULL
"""
_MINDED: Final = """
UPDATE sync.stream_states SET parents_read_at = now()
 WHERE org_id = %s AND stream = ANY(%s) AND parents_read_at IS NULL
"""


async def streams_that_lost_parents(
    connection: AsyncConnection[Any], org_id: str, streams: Collection[Stream]
) -> set[str]:
    """Names of streams to read with all their parents now."""
    with_parents = [stream.name for stream in streams if stream.parent_ways]
    cursor = await connection.execute(_UNMINDED, (org_id, with_parents))
    unminded = [STREAMS[row["stream"]] for row in await cursor.fetchall()]
    if not unminded:
        return set()
    cursor = await connection.execute(sql.SQL(" UNION ALL ").join(map(_has_lost, unminded)), {"org_id": org_id})
    lost = {row["stream"] for row in await cursor.fetchall() if row["has_lost"]}
    await connection.execute(_MINDED, (org_id, [stream.name for stream in unminded if stream.name not in lost]))
    return lost


def _has_lost(stream: Stream) -> sql.Composable:
    statement = sql.SQL(
        "SELECT {} AS stream, EXISTS"
        " (SELECT FROM {} WHERE org_id = %(org_id)s AND _deleted_at IS NULL AND {}) AS has_lost"
    )
    return statement.format(sql.Literal(stream.name), raw_name(stream), is_parentless(stream))


async def note_parents_read(connection: AsyncConnection[Any], session: Session) -> None:
    """Record the streams for which the session has read all parents; in the transaction of its publish."""
    partly = {
        stream.name
        for route in session.walk.routes
        if not route.is_whole
        for stream in (route.lead, *(each.stream for each in route.carried))
    }
    read = [stream.name for stream in session.walk.streams if stream.parent_ways and stream.name not in partly]
    if read:
        await connection.execute(_MINDED, (session.org_id, read))
