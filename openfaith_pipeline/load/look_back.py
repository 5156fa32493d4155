"""The look-back: how far behind the watermark a sync begins to read, from the lateness observed in recent weeks."""

from datetime import timedelta
from typing import Final

from psycopg import sql

LEAST: Final = timedelta(minutes=2)
MOST: Final = timedelta(hours=1)

HALVED_EVERY: Final = timedelta(days=7)
"""Churches have a weekly rhythm: twice the lag of a busy Sunday still covers that lag on the next one."""


def look_back(kept: sql.Composable, kept_at: sql.Composable, moment: sql.Composable) -> sql.Composed:
    """SQL: the look-back at a time, given the stored one and when it was stored."""
    return sql.SQL(
        "least({most}, greatest({least},"
        " {kept} * power(0.5, least(99, extract(epoch FROM {moment} - {kept_at})::float8 / {half_life}))))"
    ).format(
        most=sql.Literal(MOST),
        least=sql.Literal(LEAST),
        kept=kept,
        moment=moment,
        kept_at=kept_at,
        half_life=sql.Literal(HALVED_EVERY.total_seconds()),
    )


NOW: Final = look_back(sql.SQL("state.look_back"), sql.SQL("state.look_back_at"), sql.SQL("now()"))
"""SQL: the current look-back of a row `state` of sync.stream_states."""
