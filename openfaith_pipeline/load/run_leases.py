"""Heartbeats of processes that execute runs, to distinguish a run whose process died from a slow one."""

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from psycopg import Connection

from openfaith_pipeline.database.refusals import outages_told

BEAT_EVERY: Final = timedelta(seconds=2)
STALE_AFTER: Final = timedelta(seconds=8)

_KEPT: Final = timedelta(days=1)


def beat(connection: Connection[Any], run_id: str) -> None:
    """Record that the process of this run is alive; raises DatabaseUnavailable if Postgres is away."""
    with outages_told(None, "before a heartbeat could be recorded"):
        connection.execute(
            "INSERT INTO sync.run_leases (run_id, beat_at) VALUES (%s, now())"
            " ON CONFLICT (run_id) DO UPDATE SET beat_at = excluded.beat_at",
            (run_id,),
        )


class Silence(NamedTuple):
    """since: the last heartbeat. lasts: by the database's clock, which may have been set meanwhile."""

    since: datetime
    lasts: timedelta


def silence_of(connection: Connection[Any], run_id: str) -> Silence | None:
    """Time since the last heartbeat of the run's process; None if there was none."""
    row = connection.execute(
        "SELECT beat_at, now() - beat_at FROM sync.run_leases WHERE run_id = %s", (run_id,)
    ).fetchone()
    return Silence(*row) if row else None


def forget_old_beats(connection: Connection[Any]) -> None:
    """Delete heartbeats of runs that ended long ago."""
    connection.execute("DELETE FROM sync.run_leases WHERE beat_at < now() - %s", (_KEPT,))
