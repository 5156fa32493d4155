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

_IS_OWNER: Final = "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'sync.journal'::regclass"


def may_change_partitions(connection: Connection[Any]) -> bool:
    """Whether this role owns the journal; a writer leaves partitions to `db upgrade`, which creates those of a year."""
    return connection.execute(_IS_OWNER).fetchone() == (True,)


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


# An org with a retention of its own has a horizon of its own from the first maintenance on. Without one again, it
# follows all others.
_OWN_HORIZONS: Final = """
WITH kept AS (SELECT org_id, journal_kept FROM sync.org_settings WHERE journal_kept IS NOT NULL), set AS (
    INSERT INTO sync.org_journal_horizons AS own (org_id, begins_at)
    SELECT org_id, greatest(horizon.begins_at, now() - journal_kept) FROM kept, sync.journal_horizon AS horizon
    ON CONFLICT (org_id) DO UPDATE SET begins_at = greatest(
        own.begins_at, now() - (SELECT journal_kept FROM kept WHERE kept.org_id = own.org_id))
)
UPDATE sync.org_journal_horizons AS own SET begins_at = greatest(own.begins_at, horizon.begins_at)
FROM sync.journal_horizon AS horizon WHERE own.org_id NOT IN (SELECT org_id FROM kept)
"""

# Entries of an org are found by its horizon; of the others, those that only stay for an org that keeps them longer.
_FORGET_OWN: Final = """
DELETE FROM sync.journal AS entry USING sync.org_journal_horizons AS own
WHERE entry.org_id = own.org_id AND entry.changed_at < own.begins_at
"""
_FORGET_OTHERS: Final = """
DELETE FROM sync.journal AS entry USING sync.journal_horizon AS horizon
WHERE entry.changed_at < horizon.begins_at
    AND NOT EXISTS (SELECT FROM sync.org_journal_horizons AS own WHERE own.org_id = entry.org_id)
"""


def longest_kept(connection: Connection[Any], days: int) -> int:
    """The longest retention of any org, in days. days: that of orgs without a setting of their own."""
    row = connection.execute("SELECT extract(days FROM max(journal_kept))::int FROM sync.org_settings").fetchone()
    return max(days, row[0] or 0) if row else days


def forget_entries(connection: Connection[Any], *, days: int) -> int:
    """Delete the entries of orgs that keep them for less time than others; returns their number.

    days: for orgs without a setting of their own.
    """
    with connection.transaction():
        if longest_kept(connection, days) > days:
            horizon = datetime.now(UTC) - timedelta(days=days)
            connection.execute(_OWN_HORIZONS)
            connection.execute("UPDATE sync.journal_horizon SET begins_at = greatest(begins_at, %s)", (horizon,))
            forgotten = connection.execute(_FORGET_OTHERS).rowcount
        else:
            connection.execute(_OWN_HORIZONS)
            forgotten = 0
        return forgotten + connection.execute(_FORGET_OWN).rowcount


def drop_partitions(connection: Connection[Any], *, days: int) -> list[str]:
    """Drop whole months of entries that no org keeps any longer; returns the partitions dropped.

    days: for orgs without a setting of their own. The horizon, before which the journal cannot reconstruct a table,
    moves along.
    """
    keeps_from = datetime.now(UTC) - timedelta(days=longest_kept(connection, days))
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
