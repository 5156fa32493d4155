"""Partitions of the journal: one for each month, created ahead and dropped after the retention time."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from psycopg import Connection, sql

MONTHS_AHEAD: Final = 12
_PARENT: Final = sql.Identifier("sync", "journal")
_DEFAULT: Final = sql.Identifier("sync", "journal_default")

_PARTITIONS: Final = """
SELECT child.relname FROM pg_inherits
JOIN pg_class AS child ON child.oid = inhrelid
WHERE inhparent = 'sync.journal'::regclass AND child.relname ~ '^journal_[0-9]{4}_[0-9]{2}$'
"""


def add_partitions(connection: Connection[Any], *, months_ahead: int = MONTHS_AHEAD) -> list[str]:
    """Create missing partitions for this month and the next ones; returns their names.

    Entries that went to the default partition meanwhile move into them.
    """
    present, month, added = _months(connection), _month_of(datetime.now(UTC).date()), []
    for _ in range(months_ahead + 1):
        if month not in present:
            _add_partition(connection, month)
            added.append(_name(month))
        month = _next(month)
    return added


def drop_partitions(connection: Connection[Any], *, days: int) -> list[str]:
    """Drop whole months of entries older than `days`; returns the partitions dropped.

    The horizon, before which the journal cannot reconstruct a table, moves along.
    """
    keeps_from = datetime.now(UTC) - timedelta(days=days)
    expired = sorted(month for month in _months(connection) if _next(month) <= keeps_from.date())
    if not expired:
        return []
    horizon = _next(expired[-1])
    with connection.transaction():
        connection.execute("UPDATE sync.journal_horizon SET begins_at = greatest(begins_at, %s)", (horizon,))
        connection.execute(sql.SQL("DELETE FROM {} WHERE changed_at < %s").format(_DEFAULT), (horizon,))
        for month in expired:
            connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier("sync", _name(month))))
    return [_name(month) for month in expired]


def _add_partition(connection: Connection[Any], month: date) -> None:
    # Attached rather than created in place: that would lock the journal against writers.
    partition, begin, end = sql.Identifier("sync", _name(month)), sql.Literal(month), sql.Literal(_next(month))
    with connection.transaction():
        connection.execute(sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(partition, _PARENT))
        connection.execute(
            sql.SQL(
                "WITH moved AS (DELETE FROM {} WHERE changed_at >= {} AND changed_at < {} RETURNING *)"
                " INSERT INTO {} SELECT * FROM moved"
            ).format(_DEFAULT, begin, end, partition)
        )
        connection.execute(
            sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
                _PARENT, partition, begin, end
            )
        )


def _months(connection: Connection[Any]) -> set[date]:
    names = [name for (name,) in connection.execute(_PARTITIONS).fetchall()]
    return {date(int(name[8:12]), int(name[13:15]), 1) for name in names}


def _name(month: date) -> str:
    return f"journal_{month:%Y_%m}"


def _month_of(day: date) -> date:
    return day.replace(day=1)


def _next(month: date) -> date:
    return _month_of(month + timedelta(days=31))
