"""Streams answered with silence: no record and no refusal, from a product that hides what the user may not read.

Whether everything was deleted or nothing may be read cannot be told from such an answer, so the rows stay.
"""

from functools import cache
from typing import Any

from psycopg import AsyncConnection, sql

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk import Walk
from openfaith_pipeline.database.table_names import raw_name
from openfaith_pipeline.load.deletions import account
from openfaith_pipeline.load.sessions import Session


async def find_silent(connection: AsyncConnection[Any], session: Session) -> dict[str, str]:
    """By stream that has rows and of which a whole reading brought none, the reason to call it withheld."""
    silent: dict[str, str] = {}
    for stream in session.walk.streams:
        if not stream.product.hides_what_is_forbidden or not _is_shown_whole(session.walk, stream):
            continue
        if any(await account(connection, session, stream)):
            continue
        rows = await _live_rows(connection, session.org_id, stream)
        if rows:
            silent[stream.name] = (
                f"{stream.product.value} answered with no record of {stream.name} and with no refusal, which may mean"
                f" that it may not be read; the {rows} rows that are here stay as they are"
            )
    return silent


def _is_shown_whole(walk: Walk, stream: Stream) -> bool:
    routes = [route for route in walk.routes if stream in route.streams]
    return bool(routes) and all(route.is_whole for route in routes)


async def _live_rows(connection: AsyncConnection[Any], org_id: str, stream: Stream) -> int:
    cursor = await connection.execute(_count_statement(stream), (org_id,))
    row = await cursor.fetchone()
    return row["rows"] if row else 0


@cache
def _count_statement(stream: Stream) -> bytes:
    statement = sql.SQL("SELECT count(*) AS rows FROM {} WHERE org_id = %s AND _deleted_at IS NULL")
    return statement.format(raw_name(stream)).as_bytes()
