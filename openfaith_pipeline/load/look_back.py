"""How far behind the watermark a sync begins to read: as far as changes were seen to come late, for some weeks."""

from datetime import timedelta
from typing import Final

from psycopg import sql

LEAST: Final = timedelta(minutes=2)
MOST: Final = timedelta(hours=1)

HALVED_EVERY: Final = timedelta(days=7)
"""Churches live by the week: what is set on a busy Sunday, twice the lag seen, still covers that lag on the next."""


def look_back(kept: sql.Composable, kept_at: sql.Composable, moment: sql.Composable) -> sql.Composed:
    """SQL: the look-back at a moment, given the one that was kept and when."""
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
"""SQL: the look-back that holds now, of a row `state` of sync.stream_states."""
