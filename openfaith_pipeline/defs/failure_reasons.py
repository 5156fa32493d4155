"""Reasons for failed runs, extracted from their events, for places other than Dagster's UI."""

import inspect
from collections.abc import Iterator
from typing import Any, Final

import dagster as dg

from openfaith_pipeline import errors
from openfaith_pipeline.defs.failed import Failed
from openfaith_pipeline.text.printable import printable

_OURS: Final = frozenset(
    name for name, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, errors.OpenFaithError)
)
_FAILURES: Final = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}


def reason_of(instance: dg.DagsterInstance, run_id: str) -> str | None:
    """The error of the run's steps, or else of the run; None if its events have none.

    Our own errors are given with their message, others by type: their messages may quote personal data.
    """
    reasons = dict.fromkeys(_reasons(instance, run_id))
    return "; ".join(reasons) or None


def _reasons(instance: dg.DagsterInstance, run_id: str) -> Iterator[str]:
    for entry in instance.all_logs(run_id, of_type=_FAILURES):
        event = entry.dagster_event
        if event is None:
            continue
        data = event.step_failure_data if event.is_step_failure else event.job_failure_data
        described = getattr(data, "user_failure_data", None)
        if described and described.description:
            yield printable(described.description)
        elif data and data.error:
            yield _in_words(data.error)
        elif data is None and event.message:  # a run that was failed from outside, as when its process is gone
            yield printable(event.message)


def _in_words(error: Any) -> str:
    """error: Dagster's SerializableErrorInfo."""
    while error.cause:
        error = error.cause
    name = str(error.cls_name)
    if name == Failed.__name__:
        return printable(error.message)
    if name not in _OURS:
        return f"an unexpected {name}"
    return printable(error.message.partition(": ")[2].strip() or name)
