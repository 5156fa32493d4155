"""How far a published walk has read a stream's changes."""

from typing import Any

from psycopg import AsyncConnection, sql

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database.table_names import raw_name
from openfaith_pipeline.load.sessions import Session
from openfaith_pipeline.load.stream_states import CLOCK_ALLOWANCE, move_watermark


def lacks_includes(session: Session, stream: Stream) -> bool:
    """Whether some included records were missing, so that the changes since the last sync are not all read."""
    return any(route.refused for route in session.walk.routes if stream in route.streams)


async def follow_watermark(
    connection: AsyncConnection[Any], session: Session, stream: Stream, lead: Stream | None = None
) -> None:
    """Move the watermark forward only. A listing that does not say how far it got has seen all changes up to its start.

    lead: the stream it was read with, if changes of this one also change that.
    """
    reached = session.walk.reached(lead or stream, session.end) if session.end else None
    left_out = session.walk.left_out(stream, session.end) if session.end else []
    unread = [each.before for each in left_out if each.parent is None]
    if None in unread or lacks_includes(session, stream):
        return
    reached = min((moment for moment in (reached, *unread) if moment), default=None)
    if reached is None:
        cursor = await connection.execute(
            sql.SQL("SELECT least(max({}), %s) AS reached FROM {} WHERE org_id = %s").format(
                sql.Identifier(stream.cursor or ""), raw_name(stream)
            ),
            (session.started_at - CLOCK_ALLOWANCE, session.org_id),
        )
        row = await cursor.fetchone()
        reached = row["reached"] if row else None
    await move_watermark(connection, session.org_id, stream.name, reached)
