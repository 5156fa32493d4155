"""What is known of the activities of an execution: which are done, with what result, and which have failed.

A row is written in the transaction of the activity itself, so that what an activity did in this database and the record
that it did it are one. Every function leaves the commit to its caller.
"""

from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb


@dataclass(frozen=True)
class Done:
    """An activity that was begun. status: running, succeeded, failed or undone."""

    name: str
    position: int
    status: str
    attempts: int
    result: Any
    error: str | None


def lock_execution(connection: Connection[Any], request_id: str) -> None:
    """Let nobody else carry out anything of the execution until the end of the transaction."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('openfaith.execution.' || %s, 0))", (request_id,))


def read_activities(connection: Connection[Any], request_id: str) -> dict[str, Done]:
    """By name, those that were begun, in their order."""
    with connection.cursor(row_factory=class_row(Done)) as cursor:
        rows = cursor.execute(
            "SELECT name, position, status, attempts, result, error FROM sync.activities"
            " WHERE request_id = %s ORDER BY position",
            (request_id,),
        ).fetchall()
    return {row.name: row for row in rows}


def begin_activity(connection: Connection[Any], request_id: str, name: str, position: int) -> int:
    """Count an attempt; its number, from 1. One that was undone begins anew."""
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
    """Tell of an attempt that failed and is followed by another."""
    connection.execute(
        "UPDATE sync.activities SET error = %s WHERE request_id = %s AND name = %s", (error, request_id, name)
    )


def undo_activity(connection: Connection[Any], request_id: str, name: str) -> None:
    """Record that its compensation is done."""
    connection.execute(
        "UPDATE sync.activities SET status = 'undone', finished_at = now() WHERE request_id = %s AND name = %s",
        (request_id, name),
    )
