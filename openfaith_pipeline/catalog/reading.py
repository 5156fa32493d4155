"""How a source is read: requests and responses as the engine knows them, and the reader that each source provides."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol

from openfaith_pipeline.catalog.source import Product
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk import Checkpoint, Page, Parent, Record, Refused, Route, Walk
from openfaith_pipeline.errors import (
    OpenFaithError,
    SourceUnreachable,
    StreamForbidden,
    TransientError,
    UnexpectedResponse,
)

OWN_FAULTS = (TransientError, UnexpectedResponse, StreamForbidden)
"""Errors that may be specific to one request."""


@dataclass(frozen=True, slots=True)
class Document:
    """One response of a source.

    data: the records of a collection, a single record, or None if there is none. A record in a collection can be
        anything: a broken one is quarantined when loaded, and does not lose its page.
    included: records that were requested with them; they can lag behind the relationships that name them.
    requests: HTTP requests it took, including retries.
    waited_seconds: time spent waiting for the rate limit, ours or the server's; backoff after faults is not counted.
    received_at: when the body was complete, UTC, by this machine's clock.
    served_at: when the response was made, by the server's clock; None if unknown.
    total_count: records in the whole collection according to the server; None if not given.
    next_offset: of the next page, None on the last.
    account_number: the source's id of the church, where the response has it.
    orders: attributes by which the collection can be ordered; None if not given.
    """

    data: list[Any] | dict[str, Any] | None
    included: list[Any]
    requests: int
    waited_seconds: float
    received_at: datetime
    served_at: datetime | None = None
    total_count: int | None = None
    next_offset: int | None = None
    account_number: str | None = None
    orders: tuple[str, ...] | None = None


Fetch = Callable[[str, Mapping[str, str]], Awaitable[Document]]
"""(path, query parameters) -> document."""

Parents = Callable[[Route, str | None], AsyncIterator[Parent]]
"""(route, last parent already visited) -> the following parents in a fixed order."""


@dataclass
class Tally:
    """Requests and rate-limit waits since the last page."""

    requests: int = 0
    waited_seconds: float = 0.0

    def add(self, document: Document) -> Document:
        self.requests += document.requests
        self.waited_seconds += document.waited_seconds
        return document

    def take(self) -> dict[str, Any]:
        """Return the sums as arguments of a Page, and reset them."""
        sums = {"requests": self.requests, "waited_seconds": self.waited_seconds}
        self.requests, self.waited_seconds = 0, 0.0
        return sums


class Client(Protocol):
    """Reads, and occasionally writes, with the credentials of one org.

    requests, waited_seconds: sums over all calls, including failed ones. organization_id: the source's id of the
    church, once a response has shown it. is_accepted: whether the credentials were accepted, and not refused since.
    refusal: why they are dead, if they are.
    """

    requests: int
    waited_seconds: float
    organization_id: str | None

    @property
    def is_accepted(self) -> bool: ...

    @property
    def refusal(self) -> str | None: ...

    async def get(
        self,
        path: str,
        params: Mapping[str, str],
        *,
        product: Product,
        is_leading: bool = False,
        attempts: int | None = None,
    ) -> Document:
        """Read one document. is_leading: others depend on this response. attempts: fewer than usual."""

    async def write(
        self, method: str, path: str, *, product: Product, body: Mapping[str, Any] | None = None
    ) -> Document:
        """Write; returns the document of the new state."""


class Doors(Protocol):
    """Access of one attempt to the products of one org."""

    @property
    def client(self) -> Client: ...

    def fetch_for(self, walk: Walk, attempts: int | None = None) -> Fetch:
        """A fetch for the walk's documents; raises a product's known refusal without another request."""


class Fetches(NamedTuple):
    """The same requests with more or fewer retries.

    patient: as many as usual. brief: enough to outlast a passing fault; for requests that can be made in another way.
    probe: few; for requests that have already failed.
    """

    patient: Fetch
    brief: Fetch
    probe: Fetch


_BRIEF_ATTEMPTS: Final = 5
_PROBING_ATTEMPTS: Final = 2


def fetches_for(doors: Doors, walk: Walk) -> Fetches:
    return Fetches(
        doors.fetch_for(walk),
        doors.fetch_for(walk, attempts=_BRIEF_ATTEMPTS),
        doors.fetch_for(walk, attempts=_PROBING_ATTEMPTS),
    )


@dataclass(frozen=True)
class WalkSource:
    """The API that a walk is read from, and its starting points.

    starts: by lead, the cursor value from which changes are read, None for the beginning of time.
    """

    fetches: Fetches
    parents: Parents
    starts: Mapping[str, datetime | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Brought:
    """Result of a request for one record.

    records: by stream name, the record and those included with it.
    children: (stream of the children, relationship to their parent, the parent's id) -> their ids, all of them.
    """

    records: Mapping[str, list[Record]]
    children: Mapping[tuple[str, str, str], Sequence[str]] = field(default_factory=dict)


class Shown(NamedTuple):
    """Result of a look at one page, or at the listing of one parent.

    rows, included: as they came. records: by stream name. total: of the whole listing, None if not given.
    is_whole: the listing has nothing else.
    """

    rows: list[Any]
    included: list[Any]
    records: Mapping[str, list[Record]]
    total: int | None
    is_whole: bool


class PartsRefused(OpenFaithError):
    """A listing that can be read only without some of the records requested with it, which are `refused`."""

    def __init__(self, refused: Sequence[Refused]) -> None:
        self.refused = refused
        super().__init__("; ".join(each.reason for each in refused))


class Reader(Protocol):
    """How the records of one source are read. Each source's package has one; `sources` joins them."""

    @property
    def PAGE_SIZE(self) -> int:  # noqa: N802 - a constant of the module that is the reader
        """Most records of one page."""

    def open_doors(self, client: Client) -> Doors:
        """Access for one attempt."""

    def read_pages(self, walk: Walk, source: WalkSource, checkpoint: Checkpoint | None) -> AsyncGenerator[Page, None]:
        """Every page of the walk after the checkpoint. Each Page's checkpoint continues after it."""

    async def find_record(
        self, fetch: Fetch, tally: Tally, path: str, params: Mapping[str, str], *, identifier: str
    ) -> Document | None:
        """The document of the record at the path; None if there is none, or another, as after a merge."""

    async def read_record(self, fetch: Fetch, stream: Stream, path: str) -> Brought | None:
        """A record with everything that comes with it; None if it does not (or does not yet) exist."""

    def fetch_records(self, client: Client, stream: Stream) -> Fetch:
        """A fetch for single records of the stream, with everything that their listing shows."""

    async def look(
        self, fetches: Fetches, walk: Walk, route: Route, *, offset: int = 0, parent: Parent | None = None
    ) -> Shown:
        """One request that a sync of the walk would make: the page at the offset, or the listing of the parent."""

    def list_times(self, fetch: Fetch, route: Route) -> AsyncGenerator[Any, None]:
        """The records of a listing with their times only."""

    async def list_ids(
        self, fetch: Fetch, tally: Tally, path: str, params: Mapping[str, str], *, pages: int
    ) -> set[str]:
        """The ids of the records on the first pages of a listing."""

    def route_of(self, stream: Stream) -> Route:
        """A route for the stream's records with everything that can be included."""

    def brought_with(self, stream: Stream) -> list[Stream]:
        """The stream, and the streams of the records that are included with its own."""

    def brings_more(self, stream: Stream) -> bool:
        """Whether a request for the record brings data that its webhook payload lacks."""

    def path_of(self, stream: Stream, resource: Mapping[str, Any], row: Mapping[str, Any] | None) -> str | None:
        """Path of the record: below its listing, from its own link, or under the parents in its row."""

    def own_path(self, stream: Stream, resource: Mapping[str, Any]) -> str | None:
        """The path that the record itself names, if it belongs to the stream's product and to this record."""

    def parents_on(self, stream: Stream, path: str | None) -> dict[str, str]:
        """The ids of the parents in a record's path, by placeholder."""


def is_own_fault(error: OpenFaithError) -> bool:
    """Whether an error may be specific to this request, so that other requests of the walk are worth trying."""
    return isinstance(error, OWN_FAULTS) and not isinstance(error, SourceUnreachable)
