"""Webhook deliveries of a source, and the declaration of how it delivers."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, Protocol

from openfaith_pipeline.catalog.stream import Stream

MOST_ID_CHARACTERS: Final = 255

# A day within Python's limits, so that it can be shown in any time zone.
_FIRST_MOMENT: Final = datetime(1, 1, 2, tzinfo=UTC)
_LAST_MOMENT: Final = datetime(9999, 12, 30, tzinfo=UTC)


class Event(NamedTuple):
    """The parts of an event's name. action: `created`, `updated`, `destroyed`, or another."""

    stream: Stream
    action: str

    @property
    def is_end(self) -> bool:
        """Whether the event means that the record is gone."""
        return self.action == "destroyed"


@dataclass(frozen=True)
class Incoming:
    """A delivery whose signature was right.

    event_id: names the event among all of the org at its source. event: its name. stream, record_id: the record it is
        about, None if unknown.
    occurred_at: when, as the source says. payload: the record's document as it came.
    is_doubtful: it reports an end that has to be confirmed, as one of several in a body.
    traceparent: the span in which it was received, None outside any trace.
    """

    org_id: str
    event_id: str
    event: str
    stream: str | None
    record_id: str | None
    occurred_at: datetime | None
    payload: bytes
    is_doubtful: bool = False
    traceparent: str | None = None


class WebhookDialect(Protocol):
    """How a source signs and writes its deliveries. Nothing here raises, whatever the body is."""

    def is_signature(self, text: str) -> bool:
        """Whether the text has a signature's form."""

    def is_signed(self, body: bytes, signature: str, secret: bytes) -> bool:
        """Whether the signature is the body's under the secret, in constant time."""

    def account_in(self, body: bytes) -> str | None:
        """The source's id of the church in an unverified body. Use it only to find the secrets to try."""

    def read_envelope(self, body: bytes, org_id: str, event: str, sent_at: str = "") -> list[Incoming]:
        """The events in a body. All get the name whose secret signed it, whatever names they have in the body.

        Unreadable deliveries are kept as well, the body whole and once, for people to look at.
        """

    def event_named(self, name: str) -> Event | None:
        """The event with this name; None if its type is not synced."""


@dataclass(frozen=True)
class SubscriptionThere:
    """A webhook subscription as its source has it. secret: None if the source does not show it."""

    id: str
    event: str
    url: str
    is_active: bool
    secret: str | None


class Subscriptions(Protocol):
    """The webhook subscriptions of one org at its source. Errors are those of requests."""

    async def offered(self) -> list[str]:
        """The names of the events that can be subscribed to."""

    async def there(self) -> list[SubscriptionThere]:
        """All subscriptions of the org, including those of other programs."""

    async def add(self, event: str, url: str) -> tuple[str, str]:
        """The id of the new subscription, and its secret."""

    async def enable(self, id: str) -> None: ...

    async def new_secret(self, id: str) -> str:
        """The secret that replaces the present one."""

    async def delete(self, id: str) -> None:
        """Delete the subscription; one that does not exist counts as deleted."""


def moment_of(value: Any) -> datetime | None:
    """The time in UTC, if it is within the range of both Postgres and Python; None for anything else."""
    try:
        moment = datetime.fromisoformat(value)
        moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None
    return moment if _FIRST_MOMENT <= moment <= _LAST_MOMENT else None
