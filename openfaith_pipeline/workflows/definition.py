"""Definition of a workflow: a payload, an idempotency key, and activities that are retried and finally compensated."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, TypeVar

from psycopg import Connection
from pydantic import BaseModel, ConfigDict

from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import OpenFaithError


class Payload(BaseModel):
    """Base of workflow payloads. Undeclared fields are refused, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


P = TypeVar("P", bound=Payload)


class ActivityFailed(OpenFaithError):
    """Raised by an activity that has failed permanently: it is not retried, and earlier activities are undone."""


@dataclass(frozen=True)
class Retry:
    """Total number of attempts, and the first wait between them; each later wait is twice as long."""

    attempts: int = 4
    first_wait: timedelta = timedelta(seconds=5)

    def wait_after(self, attempt: int) -> timedelta:
        """The time to wait after attempt number `attempt`, counted from 1."""
        return self.first_wait * float(2 ** (attempt - 1))


@dataclass(frozen=True)
class Execution(Generic[P]):
    """Context of an activity.

    connection: its transaction, which also commits its result, so changes to this database are made exactly once.
        Changes elsewhere may be repeated after a crash, so identify them there by `request_id`.
    results: of the completed activities, by name; while an activity is undone, its own too.
    database: for reads in a separate connection, and for the settings.
    """

    request_id: str
    org_id: str
    payload: P
    results: Mapping[str, Any]
    database: Database
    connection: Connection[Any]


@dataclass(frozen=True)
class Activity(Generic[P]):
    """One step.

    do: returns its result as JSON. Any exception is retried according to `retry`, except ActivityFailed, UsageError and
        ConnectionRejected, which another attempt would not change.
    undo: its compensation, None if it needs none.
    """

    name: str
    do: Callable[[Execution[P]], Any]
    undo: Callable[[Execution[P]], None] | None = None
    retry: Retry = field(default_factory=Retry)


@dataclass(frozen=True)
class Workflow(Generic[P]):
    """An operation that can be requested by name.

    org_id: gets the org from the payload: only API keys for that org may request it.
    idempotency_key: gets a key from the payload; two requests with one key are one. None makes each request distinct,
        unless the client sends a key.
    activities: run in this order. None at all means a sync: its activities are the assets of the org.
    is_operation: whether only those may request and resume it who may decide about an org's rows.
    needs_org: whether the org has to be registered when it is requested.
    """

    name: str
    description: str
    payload: type[P]
    org_id: Callable[[P], str]
    idempotency_key: Callable[[P], str | None] = field(default=lambda _: None)
    activities: tuple[Activity[P], ...] = ()
    is_operation: bool = False
    needs_org: bool = True

    def __post_init__(self) -> None:
        names = [activity.name for activity in self.activities]
        if len(set(names)) < len(names):
            raise ValueError(f"{self.name} has two activities with the same name: {', '.join(names)}")
        for name in (self.name, *names):
            if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
                raise ValueError(f"{name!r} is not a valid name: use a letter, then letters, digits and underscores")

    @property
    def is_sync(self) -> bool:
        return not self.activities

    def activity(self, name: str) -> Activity[P]:
        return next(activity for activity in self.activities if activity.name == name)
