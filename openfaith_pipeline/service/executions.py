"""Executions: requests in the form the service shows, with progress and result. All from Postgres."""

from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from openfaith_pipeline.inbox.requests import Request
from openfaith_pipeline.orgs.newest_syncs import NEWEST_ATTEMPTS


class Told(BaseModel):
    """Base of response models: fields are camelCase on the wire, like OpenFaith's."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class StreamProgress(Told):
    """One stream of a sync: totals of the pages committed so far, or of all once it has ended."""

    stream: str
    status: str = Field(examples=["running", "succeeded", "failed", "incomplete", "withheld", "unavailable"])
    mode: str
    pages: int
    fetched: int
    inserted: int
    updated: int
    unchanged: int
    deleted: int
    quarantined: int
    requests: int
    started_at: datetime
    finished_at: datetime | None
    error: str | None


class ActivityProgress(Told):
    """An activity of a workflow that has begun."""

    name: str
    status: str = Field(examples=["running", "succeeded", "failed", "undone"])
    attempts: int
    started_at: datetime
    finished_at: datetime | None
    error: str | None


class Execution(Told):
    """An execution of a workflow."""

    execution_id: str = Field(examples=["request_01k5t0w2m1e9qv4y8z3n7b6c5d"])
    workflow: str
    org_id: str
    status: str = Field(
        description="waiting, launched (a run is on its way), running, succeeded, failed or canceled",
        examples=["waiting"],
    )
    trigger: str
    idempotency_key: str | None
    run_id: str | None = Field(description="The Dagster run, once it has begun.")
    attempt: int
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    is_cancel_requested: bool
    error: str | None
    result: dict[str, Any] | None


class DetailedExecution(Execution):
    """An execution with its progress. requests: to Planning Center, so far."""

    rows: int
    requests: int
    streams: list[StreamProgress]
    activities: list[ActivityProgress]


def described(request: Request) -> dict[str, Any]:
    """The fields of an `Execution`."""
    return {
        "execution_id": request.request_id,
        "workflow": request.workflow,
        "org_id": request.org_id,
        "status": request.status,
        "trigger": request.trigger,
        "idempotency_key": request.idempotency_key,
        "run_id": request.run_id,
        "attempt": request.attempt,
        "requested_at": request.requested_at,
        "started_at": request.started_at,
        "finished_at": request.finished_at,
        "is_cancel_requested": request.cancel_requested_at is not None,
        "error": request.error,
        "result": request.result,
    }


def detailed(connection: Connection[Any], request: Request) -> DetailedExecution:
    streams = _streams(connection, request)
    return DetailedExecution(
        **described(request),
        rows=sum(stream.fetched for stream in streams),
        requests=sum(stream.requests for stream in streams),
        streams=streams,
        activities=_activities(connection, request),
    )


def _streams(connection: Connection[Any], request: Request) -> list[StreamProgress]:
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            f"SELECT * FROM ({NEWEST_ATTEMPTS}) AS newest WHERE org_id = %(org_id)s ORDER BY stream",  # noqa: S608
            {"sync_id": request.request_id, "org_id": request.org_id},
        ).fetchall()
    return [StreamProgress.model_validate(row) for row in rows]


def _activities(connection: Connection[Any], request: Request) -> list[ActivityProgress]:
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            "SELECT * FROM sync.activities WHERE request_id = %s ORDER BY position", (request.request_id,)
        ).fetchall()
    return [ActivityProgress.model_validate(row) for row in rows]
