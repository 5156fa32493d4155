"""Requests for work, kept until they have ended. The caller commits.

A request is `waiting` until the requests sensor claims it, `launched` until its run begins, `running`, and then
`succeeded`, `failed` or `canceled`. Its id is also the id of the sync it requests, so that all runs for it, however
many there are, continue one sync.
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
from openfaith_pipeline.telemetry.spans import current_traceparent

MOST_KEY_CHARACTERS: Final = 255

COLUMNS: Final = (
    "request_id, workflow, org_id, payload, trigger, idempotency_key, status, attempt, run_id, not_before,"
    " requested_at, launched_at, started_at, cancel_requested_at, finished_at, error, result, traceparent"
)


@dataclass(frozen=True)
class Request:
    """A stored request.

    payload: the workflow's input. run_id: the newest Dagster run for it.
    error, result: of the finished workflow. traceparent: the span in which it was submitted.
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
    traceparent: str | None = None

    @property
    def is_open(self) -> bool:
        return self.finished_at is None


@dataclass(frozen=True)
class Ask:
    """A request to store: a workflow of the registry, for one org, with its payload as JSON.

    not_before: the earliest time to begin, None for now.
    """

    workflow: str
    org_id: str
    payload: Mapping[str, Any]
    trigger: str
    idempotency_key: str | None = None
    not_before: datetime | None = None


def submit(connection: Connection[Any], ask: Ask) -> tuple[Request, bool]:
    """Store the request, or find the earlier one with the same idempotency key; and whether it is new.

    Raises IdempotencyKeyReused if the org has used the key for a different request.
    """
    check_key(ask.idempotency_key)
    with connection.cursor(row_factory=class_row(Request)) as cursor:
        made = cursor.execute(
            "INSERT INTO sync.requests"  # noqa: S608 - our own column names
            " (request_id, workflow, org_id, payload, trigger, idempotency_key, not_before, traceparent)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (org_id, idempotency_key) DO NOTHING"
            f" RETURNING {COLUMNS}",
            (
                str(TypeID("request")),
                ask.workflow,
                ask.org_id,
                Jsonb(dict(ask.payload)),
                ask.trigger,
                ask.idempotency_key,
                ask.not_before,
                current_traceparent(),
            ),
        ).fetchone()
    return (made, True) if made else (_made_before(connection, ask), False)


def check_key(key: str | None) -> None:
    """Raise UsageError for an idempotency key that is empty, too long or not printable ASCII."""
    if key is None:
        return
    if not (key.strip() and len(key) <= MOST_KEY_CHARACTERS and key.isascii() and key.isprintable()):
        raise UsageError(f"an idempotency key is 1 to {MOST_KEY_CHARACTERS} printable ASCII characters")


def get_request(connection: Connection[Any], request_id: str) -> Request:
    """The request with this id; raises UnknownRequest if there is none."""
    request = _one(connection, "request_id = %s", (request_id,))
    if request is None:
        raise UnknownRequest(f"there is no execution {request_id[:80]!r}")
    return request


def lock_org(connection: Connection[Any], org_id: str) -> None:
    """Keep other transactions from adding requests for the org until this one ends."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('openfaith.requests.' || %s, 0))", (org_id,))


def waiting_requests(connection: Connection[Any], org_id: str, workflow: str) -> list[Request]:
    """The org's requests that are still waiting, oldest first, locked until the transaction ends."""
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
    """Replace the payload and the earliest start of a waiting request."""
    connection.execute(
        "UPDATE sync.requests SET payload = %s, not_before = %s WHERE request_id = %s AND status = 'waiting'",
        (Jsonb(dict(payload)), not_before, request_id),
    )


def cancel_request(connection: Connection[Any], request_id: str) -> Request:
    """Cancel a waiting request at once, request cancellation of a running one, and leave one that has ended.

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
    """Let a failed or canceled request wait again, for another attempt at the same work.

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
    """Newest requests first; workflow, org_ids: None for all."""
    with connection.cursor(row_factory=class_row(Request)) as cursor:
        return cursor.execute(
            f"SELECT {COLUMNS} FROM sync.requests"  # noqa: S608 - our own column names
            " WHERE (%(workflow)s::text IS NULL OR workflow = %(workflow)s)"
            " AND (%(org_ids)s::text[] IS NULL OR org_id = ANY(%(org_ids)s))"
            " ORDER BY requested_at DESC, request_id DESC LIMIT %(limit)s",
            {"workflow": workflow, "org_ids": None if org_ids is None else list(org_ids), "limit": limit},
        ).fetchall()


def forget_ended(connection: Connection[Any], age: timedelta) -> int:
    """Delete requests that ended `age` ago, except those with a key, which stays taken for ever.

    Returns their number.
    """
    return connection.execute(
        "DELETE FROM sync.requests WHERE finished_at < now() - %s AND idempotency_key IS NULL", (age,)
    ).rowcount


def _made_before(connection: Connection[Any], ask: Ask) -> Request:
    before = _one(connection, "org_id = %s AND idempotency_key = %s", (ask.org_id, ask.idempotency_key))
    if before is None:
        raise UnknownRequest("the request with this idempotency key was removed meanwhile; try again")
    if before.workflow != ask.workflow or before.payload != dict(ask.payload):
        raise IdempotencyKeyReused(
            f"the idempotency key was used on {before.requested_at:%Y-%m-%d %H:%M} UTC for another request:"
            " use a new key for each request"
        )
    return before


def _one(connection: Connection[Any], condition: str, values: tuple[Any, ...]) -> Request | None:
    with connection.cursor(row_factory=class_row(Request)) as cursor:
        statement = f"SELECT {COLUMNS} FROM sync.requests WHERE {condition}"  # noqa: S608 - our own conditions
        return cursor.execute(statement, values).fetchone()
