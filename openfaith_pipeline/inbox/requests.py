"""Requests: work that was asked for, kept until its end is known. Each function leaves the commit to its caller.

A request is `waiting` until the requests sensor has claimed it, `launched` until its run begins, `running`, and then
`succeeded`, `failed` or `canceled`. Its id is also the id of the sync it asks for, so that every run that carries it
out, however many there come to be, continues one sync.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb
from typeid import TypeID

from openfaith_pipeline.errors import IdempotencyKeyReused, UnknownRequest, UsageError

MOST_KEY_CHARACTERS: Final = 255

COLUMNS: Final = (
    "request_id, workflow, org_id, payload, trigger, idempotency_key, status, attempt, run_id, not_before,"
    " requested_at, launched_at, started_at, cancel_requested_at, finished_at, error, result"
)


@dataclass(frozen=True)
class Request:
    """A request as it stands.

    payload: what the workflow was given. run_id: the newest of the Dagster runs that carried it out.
    error, result: how it ended; the result is the workflow's.
    """

    request_id: str
    workflow: str
    org_id: str
    payload: dict[str, Any]
    trigger: str
    idempotency_key: str | None
    status: str
    attempt: int
    run_id: str | None
    not_before: datetime | None
    requested_at: datetime
    launched_at: datetime | None
    started_at: datetime | None
    cancel_requested_at: datetime | None
    finished_at: datetime | None
    error: str | None
    result: dict[str, Any] | None

    @property
    def is_open(self) -> bool:
        return self.finished_at is None


@dataclass(frozen=True)
class Ask:
    """What is asked for: a workflow of the registry, for one org, with its payload as JSON.

    not_before: the moment until which it waits.
    """

    workflow: str
    org_id: str
    payload: Mapping[str, Any]
    trigger: str
    idempotency_key: str | None = None
    not_before: datetime | None = None


def submit(connection: Connection[Any], ask: Ask) -> tuple[Request, bool]:
    """Keep the request, or find the one that was made with this key before; and whether it is new.

    Raises IdempotencyKeyReused when the org's key stands for something else.
    """
    check_key(ask.idempotency_key)
    with connection.cursor(row_factory=class_row(Request)) as cursor:
        made = cursor.execute(
            "INSERT INTO sync.requests"  # noqa: S608 - our own column names
            " (request_id, workflow, org_id, payload, trigger, idempotency_key, not_before)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (org_id, idempotency_key) DO NOTHING"
            f" RETURNING {COLUMNS}",
            (
                str(TypeID("request")),
                ask.workflow,
                ask.org_id,
                Jsonb(dict(ask.payload)),
                ask.trigger,
                ask.idempotency_key,
                ask.not_before,
            ),
        ).fetchone()
    return (made, True) if made else (_made_before(connection, ask), False)


def check_key(key: str | None) -> None:
    """Raise UsageError for an idempotency key that is no key: empty, too long, or not printable ASCII."""
    if key is None:
        return
    if not (0 < len(key) <= MOST_KEY_CHARACTERS and key.isascii() and key.isprintable()):
        raise UsageError(f"an idempotency key is 1 to {MOST_KEY_CHARACTERS} printable ASCII characters")


def get_request(connection: Connection[Any], request_id: str) -> Request:
    """Raise UnknownRequest when there is none of this id."""
    request = _one(connection, "request_id = %s", (request_id,))
    if request is None:
        raise UnknownRequest(f"there is no execution {request_id[:80]!r}")
    return request


def lock_org(connection: Connection[Any], org_id: str) -> None:
    """Let nobody else ask for anything of the org until the end of the transaction."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('openfaith.requests.' || %s, 0))", (org_id,))


def waiting_requests(connection: Connection[Any], org_id: str, workflow: str) -> list[Request]:
    """The org's requests that nobody has begun to carry out, oldest first, locked until the end of the transaction."""
    with connection.cursor(row_factory=class_row(Request)) as cursor:
        return cursor.execute(
            f"SELECT {COLUMNS} FROM sync.requests"  # noqa: S608 - our own column names
            " WHERE org_id = %s AND workflow = %s AND status = 'waiting' AND finished_at IS NULL"
            " ORDER BY requested_at, request_id FOR UPDATE",
            (org_id, workflow),
        ).fetchall()


