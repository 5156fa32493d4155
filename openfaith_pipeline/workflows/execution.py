"""Execution of activities: each exactly once regardless of retries and competing processes, and all or none of them."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from psycopg import Connection

from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import ConnectionRejected, OpenFaithError, UsageError
from openfaith_pipeline.inbox.requests import Request, get_request
from openfaith_pipeline.workflows.activity_log import (
    begin_activity,
    fail_activity,
    lock_execution,
    note_trouble,
    read_activities,
    succeed_activity,
    try_execution,
    undo_activity,
)
from openfaith_pipeline.workflows.definition import Activity, ActivityFailed, Execution, Workflow
from openfaith_pipeline.workflows.registry import get_workflow
from openfaith_pipeline.workflows.submission import read_payload

_FOR_GOOD = (ActivityFailed, ConnectionRejected, UsageError)


class ActivityToRetry(OpenFaithError):
    """An attempt failed; `wait` is the time until the next."""

    def __init__(self, message: str, wait: timedelta) -> None:
        super().__init__(message)
        self.wait = wait


@dataclass(frozen=True)
class Executor:
    """Runs the activities of one execution. sleep: waits between attempts to undo."""

    database: Database
    request_id: str
    sleep: Callable[[float], None] = time.sleep

    def run(self, name: str) -> Any:
        """Run an activity unless it has already run; returns its result.

        Raises ActivityToRetry, or ActivityFailed once it has failed permanently and the earlier ones are undone.
        """
        with self.database.connect() as connection:
            lock_execution(connection, self.request_id)
            done = read_activities(connection, self.request_id).get(name)
            if done and done.status == "succeeded":
                return done.result
            if done and done.status == "failed":
                connection.rollback()
                self._give_up(name, done.error or "")
            workflow = self._workflow(connection)
            position = [activity.name for activity in workflow.activities].index(name)
            attempt = begin_activity(connection, self.request_id, name, position)
        try:
            return self._do(workflow.activity(name))
        except Exception as error:  # noqa: BLE001 - an activity is someone's code: whatever it raises, it is kept or undone
            return self._judge(workflow.activity(name), attempt, error)

    def is_under_way(self) -> bool:
        """Whether some process is in an activity, or undoes one."""
        with self.database.connect() as connection:
            return not try_execution(connection, self.request_id)

    def undo_all(self) -> list[str]:
        """Undo completed activities in reverse order; returns the names of those that could not be undone."""
        with self.database.connect() as connection:
            workflow = self._workflow(connection)
            done = read_activities(connection, self.request_id)
        finished = [activity for activity in workflow.activities if _has_succeeded(done, activity)]
        return [activity.name for activity in reversed(finished) if not self._undo(activity)]

    def _do(self, activity: Activity[Any]) -> Any:
        with self.database.connect() as connection:
            lock_execution(connection, self.request_id)
            done = read_activities(connection, self.request_id)
            if done[activity.name].status == "succeeded":
                return done[activity.name].result
            result = activity.do(self._execution(connection))
            succeed_activity(connection, self.request_id, activity.name, result)
        return result

    def _judge(self, activity: Activity[Any], attempt: int, error: Exception) -> None:
        told = _told(error)
        if not isinstance(error, _FOR_GOOD) and attempt < activity.retry.attempts:
            with self.database.connect() as connection:
                note_trouble(connection, self.request_id, activity.name, told)
            raise ActivityToRetry(told, activity.retry.wait_after(attempt)) from error
        with self.database.connect() as connection:
            fail_activity(connection, self.request_id, activity.name, told)
        self._give_up(activity.name, told)

    def _give_up(self, name: str, reason: str) -> None:
        stuck = self.undo_all()
        rest = f"; not undone, repair by hand: {', '.join(stuck)}" if stuck else ""
        raise ActivityFailed(f"{name} failed: {reason}{rest}")

    def _undo(self, activity: Activity[Any]) -> bool:
        """Undo an activity, with retries; returns whether it is undone or needs no undoing."""
        if activity.undo is None:
            return True
        for attempt in range(1, activity.retry.attempts + 1):
            try:
                self._undo_once(activity)
            except Exception as error:  # noqa: BLE001 - as above
                self._note(activity, f"not undone: {_told(error)}")
            else:
                return True
            if attempt < activity.retry.attempts:
                self.sleep(activity.retry.wait_after(attempt).total_seconds())
        return False

    def _undo_once(self, activity: Activity[Any]) -> None:
        with self.database.connect() as connection:
            lock_execution(connection, self.request_id)
            if activity.undo and _has_succeeded(read_activities(connection, self.request_id), activity):
                activity.undo(self._execution(connection))
                undo_activity(connection, self.request_id, activity.name)

    def _note(self, activity: Activity[Any], trouble: str) -> None:
        with self.database.connect() as connection:
            note_trouble(connection, self.request_id, activity.name, trouble)

    def _execution(self, connection: Connection[Any]) -> Execution[Any]:
        request = get_request(connection, self.request_id)
        done = read_activities(connection, self.request_id)
        return Execution(
            request_id=self.request_id,
            org_id=request.org_id,
            payload=read_payload(get_workflow(request.workflow), request.payload),
            results={name: each.result for name, each in done.items() if each.status == "succeeded"},
            database=self.database,
            connection=connection,
        )

    def _workflow(self, connection: Connection[Any]) -> Workflow[Any]:
        return get_workflow(get_request(connection, self.request_id).workflow)


def outcome_of(connection: Connection[Any], request: Request) -> tuple[str | None, dict[str, Any]]:
    """The failure, if any, and the results of the activities that were not undone."""
    done = read_activities(connection, request.request_id).values()
    failed = [f"{each.name} failed: {each.error}" for each in done if each.status == "failed"]
    return "; ".join(failed) or None, {each.name: each.result for each in done if each.status == "succeeded"}


def _has_succeeded(done: Mapping[str, Any], activity: Activity[Any]) -> bool:
    return activity.name in done and done[activity.name].status == "succeeded"


def _told(error: Exception) -> str:
    """The message of our own errors; only the type of others, whose messages may contain personal data."""
    return str(error) if isinstance(error, OpenFaithError) else type(error).__name__
