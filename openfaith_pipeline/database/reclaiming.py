"""Reclaim the space of removed rows: Postgres keeps a deleted row's bytes in its file until the table is rewritten.

The planner's statistics hold samples of values, and are recomputed.
"""

import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg
from psycopg import Connection, sql

MOST_REWRITTEN_BYTES: Final = 2 * 1024**3
"""A larger table is vacuumed in place: to rewrite it would keep everybody from it for minutes."""

_PATIENCE: Final = "10s"
_LATER_PATIENCE: Final = "50ms"
"""Once one table was not to be had: a backup holds them all, and everybody would wait behind each for as long."""
_CLEARS_STATISTICS: Final = 180000
"""The server's version from which a function drops statistics."""

_REFUSALS: Final = (
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.FeatureNotSupported,  # the column of a view
)

# A table without a block has nothing to give back, but may have statistics of former rows.
_TABLES: Final = """
SELECT n.nspname, c.relname, pg_total_relation_size(c.oid),
    pg_relation_size(c.oid) = 0 AND coalesce(pg_relation_size(nullif(c.reltoastrelid, 0)), 0) = 0
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_inherits AS part ON part.inhrelid = c.oid
WHERE c.relkind = 'r' AND (n.nspname || '.' || c.relname = ANY(%(names)s)
    OR part.inhparent::regclass::text = ANY(%(names)s))
ORDER BY 1, 2
"""

# ANALYZE of an empty table leaves its old statistics as they are.
_SAMPLED: Final = """
SELECT stats.attname, stats.inherited, format_type(a.atttypid, a.atttypmod)
FROM pg_stats AS stats JOIN pg_attribute AS a ON a.attrelid = %(table)s::regclass AND a.attname = stats.attname
WHERE stats.schemaname = %(schema)s AND stats.tablename = %(name)s
"""

_OLDER: Final = """
SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
  AND age(backend_xmin) > age(%s::xid) LIMIT 1
"""
_READERS_SECONDS: Final = 20.0
_LOOK_SECONDS: Final = 0.1

_STATISTICS: Final = ("pg_catalog", "pg_statistic")


@dataclass
class Reclaimed:
    """Tables that were rewritten, those that were only vacuumed (too large, or in use), and those refused.

    in_use: those that others held, to be tried again.
    """

    rewritten: list[str] = field(default_factory=list)
    vacuumed: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    in_use: list[str] = field(default_factory=list)

    def note(self, name: str, *, is_rewritten: bool, is_vacuumed: bool) -> None:
        (self.rewritten if is_rewritten else self.vacuumed if is_vacuumed else self.refused).append(name)


def reclaim(connection: Connection[Any], names: Collection[str]) -> Reclaimed:
    """Rewrite these tables (of a partitioned one, each part), and the statistics. Needs an autocommit connection.

    names: schema and table.
    """
    done = Reclaimed()
    _wait_for_readers(connection)
    connection.execute(sql.SQL("SET lock_timeout = {}").format(sql.Literal(_PATIENCE)))
    for schema, name, size, is_empty in connection.execute(_TABLES, {"names": sorted(names)}).fetchall():
        if not is_empty:
            _rewrite(connection, (schema, name), size, done)
        _forget_samples(connection, schema, name, done)
    _wait_for_readers(connection)  # later transactions still see the old statistics
    _rewrite(connection, _STATISTICS, 0, done)
    _run(connection, sql.SQL("CHECKPOINT"))
    return done


def _wait_for_readers(connection: Connection[Any]) -> None:
    """Wait until no transaction of this database is older than now: rewriting keeps removed rows that one still sees.

    It waits some seconds at most: a reader that stays for hours keeps the removed rows for as long.
    """
    until = time.monotonic() + _READERS_SECONDS
    [(newest,)] = connection.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::xid").fetchall()
    while connection.execute(_OLDER, (str(newest),)).fetchone() is not None and time.monotonic() < until:
        time.sleep(_LOOK_SECONDS)


def _rewrite(connection: Connection[Any], table: tuple[str, str], size: int, done: Reclaimed) -> None:
    name = sql.Identifier(*table)
    is_small = size <= MOST_REWRITTEN_BYTES
    is_rewritten = is_small and _run(connection, sql.SQL("VACUUM (FULL, ANALYZE) {}").format(name), table, done)
    # To cut off empty pages at its end, VACUUM would wait five seconds for a table in use.
    in_place = sql.SQL("VACUUM (ANALYZE, TRUNCATE {}) {}").format(sql.Literal(not is_small), name)
    is_vacuumed = is_rewritten or _run(connection, in_place)
    done.note(".".join(table), is_rewritten=is_rewritten, is_vacuumed=is_vacuumed)


def _forget_samples(connection: Connection[Any], schema: str, name: str, done: Reclaimed) -> None:
    """Drop the statistics of a table that has become empty."""
    table = sql.Identifier(schema, name)
    if connection.execute(sql.SQL("SELECT FROM {} LIMIT 1").format(table)).fetchone() is not None:
        return
    asked = {"schema": schema, "name": name, "table": table.as_string(None)}
    for column, is_inherited, kind in connection.execute(_SAMPLED, asked).fetchall():
        if connection.info.server_version >= _CLEARS_STATISTICS:
            clear = sql.SQL("SELECT pg_clear_attribute_stats({}, {}, {}, {})").format(
                schema, name, column, is_inherited
            )
        else:
            # To the type that it has: nothing is rewritten, and the column's statistics are dropped.
            clear = sql.SQL("ALTER TABLE {} ALTER COLUMN {} TYPE {}").format(
                table, sql.Identifier(column), sql.SQL(kind)
            )
        if not _run(connection, clear):
            done.note(f"{schema}.{name}", is_rewritten=False, is_vacuumed=False)
            return


def _run(
    connection: Connection[Any],
    statement: sql.Composed | sql.SQL,
    table: tuple[str, str] | None = None,
    done: Reclaimed | None = None,
) -> bool:
    """Run the statement; returns whether the server did not refuse it or skip the table, which it only warns of.

    table: noted in `done` if others hold it.
    """
    skipped: list[str] = []

    def note(diagnostic: psycopg.errors.Diagnostic) -> None:
        skipped.append(diagnostic.message_primary or "")

    connection.add_notice_handler(note)
    try:
        connection.execute(statement, prepare=False)
    except psycopg.errors.LockNotAvailable:
        connection.execute(sql.SQL("SET lock_timeout = {}").format(sql.Literal(_LATER_PATIENCE)))
        if table and done:
            done.in_use.append(".".join(table))
        return False
    except _REFUSALS:
        return False
    finally:
        connection.remove_notice_handler(note)
    return not any("skipping" in each or "permission denied" in each for each in skipped)
