"""Every exception this product raises on purpose, grouped by the caller's reaction.

    OpenFaithError
    ├── UsageError              the user must change the request or the configuration (exit code 2)
    │   ├── ConfigurationError      environment, files, keys, ports
    │   │   └── NoHome                  there is no home, and only a few commands create one
    │   ├── UnknownOrg / UnknownStream / UnknownRequest / UnknownWorkflow / UnknownSync
    │   ├── IdempotencyKeyReused / RequestCanceled
    │   ├── OrgPaused
    │   └── PlanStale               the plan can no longer be published; make a new one
    ├── RetriableError          trying again later may work
    │   ├── TransientError          network, 5xx, truncated or non-JSON body, firewall page
    │   │   └── SourceUnreachable       the API does not respond; affects the church, not one stream
    │   ├── RateLimitedError        429; carries the wait given by the server
    │   ├── DeliveryFailed          an alert could not be delivered
    │   ├── DatabaseUnavailable     Postgres is down or restarting
    │   ├── BrokerUnavailable       the broker of the workers is down or starting
    │   ├── InboxFull               too much of one org waits to be kept
    │   └── StreamBusy              another live sync holds the stream's lease
    ├── ConnectionRejected      the org must reconnect (credentials refused)
    │   └── GrantDead               the token endpoint, which alone knows the state of an OAuth grant, says so
    ├── UnavailableError        not an error of ours: the source withholds this; record it and continue
    │   ├── ProductNotGranted       401 with TRASH_PANDA, or a missing scope
    │   ├── StreamForbidden         403 in JSON: this user may not read this type
    │   └── PathNotFound            404 or 410: the path or record is not there
    ├── CheckFailed             a blocking check failed after publish, and that part was rolled back
    ├── RollbackRefused         others changed the same rows since; names them
    ├── LeaseLost               another attempt took over; stop writing at once
    ├── UnexpectedResponse      a well-formed answer that breaks the contract; give up on the stream
    │   └── QueryRefused            400: it does not take this query; ask for less
    ├── DeletionDisproved       the records to delete exist after all; nothing was marked
    ├── SyncIncomplete          the pages read are published; an immediate retry would end the same
    └── SyncFailed              raised at the end of a sync with a requested stream that failed

Messages never contain credentials or personal data: they are shown in logs, in Dagster and on terminals.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from openfaith_pipeline.text.printable import printable

_log = logging.getLogger(__name__)


class OpenFaithError(Exception):
    """Base of everything raised on purpose. Its message is on one line, and fit for terminals and logs."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*(printable(each) if isinstance(each, str) else each for each in arguments))


class UsageError(OpenFaithError):
    """The request cannot be done as it is; the message says how to change it."""


class ConfigurationError(UsageError):
    """The environment or a file is wrong; the message says which and how to mend it."""


class NoHome(ConfigurationError):
    """There is no home yet, or it is elsewhere; the message says where it was looked for."""


class UnknownOrg(UsageError):
    """No such org is connected."""


class UnknownStream(UsageError):
    """No such stream or product in the catalog."""


class UnknownRequest(UsageError):
    """There was no such request, or its record is gone."""


class UnknownWorkflow(UsageError):
    """No such workflow in the registry."""


class IdempotencyKeyReused(UsageError):
    """The org's idempotency key stands for another request."""


class RequestCanceled(UsageError):
    """The run's request was canceled before it began."""


class UnknownSync(UsageError):
    """No sync of this id is recorded."""


class OrgPaused(UsageError):
    """The org is paused; resume it first."""


class PlanStale(UsageError):
    """The plan is too old, was overtaken by a sync, or no longer exists."""


class RetriableError(OpenFaithError):
    """Trying again later may work."""


class TransientError(RetriableError):
    """Network failure, 5xx, a truncated or non-JSON body, or the firewall's HTML page."""


class SourceUnreachable(TransientError):
    """No connection to the API can be made: refused, no such host, no route. No other request would succeed."""


class RateLimitedError(RetriableError):
    """HTTP 429.

    `retry_after` is the wait given by the server, None if there was none.
    """

    def __init__(self, message: str, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class DeliveryFailed(RetriableError):
    """A channel to people, such as Slack or e-mail, did not take an alert."""


class BrokerUnavailable(RetriableError):
    """The broker that hands runs to workers does not answer."""


class DatabaseUnavailable(RetriableError):
    """Postgres refused or dropped the connection."""


class InboxFull(RetriableError):
    """Too much of one org's webhook deliveries waits to be kept."""


class StreamBusy(RetriableError):
    """Another live sync holds the lease of this stream.

    `run_id` is its Dagster run, None if that is not known.
    """

    def __init__(self, message: str, run_id: str | None = None) -> None:
        super().__init__(message)
        self.run_id = run_id


class ConnectionRejected(OpenFaithError):
    """Planning Center refused the credentials themselves; the org has to be connected again."""


class GrantDead(ConnectionRejected):
    """The token endpoint says that an OAuth grant is over; only the church can give another."""


class UnavailableError(OpenFaithError):
    """The source withholds something: to be recorded, never read as "all rows deleted"."""


class ProductNotGranted(UnavailableError):
    """The connection's user or scope has no access to the product."""


class StreamForbidden(UnavailableError):
    """The connection's user may not read this type."""


class PathNotFound(UnavailableError):
    """The path, or the record, does not exist."""


class CheckFailed(OpenFaithError):
    """A blocking check failed on the rows that a sync had published.

    It is rolled back, and a retry would do the same.
    """


class RollbackRefused(OpenFaithError):
    """Rows of the sync were changed by later syncs or by people.

    `conflicts` names them, as the JSON output shows them: {"table", "key", "changed_by"}.
    """

    def __init__(self, message: str, conflicts: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(message)
        self.conflicts = conflicts


class RebuildRefused(OpenFaithError):
    """A rebuild would mark more rows deleted than a guard allows: the raw tables may have lost theirs."""


class LeaseLost(OpenFaithError):
    """Another attempt took the stream over; nothing more may be written by this one."""


class UnexpectedResponse(OpenFaithError):
    """A well-formed response that breaks the documented contract."""


class QueryRefused(UnexpectedResponse):
    """HTTP 400: the path exists, but does not accept this query."""


class DeletionDisproved(OpenFaithError):
    """Records to delete exist after all; nothing was marked."""


class SyncIncomplete(OpenFaithError):
    """Streams were published whose deletions could not be proven or are held; trying again at once changes nothing."""


class SyncFailed(OpenFaithError):
    """At least one requested stream did not succeed."""


def describe_unforeseen(error: BaseException) -> str:
    """Kind and place of an error, which is logged too. Its text may quote records, and stays out."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_qualname}, line {trace.tb_lineno}" if trace else "an unknown place"
    _log.error("%s in %s", type(error).__name__, place)
    return f"{type(error).__name__} in {place}: a fault of the pipeline, please report it"
