"""Vacuum and analyse after a large publish: autovacuum would come too late for the statements that follow."""

from collections.abc import Mapping
from typing import Any, Final

from psycopg import AsyncConnection, sql

from openfaith_pipeline.database.table_names import raw_name, staging_name
from openfaith_pipeline.load.publishing import Published
from openfaith_pipeline.sources import STREAMS

LARGE: Final = 1000
SHARE: Final = 0.2
"""A publish is large if it wrote at least this many rows and this share of the stream's rows."""


async def tidy_up(connection: AsyncConnection[Any], published: Mapping[str, Published]) -> None:
    """Vacuum and analyse the tables of each stream with a large publish. The connection must be in no transaction.

    Tables that another session is vacuuming are skipped.
    """
    tables = [
        table
        for name, counts in published.items()
        if is_large(counts)
        for table in (raw_name(STREAMS[name]), staging_name(STREAMS[name]))
    ]
    if not tables:
        return
    await connection.set_autocommit(True)  # VACUUM cannot run in a transaction
    try:
        for table in tables:
            await connection.execute(sql.SQL("VACUUM (ANALYZE, SKIP_LOCKED) {}").format(table))
    finally:
        await connection.set_autocommit(False)


def is_large(counts: Published) -> bool:
    """Whether enough was written to make the planner's statistics wrong."""
    written = counts.inserted + counts.updated + counts.deleted
    return written >= LARGE and written >= SHARE * counts.row_count
