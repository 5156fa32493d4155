"""Statistics and room after a large publish: autovacuum comes later, when what follows has been planned badly."""

from collections.abc import Mapping
from typing import Any, Final

from psycopg import AsyncConnection, sql

from openfaith_pipeline.database.table_names import raw_name, staging_name
from openfaith_pipeline.load.publishing import Published
from openfaith_pipeline.sources import STREAMS

LARGE: Final = 1000
SHARE: Final = 0.2
"""A publish is large that wrote so many rows, and this share of the stream's rows."""


async def tidy_up(connection: AsyncConnection[Any], published: Mapping[str, Published]) -> None:
    """Vacuum and analyse the tables of each stream whose publish was large. The connection is in no transaction.

    A table that somebody else is tidying up is left to them.
    """
    tables = [
        table
        for name, counts in published.items()
        if is_large(counts)
        for table in (raw_name(STREAMS[name]), staging_name(STREAMS[name]))
    ]
    if not tables:
        return
    await connection.set_autocommit(True)  # VACUUM runs in no transaction
    try:
        for table in tables:
            await connection.execute(sql.SQL("VACUUM (ANALYZE, SKIP_LOCKED) {}").format(table))
    finally:
        await connection.set_autocommit(False)


def is_large(counts: Published) -> bool:
    """Whether so much was written that what the planner knows of the table is wrong now."""
    written = counts.inserted + counts.updated + counts.deleted
    return written >= LARGE and written >= SHARE * counts.row_count
