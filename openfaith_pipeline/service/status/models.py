"""The contents of the status pages and of `/api/status...`: ids, names of churches, counts and reasons."""

from datetime import datetime
from typing import Final

from pydantic import ConfigDict, Field

from openfaith_pipeline.orgs.standing import Standing
from openfaith_pipeline.service.executions import Execution, Told
from openfaith_pipeline.service.health import Readiness

_NEXT_AT: Final = "Past where it is due or under way; null while the church is paused."
_IS_DUE: Final = "It waits for the clock's next sweep."


class Read(Told):
    """A model that is filled from a dataclass of the same fields."""

    model_config = ConfigDict(from_attributes=True)


class ChurchLine(Told):
    """A church in the list. rows: published and not deleted. failing, running, withheld: numbers of streams.

    connection: its state and reason, in words. next_at: of its next sync by the clock.
    """

    org_id: str
    name: str
    standing: Standing
    connection: str
    rows: int
    streams: int
    failing: int
    running: int
    withheld: int
    quarantined: int
    held: int = Field(description="Rows held from deletion until a decision.")
    open_alerts: int
    newest_success_at: datetime | None
    oldest_success_at: datetime | None = Field(description="Of the stream that has waited longest.")
    next_at: datetime | None = Field(description=_NEXT_AT)
    is_due: bool = Field(description=_IS_DUE)
    is_under_way: bool


class Overview(Told):
    """One page of the churches. counts: of all that the caller may see, by standing. found: how many fit the search."""

    readiness: Readiness
    freshness_hours: float
    total: int
    counts: dict[Standing, int]
    found: int
    page: int
    pages: int
    churches: list[ChurchLine]


class StreamLine(Read):
    """One stream of a church. status, mode, finished_at, error, sync_id: of its newest sync."""

    stream: str
    status: str | None
    mode: str | None
    rows: int | None = Field(validation_alias="row_count")
    availability: str
    availability_reason: str | None
    watermark: datetime | None
    last_succeeded_at: datetime | None
    last_full_at: datetime | None
    finished_at: datetime | None
    sync_id: str | None
    error: str | None
    quarantined: int
    held: int
    parentless: int
    drift: list[str]

    @property
    def is_failing(self) -> bool:
        return self.status in {"failed", "incomplete"}

    @property
    def reason(self) -> str:
        """Why it is not well, empty when it is."""
        if self.availability != "available":
            return f"{self.availability.replace('_', ' ')}: {self.availability_reason or 'no reason is known'}"
        return (self.error or "") if self.status != "succeeded" else ""


class ProductLine(Told):
    """The streams of one product. rows_by_day: at the end of each of the last 30 days, the last of them now."""

    product: str
    rows: int
    failing: int
    running: int
    withheld: int
    newest_success_at: datetime | None
    oldest_success_at: datetime | None
    rows_by_day: list[int]
    streams: list[StreamLine]


class TurnLine(Read):
    """When the church is synced next by the clock. kind: incremental or reconcile. failures: in a row."""

    kind: str
    next_at: datetime | None = Field(description=_NEXT_AT)
    is_due: bool = Field(description=_IS_DUE)
    is_under_way: bool
    succeeded_at: datetime | None
    failures: int
    error: str | None


class BudgetLine(Read):
    """Requests to Planning Center: used of limit in period seconds. waiting: requests that wait for the budget."""

    limit: int
    period: float
    used: int
    waiting: int
    paused_seconds: float


class WithheldLine(Read):
    """Streams of a product that Planning Center withholds. is_whole: all of them."""

    product: str
    streams: list[str]
    is_whole: bool
    reason: str


class ConnectionLine(Told):
    """kind: personal_access_token or oauth; None without credentials."""

    state: str
    reason: str | None
    kind: str | None
    since: datetime | None
    withheld: list[WithheldLine]


class HeldLine(Read):
    """A deletion that waits for a decision: `number` rows of `row_count`."""

    id: int
    stream: str
    sync_id: str
    number: int
    row_count: int
    reason: str
    held_at: datetime


class WebhookLine(Told):
    """subscriptions: None while webhooks are not set up. pending: deliveries that are not applied yet."""

    subscriptions: int
    pending: int
    oldest_pending_at: datetime | None
    failed: int
    problem: str | None


class AlertLine(Read):
    kind: str
    message: str
    mend: str
    count: int
    first_seen_at: datetime


class ChangeLine(Read):
    """Rows of one stream that one sync changed."""

    finished_at: datetime
    stream: str
    sync_id: str
    mode: str
    inserted: int
    updated: int
    deleted: int
    merged: int


class VerifiedLine(Told):
    """A stream or OpenFaith table that did not equal its source. name: of the stream or table. mend: a command."""

    name: str
    status: str
    missing: int
    extra: int
    different: int
    reason: str
    mend: str | None


class VerificationLine(Told):
    """One verification. parts: streams and OpenFaith tables it was of. differing: those that did not equal.

    not_compared: number of streams that the source withholds, or that the sample did not reach.
    """

    verification_id: str
    status: str
    trigger: str
    is_full: bool
    finished_at: datetime
    requests: int
    compared: int
    parts: int
    not_compared: int
    differing: list[VerifiedLine]


class Church(Told):
    """One church as a whole. run_url: of the newest run in Dagster, where its address is known."""

    org_id: str
    name: str
    standing: Standing
    paused_at: datetime | None
    connection: ConnectionLine
    rows: int
    products: list[ProductLine]
    turns: list[TurnLine]
    budget: BudgetLine | None
    held: list[HeldLine]
    quarantined: int
    conflicts: int = Field(description="Fields that were changed on both sides and wait for a decision.")
    webhooks: WebhookLine
    alerts: list[AlertLine]
    changes: list[ChangeLine]
    verifications: list[VerificationLine] = Field(
        description="The newest first; each night has a share of the streams."
    )
    executions: list[Execution]
    run_id: str | None
    run_url: str | None


class SyncLine(Read):
    """One sync of a stream."""

    sync_id: str
    mode: str
    status: str
    started_at: datetime
    finished_at: datetime | None
    fetched: int
    inserted: int
    updated: int
    deleted: int
    quarantined: int
    requests: int
    error: str | None


class QuarantineLine(Read):
    """Open entries of one field and reason."""

    field: str | None
    reason: str
    number: int
    newest_at: datetime


class StreamPage(Told):
    """One stream of one church."""

    org_id: str
    name: str
    description: str
    line: StreamLine
    rows_by_day: list[int]
    syncs: list[SyncLine]
    changes: list[ChangeLine]
    quarantine: list[QuarantineLine]
    held: list[HeldLine]


class StepLine(Read):
    """One stream of a sync. status: waiting, or that of its sync. expected_requests: those of the last time."""

    org_id: str
    stream: str
    status: str
    mode: str
    pages: int
    fetched: int
    inserted: int
    updated: int
    unchanged: int
    deleted: int
    quarantined: int
    requests: int
    waited_seconds: float
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None
    expected_requests: int | None


class SyncPage(Read):
    """A sync, or a request for one that has not begun (status `waiting`). share: from 0 to 1."""

    sync_id: str
    org_ids: list[str]
    org_names: dict[str, str]
    status: str
    mode: str | None
    trigger: str
    run_id: str | None
    run_url: str | None
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None
    share: float | None
    rows: int
    requests: int
    seconds: float
    rows_per_second: float | None
    requests_per_second: float | None
    seconds_left: float | None
    streams: list[StepLine]

    @property
    def is_open(self) -> bool:
        return self.status in {"waiting", "launched", "running"}
