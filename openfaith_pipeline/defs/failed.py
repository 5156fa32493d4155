"""Failures that Dagster shows in their own words alone."""

from collections.abc import Mapping
from textwrap import shorten
from typing import Any, Final

import dagster as dg

from openfaith_pipeline.defs.dagster_private import DagsterUserCodeProcessError, SerializableErrorInfo

_REASONS_SHOWN: Final = 5
_CHURCHES_SHOWN: Final = 10
_REASON_CHARACTERS: Final = 300


class Failed(DagsterUserCodeProcessError, dg.Failure):
    """Fails a step with a message, without retries.

    Dagster adds a stack trace to any other exception, and to a plain `dg.Failure` too. It has none here because the
    description of an error in a process of the user's code is passed on as it is.
    """

    def __init__(self, message: str, metadata: Mapping[str, Any] | None = None) -> None:
        dg.Failure.__init__(self, message, metadata, allow_retries=False)
        self.user_code_process_error_infos = [SerializableErrorInfo(message, [], Failed.__name__)]


class AttemptFailed(DagsterUserCodeProcessError, dg.RetryRequested):
    """Fails an attempt of a step with a message, without a stack trace either; others follow, up to a number.

    Raise it from the `Failed` that the last attempt ends with.
    """

    def __init__(self, message: str, max_retries: int) -> None:
        dg.RetryRequested.__init__(self, max_retries)
        reason = SerializableErrorInfo(message, [], Failed.__name__)
        self.user_code_process_error_infos = [
            SerializableErrorInfo("The attempt failed.\n", [], AttemptFailed.__name__, cause=reason)
        ]


def failed_for_all(headline: str, failures: Mapping[str, str], names: Mapping[str, str]) -> Failed:
    """The failure of a job that succeeded for no church: which they are, and why, the commonest reason first.

    failures: reasons by org. names: of churches by org.
    """
    churches: dict[str, list[str]] = {}
    for org_id, reason in failures.items():
        churches.setdefault(reason, []).append(f"{names.get(org_id, org_id)} ({org_id})")
    shown = sorted(churches.items(), key=lambda each: len(each[1]), reverse=True)
    reasons = [
        f"{_listed(stopped)}: {shorten(reason, _REASON_CHARACTERS, placeholder=' ...')}" for reason, stopped in shown
    ]
    more = [f"{len(reasons) - _REASONS_SHOWN} more reasons are in the log"] if len(reasons) > _REASONS_SHOWN else []
    return Failed("\n".join([headline, ";\n".join([*reasons[:_REASONS_SHOWN], *more])]))


def _listed(churches: list[str]) -> str:
    more = len(churches) - _CHURCHES_SHOWN
    return ", ".join(churches[:_CHURCHES_SHOWN]) + (f" and {more} more" if more > 0 else "")
