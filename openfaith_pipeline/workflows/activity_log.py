"""Log of the activities of an execution: their status, results and errors.

A row is written in the activity's own transaction, so an activity's changes to this database and the record of it are
atomic. The caller commits.
"""

from dataclasses import dataclass
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb


@dataclass(frozen=True)
class Done:
    """An activity that has begun. status: running, succeeded, failed or undone."""

    name: str
    position: int
    status: str
    attempts: int
    result: Any
    error: str | None


_KEY: Final = "hashtextextended('openfaith.execution.' || %s, 0)"


def lock_execution(connection: Connection[Any], request_id: str) -> None:
    """Keep other processes from running anything of the execution until the transaction ends."""
    connection.execute(f"SELECT pg_advisory_xact_lock({_KEY})", (request_id,))


def try_execution(connection: Connection[Any], request_id: str) -> bool:
    """Lock the execution as `lock_execution` does unless another process has; returns whether it is locked now."""
    row = connection.execute(f"SELECT pg_try_advisory_xact_lock({_KEY})", (request_id,)).fetchone()
    return bool(row and row[0])


def read_activities(connection: Connection[Any], request_id: str) -> dict[str, Done]:
    """Activities that have begun, by name, in order."""
    with connection.cursor(row_factory=class_row(Done)) as cursor:
        rows = cursor.execute(
            "SELECT name, position, status, attempts, result, error FROM sync.activities"
            " WHERE request_id = %s ORDER BY position",
            (request_id,),
        ).fetchall()
    return {row.name: row for row in rows}


def begin_activity(connection: Connection[Any], request_id: str, name: str, position: int) -> int:
    """Count an attempt and return its number, from 1. An activity that was undone starts again."""
    row = connection.execute(
        "INSERT INTO sync.activities AS a (request_id, name, position, status, attempts)"
        " VALUES (%s, %s, %s, 'running', 1) ON CONFLICT (request_id, name) DO UPDATE SET status = 'running',"
        " attempts = CASE a.status WHEN 'undone' THEN 1 ELSE a.attempts + 1 END, error = NULL, finished_at = NULL"
        " RETURNING attempts",
        (request_id, name, position),
    ).fetchone()
    return row[0] if row else 1


def succeed_activity(connection: Connection[Any], request_id: str, name: str, result: Any) -> None:
    connection.execute(
        "UPDATE sync.activities SET status = 'succeeded', result = %s, error = NULL, finished_at = now()"
        " WHERE request_id = %s AND name = %s",
        (None if result is None else Jsonb(result), request_id, name),
    )


def fail_activity(connection: Connection[Any], request_id: str, name: str, error: str) -> None:
    connection.execute(
        "UPDATE sync.activities SET status = 'failed', error = %s, finished_at = now()"
        " WHERE request_id = %s AND name = %s",
        (error, request_id, name),
    )


def note_trouble(connection: Connection[Any], request_id: str, name: str, error: str) -> None:
    """Record a failed attempt that will be followed by another."""
    connection.execute(
        "UPDATE sync.activities SET error = %s WHERE request_id = %s AND name = %s", (error, request_id, name)
    )


def undo_activity(connection: Connection[Any], request_id: str, name: str) -> None:
    """Record that the activity was compensated."""
    connection.execute(
        "UPDATE sync.activities SET status = 'undone', finished_at = now() WHERE request_id = %s AND name = %s",
        (request_id, name),
    )
