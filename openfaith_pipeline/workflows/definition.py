"""What a workflow is: a payload, an idempotency key, and activities that are retried and, if all else fails, undone."""

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
    """Base of what workflows are given: what is not declared is refused, so that a misspelt field is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


P = TypeVar("P", bound=Payload)


class ActivityFailed(OpenFaithError):
    """Raised by an activity that has failed for good: it is not tried again, and what was done before is undone."""


@dataclass(frozen=True)
class Retry:
    """How often an activity is tried in all, and how long the first wait is; each later one is twice as long."""

    attempts: int = 4
    first_wait: timedelta = timedelta(seconds=5)

    def wait_after(self, attempt: int) -> timedelta:
        """The wait after the attempt of this number, counted from 1."""
        return self.first_wait * float(2 ** (attempt - 1))


@dataclass(frozen=True)
class Execution(Generic[P]):
    """What an activity works with.

    connection: its transaction, in which its result is committed too: what it does in this database is done once.
        What it does elsewhere may be done again after a crash, so name it by `request_id` there.
    results: of the activities that are done, by name; when it is undone, its own among them.
    database: for what reads in a connection of its own, and for the settings.
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

    do: returns what is to be remembered of it, as JSON. Whatever it raises, it is tried again as `retry` has it, but
        for ActivityFailed, UsageError and ConnectionRejected, of which another try would change nothing.
    undo: its compensation, None if it needs none.
    """

    name: str
    do: Callable[[Execution[P]], Any]
    undo: Callable[[Execution[P]], None] | None = None
    retry: Retry = field(default_factory=Retry)


@dataclass(frozen=True)
class Workflow(Generic[P]):
    """Something that can be asked for by name.

    org_id: the org it is done for, of the payload: only keys for that org may ask.
    idempotency_key: of the payload; two requests with one key are one. None lets each be its own, unless the asker
        gives a key.
    activities: carried out in this order. None at all means a sync: its activities are the assets of the org.
    """

    name: str
    description: str
    payload: type[P]
    org_id: Callable[[P], str]
    idempotency_key: Callable[[P], str | None] = field(default=lambda _: None)
    activities: tuple[Activity[P], ...] = ()

    def __post_init__(self) -> None:
        names = [activity.name for activity in self.activities]
        if len(set(names)) < len(names):
            raise ValueError(f"{self.name} has two activities of one name: {', '.join(names)}")
        for name in (self.name, *names):
            if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
                raise ValueError(f"{name!r} is no name: it is a letter, and then letters, digits and underscores")

    @property
    def is_sync(self) -> bool:
        return not self.activities

    def activity(self, name: str) -> Activity[P]:
        return next(activity for activity in self.activities if activity.name == name)
