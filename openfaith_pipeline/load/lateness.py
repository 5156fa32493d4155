"""Lateness of changes at the source, measured on rows as they are published; it sets the look-back of the next syncs.

Planning Center answers from replicas. A change can become visible after a later one was read, and then its cursor lies
behind the watermark. If it lies within the look-back, the next sync reads it, which shows that the lag is close to the
look-back. If not, the next full read finds it, which shows that the look-back was too short.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final

from psycopg import AsyncConnection, sql

from openfaith_pipeline.catalog.placeholders import placeholders_of
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database.table_names import raw_name, staging_name
from openfaith_pipeline.load.look_back import LEAST, MOST, NOW, look_back
from openfaith_pipeline.load.sessions import Session
from openfaith_pipeline.load.sync_log import PUBLISHED
from openfaith_pipeline.sources import STREAMS

# A row whose cursor did not move was not late. A row that a full read did not show an hour after its cursor was not
# delayed by a replica: it was hidden, imported or forbidden until now. Rows under a parent that the last sync did not
# know, or could not read, may be of any age.
_LATE: Final = """
SELECT DISTINCT incoming.{cursor} AS moment
FROM sync.stream_states AS state
JOIN {staging} AS incoming ON incoming._stream_sync_id = %(id)s AND incoming.{cursor} < state.watermark
LEFT JOIN {raw} AS present ON present.org_id = state.org_id AND present.id = incoming.id
WHERE state.org_id = %(org_id)s AND state.stream = %(stream)s AND state.watermark <= now() + interval '10 minutes'
  AND (present.id IS NULL OR present.{cursor} < incoming.{cursor})
  AND (state.last_full_at IS NULL OR incoming.{cursor} > state.last_full_at - {most})
  AND {parent_is_known}
ORDER BY moment DESC LIMIT 200
"""

# For a row within reach, the lag is its distance from the watermark. Any other row was missed when the watermark first
# moved so far that a sync began after it: a longer look-back would have had to reach back from there. The state before
# each publish is kept for rollbacks.
_WIDEN: Final = sql.SQL("""
WITH passed AS MATERIALIZED (
    SELECT watermark, watermark - {then} AS began
    FROM sync.stream_syncs AS done, LATERAL (
        SELECT (state_before ->> 'watermark')::timestamptz AS watermark,
            (state_before ->> 'look_back')::interval AS look_back,
            (state_before ->> 'look_back_at')::timestamptz AS look_back_at) AS before
    WHERE org_id = %(org_id)s AND stream = %(stream)s AND (status = ANY(%(published)s) OR id = %(id)s)
      AND watermark > (SELECT min(moment) FROM unnest(%(late)s::timestamptz[]) AS late (moment))
), seen AS (
    SELECT max(lag) AS lag
    FROM sync.stream_states AS state, unnest(%(late)s::timestamptz[]) AS late (moment), LATERAL (
        SELECT CASE WHEN moment >= state.watermark - {now} THEN state.watermark
            ELSE (SELECT min(watermark) FROM passed WHERE began > moment) END - moment AS lag) AS measured
    WHERE state.org_id = %(org_id)s AND state.stream = %(stream)s AND lag <= {most}
    HAVING count(*) > 0
)
UPDATE sync.stream_states AS state
SET look_back = least({most}, greatest(seen.lag * 2, seen.lag + {least})), look_back_at = now()
FROM seen
WHERE state.org_id = %(org_id)s AND state.stream = %(stream)s
  AND least({most}, greatest(seen.lag * 2, seen.lag + {least})) > {now}
""").format(
    then=look_back(sql.SQL("look_back"), sql.SQL("look_back_at"), sql.SQL("done.started_at")),
    now=NOW,
    most=sql.Literal(MOST),
    least=sql.Literal(LEAST),
)


async def note_lateness(connection: AsyncConnection[Any], session: Session, stream: Stream) -> None:
    """Widen the stream's look-back if staged rows came later than it allows; call before they are written."""
    if not _tells_lateness(session, stream):
        return
    asked = {"org_id": session.org_id, "stream": stream.name, "id": session.ids[stream.name]}
    cursor = await connection.execute(_late_statement(stream), asked)
    late: Sequence[datetime] = [row["moment"] for row in await cursor.fetchall()]
    if late:
        await connection.execute(_WIDEN, {**asked, "late": late, "published": list(PUBLISHED)})


def _tells_lateness(session: Session, stream: Stream) -> bool:
    """Whether the session follows the stream's cursor, and the table has the parent under which a row was found."""
    return bool(stream.cursor) and stream.name in session.starts and bool(_parent_columns(stream))


def _parent_columns(stream: Stream) -> dict[str, str | None]:
    """The column with the innermost parent's id, by path: None at top level; paths without that column are left out."""
    inner = {path: placeholders_of(path)[-1] if placeholders_of(path) else None for path in stream.all_paths}
    columns = {path: name and f"{name}_id" for path, name in inner.items()}
    return {path: column for path, column in columns.items() if column is None or column in stream.columns}


def _parent_is_known(stream: Stream) -> sql.Composable:
    """SQL condition: the row is under no parent, or under one whose children the last sync could read."""
    known = [
        sql.SQL("true") if column is None else _is_known(stream, path, column)
        for path, column in _parent_columns(stream).items()
    ]
    return sql.SQL("({})").format(sql.SQL(" OR ").join(known))


def _is_known(stream: Stream, path: str, column: str) -> sql.Composable:
    return sql.SQL(
        "EXISTS (SELECT FROM {parent} AS parent WHERE parent.org_id = state.org_id AND parent.id = incoming.{column}"
        " AND parent._first_seen_at < coalesce(state.read_from, state.last_succeeded_at))"
        " AND NOT coalesce(state.left_out -> {path} ? incoming.{column}, false)"
    ).format(
        parent=raw_name(STREAMS[stream.parent_of(path) or ""]),
        column=sql.Identifier(column),
        path=sql.Literal(path),
    )


@cache
def _late_statement(stream: Stream) -> bytes:
    return (
        sql.SQL(_LATE)
        .format(
            cursor=sql.Identifier(stream.cursor or ""),
            staging=staging_name(stream),
            raw=raw_name(stream),
            most=sql.Literal(MOST),
            parent_is_known=_parent_is_known(stream),
        )
        .as_bytes()
    )