def change_waiting(
    connection: Connection[Any], request_id: str, payload: Mapping[str, Any], not_before: datetime | None
) -> None:
    """Let a waiting request stand for more than it did."""
    connection.execute(
        "UPDATE sync.requests SET payload = %s, not_before = %s WHERE request_id = %s AND status = 'waiting'",
        (Jsonb(dict(payload)), not_before, request_id),
    )


def cancel_request(connection: Connection[Any], request_id: str) -> Request:
    """End a request that waits, at once; ask for the end of one that is under way; leave one that has ended.

    Raises UnknownRequest.
    """
    connection.execute(
        "UPDATE sync.requests SET cancel_requested_at = coalesce(cancel_requested_at, now()),"
        " status = CASE status WHEN 'waiting' THEN 'canceled' ELSE status END,"
        " finished_at = CASE status WHEN 'waiting' THEN now() END"
        " WHERE request_id = %s AND finished_at IS NULL",
        (request_id,),
    )
    return get_request(connection, request_id)


def resume_request(connection: Connection[Any], request_id: str) -> Request:
    """Let a request that failed or was canceled wait again, for another attempt at the same work.

    Raises UnknownRequest.
    """
    connection.execute(
        "DELETE FROM sync.activities AS a USING sync.requests AS r WHERE r.request_id = %s"
        " AND a.request_id = r.request_id AND a.status <> 'succeeded' AND r.status IN ('failed', 'canceled')",
        (request_id,),
    )
    connection.execute(
        "UPDATE sync.requests SET status = 'waiting', attempt = attempt + 1, run_id = NULL, not_before = NULL,"
        " launched_at = NULL, started_at = NULL, cancel_requested_at = NULL, finished_at = NULL, error = NULL,"
        " result = NULL WHERE request_id = %s AND status IN ('failed', 'canceled')",
        (request_id,),
    )
    return get_request(connection, request_id)


def list_requests(
    connection: Connection[Any], workflow: str | None, org_ids: Collection[str] | None, limit: int
) -> list[Request]:
    """The newest requests first: of one workflow or all (None), of these orgs or all (None)."""
    with connection.cursor(row_factory=class_row(Request)) as cursor:
        return cursor.execute(
            f"SELECT {COLUMNS} FROM sync.requests"  # noqa: S608 - our own column names
            " WHERE (%(workflow)s::text IS NULL OR workflow = %(workflow)s)"
            " AND (%(org_ids)s::text[] IS NULL OR org_id = ANY(%(org_ids)s))"
            " ORDER BY requested_at DESC, request_id DESC LIMIT %(limit)s",
            {"workflow": workflow, "org_ids": None if org_ids is None else list(org_ids), "limit": limit},
        ).fetchall()


def forget_ended(connection: Connection[Any], age: timedelta) -> int:
    """Delete requests that ended so long ago, but those with a key, which counts for ever; how many."""
    return connection.execute(
        "DELETE FROM sync.requests WHERE finished_at < now() - %s AND idempotency_key IS NULL", (age,)
    ).rowcount


def _made_before(connection: Connection[Any], ask: Ask) -> Request:
    before = _one(connection, "org_id = %s AND idempotency_key = %s", (ask.org_id, ask.idempotency_key))
    if before is None:
        raise UnknownRequest("the request with this idempotency key was removed meanwhile; ask again")
    if before.workflow != ask.workflow or before.payload != dict(ask.payload):
        raise IdempotencyKeyReused(
            f"the idempotency key was used on {before.requested_at:%Y-%m-%d %H:%M} UTC for another request:"
            " take a new key for each thing asked for"
        )
    return before


def _one(connection: Connection[Any], condition: str, values: tuple[Any, ...]) -> Request | None:
    with connection.cursor(row_factory=class_row(Request)) as cursor:
        statement = f"SELECT {COLUMNS} FROM sync.requests WHERE {condition}"  # noqa: S608 - our own conditions
        return cursor.execute(statement, values).fetchone()
