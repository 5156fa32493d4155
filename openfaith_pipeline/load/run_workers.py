"""Workers that take runs from a broker: how many runs they execute at once, and whether they have room for more."""

from datetime import timedelta
from typing import Any, Final

from psycopg import Connection

from openfaith_pipeline.load.run_leases import STALE_AFTER

_BEAT: Final = """
INSERT INTO sync.run_workers AS known (worker, slots, room_since, beat_at)
VALUES (%(worker)s, %(slots)s, CASE WHEN %(has_room)s THEN now() END, now())
ON CONFLICT (worker) DO UPDATE SET slots = excluded.slots, beat_at = excluded.beat_at,
    room_since = CASE WHEN %(has_room)s THEN coalesce(known.room_since, now()) END
"""
_KEPT: Final = timedelta(days=1)


def beat_worker(connection: Connection[Any], worker: str, *, slots: int, has_room: bool) -> None:
    """Record that the worker is alive. has_room: whether it would take a run that waits at the broker now."""
    connection.execute(_BEAT, {"worker": worker, "slots": slots, "has_room": has_room})


def forget_worker(connection: Connection[Any], worker: str) -> None:
    """Forget a worker that takes no more runs, and those that died long ago."""
    connection.execute("DELETE FROM sync.run_workers WHERE worker = %s OR beat_at < now() - %s", (worker, _KEPT))


def slots_of_workers(connection: Connection[Any]) -> int:
    """How many runs all living workers together can execute at the same time."""
    row = connection.execute(
        "SELECT coalesce(sum(slots), 0) FROM sync.run_workers WHERE beat_at > now() - %s", (STALE_AFTER,)
    ).fetchone()
    return int(row[0]) if row else 0


def time_with_room(connection: Connection[Any]) -> timedelta | None:
    """For how long some living worker has had a free slot, so that no run had to wait; None if each is busy or gone."""
    row = connection.execute(
        "SELECT now() - min(room_since) FROM sync.run_workers WHERE beat_at > now() - %s", (STALE_AFTER,)
    ).fetchone()
    return row[0] if row else None


def has_worker(connection: Connection[Any], host: str) -> bool:
    """Whether a worker of this host is alive."""
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM sync.run_workers WHERE split_part(worker, ':', 1) = %s AND beat_at > now() - %s)",
        (host, STALE_AFTER),
    ).fetchone()
    return bool(row and row[0])
