"""Signs of life of the processes that execute runs, so that a run whose process is gone can be told from a slow one."""

from datetime import timedelta
from typing import Any, Final

import psycopg
from psycopg import Connection

from openfaith_pipeline.errors import DatabaseUnavailable

BEAT_EVERY: Final = timedelta(seconds=2)
STALE_AFTER: Final = timedelta(seconds=12)

_KEPT: Final = timedelta(days=1)


def beat(connection: Connection[Any], run_id: str) -> None:
    """Say that the process executing this run is alive; raise DatabaseUnavailable when it cannot be said."""
    try:
        connection.execute(
            "INSERT INTO sync.run_leases (run_id, beat_at) VALUES (%s, now())"
            " ON CONFLICT (run_id) DO UPDATE SET beat_at = excluded.beat_at",
            (run_id,),
        )
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(f"Postgres took no sign of life: {type(error).__name__}") from None


def silence_of(connection: Connection[Any], run_id: str) -> timedelta | None:
    """How long ago the run's process last gave a sign of life, by the database's clock; None when it never did."""
    row = connection.execute("SELECT now() - beat_at FROM sync.run_leases WHERE run_id = %s", (run_id,)).fetchone()
    return row[0] if row else None


def forget_old_beats(connection: Connection[Any]) -> None:
    """Drop the signs of life of runs that have long ended."""
    connection.execute("DELETE FROM sync.run_leases WHERE beat_at < now() - %s", (_KEPT,))
