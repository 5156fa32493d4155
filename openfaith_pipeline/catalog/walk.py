"""The data that passes from extraction to loading: a walk's records, in pages, each with the checkpoint after it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, NamedTuple

from openfaith_pipeline.catalog.placeholders import placeholders_of
from openfaith_pipeline.catalog.stream import Strategy, Stream

RESUMABLE_FOR = timedelta(hours=12)
"""How long an unfinished walk may be continued; after that its staged rows are too old to publish."""

Checkpoint = dict[str, Any]
"""JSON: everything needed to request the page after the one it belongs to."""

CHECKPOINT_FORMAT = 3
"""Raise it when the contents of checkpoints change: walks begun by older versions are then restarted."""


class Carried(NamedTuple):
    """A stream included in a listing.

    parent: the stream whose records name these. way: dotted relationships, from the listing's rows to the records.
    relationship: from the record to the parent.
    outer: how the parent's records are included themselves, None if they are the listing's rows.
    """

    stream: Stream
    parent: Stream
    way: str
    relationship: str
    outer: "Carried | None" = None

    @property
    def name(self) -> str:
        """The parent's relationship to the records."""
        return self.way.rpartition(".")[2]


class Refused(NamedTuple):
    """Related records that the source answers with an error when they are requested with a listing.

    name: dotted, as Carried.way. is_withheld: refused, rather than failed.
    """

    name: str
    reason: str
    is_withheld: bool = False

    def hides(self, way: str) -> bool:
        """Whether this way leads through the refused one."""
        return way == self.name or way.startswith(f"{self.name}.")


@dataclass(frozen=True)
class Route:
    """One path to list, once or for each of its parents.

    lead: the stream whose records are listed.
    carried: included streams, outer ones first.
    listing: strategy for one listing.
    is_whole: whether every record is read, not only those changed since the watermark.
    is_rotating: whether only some parents are visited: those that changed, that had recent changes under them, or whose
        turn in the daily rotation has come.
    filters: parameters that make the listing show records it omits by default.
    is_of_hidden: whether it shows only the records that the lead's other listings omit.
    refusal: why the source does not show the omitted records; then no record missing from the listing is deleted.
    refused: related records that are not requested because the source fails on them.
    """

    lead: Stream
    path: str
    carried: tuple[Carried, ...]
    listing: Strategy
    is_whole: bool
    is_rotating: bool = False
    filters: tuple[tuple[str, str], ...] = ()
    is_of_hidden: bool = False
    refusal: str | None = None
    refused: tuple[Refused, ...] = ()

    def without(self, refused: Iterable[Refused]) -> "Route":
        """The route without the streams that come in these ways."""
        gone = (*self.refused, *refused)
        kept = tuple(each for each in self.carried if not any(one.hides(each.way) for one in gone))
        return replace(self, carried=kept, refused=gone)

    def unasked(self, stream: Stream) -> dict[str, Refused]:
        """Relationships that the stream's records show only where these request them, as this route cannot."""
        prefixes = ["", *(f"{each.way}." for each in self.carried if each.stream is stream)]
        shown = prefixes if stream is self.lead else prefixes[1:]
        return {
            name: each
            for each in self.refused
            for prefix in shown
            for name in stream.asks_for
            if each.hides(f"{prefix}{name}")
        }

    @property
    def is_unconfirmed(self) -> bool:
        """Whether the path may be absent."""
        return self.lead.is_unconfirmed and self.path == self.lead.path

    @property
    def placeholders(self) -> tuple[str, ...]:
        """Parents in the path, outermost first; empty at top level."""
        return placeholders_of(self.path)

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The streams whose records the route's listings show."""
        return (self.lead, *dict.fromkeys(carried.stream for carried in self.carried))

    @property
    def query(self) -> dict[str, str]:
        """Parameters of every page of the route."""
        asked = set(self.lead.asks_for)
        for carried in self.carried:
            asked |= {carried.way, *(f"{carried.way}.{name}" for name in carried.stream.asks_for)}
        asked = {name for name in asked if not any(each.hides(name) for each in self.refused)}
        named: dict[str, list[str]] = {}
        for stream in self.streams:
            if stream.withheld or stream.only_asked:
                brought = (each.name for each in self.carried if each.parent is stream)
                named[stream.type] = list(
                    dict.fromkeys([*stream.attributes, *stream.belongs_to, *stream.has_many, *brought])
                )
        return {**dict(self.filters), **self.lead.product.source.query(sorted(asked), named)}


def query_of(stream: Stream) -> dict[str, str]:
    """Parameters with which a single record of the stream shows everything that its listing does."""
    return Route(stream, stream.path, (), stream.listing, is_whole=False).query


def id_of(row: Any) -> str | None:
    """A row's id, None for a row too broken to have one (loading quarantines it)."""
    value = row.get("id") if isinstance(row, dict) else None
    return value if isinstance(value, str) and value.isprintable() else None


class Parent(NamedTuple):
    """A record whose children are listed.

    ids: by placeholder of the route's path. is_new: first seen since the children were last read, so all of them must
    be read.
    """

    ids: Mapping[str, str]
    is_new: bool


@dataclass(frozen=True)
class LeftOut:
    """A part of a listing that could not be read: its existing rows stay, and the next sync tries again.

    place: such as `/registrations/v2/signups/1/attendees`. reason: the error of the request.
    is_withheld: whether it was refused, rather than failed.
    parent: the innermost id of the path, None at top level.
    before: at top level, the cursor up to which everything was read; None if unknown.
    """

    place: str
    reason: str
    is_withheld: bool = False
    parent: str | None = None
    before: str | None = None

    def __str__(self) -> str:
        return f"{self.place}: {self.reason.removeprefix(f'GET {self.place}: ')}"


@dataclass(frozen=True)
class Walk:
    """Listings that are read one after the other and published together, since they feed the same streams.

    streams: those to publish; a lead that is only read for its children is not among them.
    """

    routes: tuple[Route, ...]
    streams: tuple[Stream, ...]

    @property
    def is_whole(self) -> bool:
        return bool(self.routes) and all(route.is_whole for route in self.routes)

    def without_hidden(self, lead: Stream, refusal: str) -> "Walk":
        """The walk without the parameters that show omitted records, because the source refuses them."""
        routes = (
            replace(route, filters=(), refusal=refusal) if route.lead is lead else route
            for route in self.routes
            if route.lead is not lead or not route.is_of_hidden
        )
        return Walk(tuple(routes), self.streams)

    @property
    def refusals(self) -> dict[str, str]:
        """By stream name, why some of its records are not shown although no listing was refused."""
        return {stream.name: route.refusal for route in self.routes if route.refusal for stream in route.streams}

    def only(self, routes: Iterable[Route]) -> "Walk":
        """The walk with only these routes, when others cannot be read. It no longer shows all records."""
        kept = tuple(replace(route, is_whole=False) for route in routes)
        fed = {stream for route in kept for stream in route.streams}
        return Walk(kept, tuple(stream for stream in self.streams if stream in fed))

    def without(self, refused: Iterable[Refused]) -> "Walk":
        """The walk without the streams that come by these includes. The remaining streams are still shown whole."""
        gone = tuple(refused)
        kept = tuple(route.without(gone) for route in self.routes)
        fed = {stream for route in kept for stream in route.streams}
        return Walk(kept, tuple(stream for stream in self.streams if stream in fed))

    def of(self, stream: Stream) -> "Walk":
        """The part of the walk that reads this one stream."""
        shown = (route for route in self.routes if stream in route.streams)
        routes = (replace(r, carried=tuple(each for each in r.carried if each.stream is stream)) for r in shown)
        return Walk(tuple(routes), (stream,))

    @property
    def is_listed_at_top(self) -> bool:
        """Whether any of its listings is at top level, not per parent."""
        return any(not route.placeholders for route in self.routes)

    @property
    def paths(self) -> frozenset[str]:
        return frozenset(route.path for route in self.routes)

    @property
    def leads(self) -> tuple[Stream, ...]:
        """The streams listed, published or not."""
        return tuple(dict.fromkeys(route.lead for route in self.routes))

    def ends_of(self, lead: Stream, end: "End") -> list["RouteEnd"]:
        """Ends of the routes that list the lead's records."""
        return [ended for route, ended in zip(self.routes, end.routes, strict=False) if route.lead is lead]

    def left_out(self, stream: Stream, end: "End") -> list[LeftOut]:
        """Unread parts of the listings that show the stream."""
        pairs = zip(self.routes, end.routes, strict=False)
        return [each for route, ended in pairs if stream in route.streams for each in ended.left_out]

    def reached(self, lead: Stream, end: "End") -> str | None:
        """The cursor up to which every change of the lead was read; None unless it comes from a single listing."""
        if sum(route.lead is lead and not route.placeholders for route in self.routes) > 1:
            return None
        return next((each.reached for each in reversed(self.ends_of(lead, end)) if each.reached), None)

    @property
    def signature(self) -> dict[str, Any]:
        """Identity of the walk: one walk can continue another with an equal signature."""
        routes = [[route.path, route.query, route.listing.value, route.is_whole] for route in self.routes]
        rotating = {"rotating": True} if any(route.is_rotating for route in self.routes) else {}
        names = [stream.name for stream in self.streams]
        return {"format": CHECKPOINT_FORMAT, "streams": names, "routes": routes, **rotating}


class Record(NamedTuple):
    """One record, with the ids of the parents it was listed under, by relationship.

    resource: an object with `id`, `type`, `attributes` and `relationships`.
    """

    resource: Any
    parents: Mapping[str, str]


@dataclass(frozen=True)
class RouteEnd:
    """How the listings of one route ended.

    total: for a listing at top level, the number of records the API reported; None if only changes were requested.
        Listings under parents have each accounted for their own total.
    shortage: the first reason for which a listing under parents is known to lack records.
    doubt: the first reason for which a listing may be incomplete.
    reached: the cursor up to which every change was read, where the listing gives it.
    left_out: parts that could not be read.
    lacking: names of included streams with a record that was named but did not come.
    """

    total: int | None = None
    shortage: str | None = None
    doubt: str | None = None
    reached: str | None = None
    left_out: tuple[LeftOut, ...] = ()
    lacking: tuple[str, ...] = ()

    def accounts_for_all(self, route: Route) -> bool:
        """Whether everything that the route's listings show was read, but for the parts that were left out."""
        return route.is_whole and self.shortage is None and self.doubt is None

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> "RouteEnd":
        """Read from a checkpoint's JSON."""
        left_out = tuple(LeftOut(**each) for each in stored.get("left_out", ()))
        return cls(**{**stored, "left_out": left_out, "lacking": tuple(stored.get("lacking", ()))})


@dataclass(frozen=True)
class End:
    """How a walk ended. routes: the ends of its routes, in order."""

    routes: tuple[RouteEnd, ...] = ()

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> "End":
        """Read from a checkpoint's JSON."""
        return cls(tuple(RouteEnd.read(each) for each in stored["routes"]))


@dataclass(frozen=True)
class Page:
    """The results of one or more requests, committed together.

    records: by stream name.
    checkpoint: where to continue once this page is committed.
    end: on the last page only.
    pages: number of pages that were joined.
    """

    records: Mapping[str, list[Record]]
    checkpoint: Checkpoint
    requests: int = 0
    waited_seconds: float = 0.0
    end: End | None = None
    pages: int = 1


def as_one(pages: Sequence[Page]) -> Page:
    """Join consecutive pages."""
    if len(pages) == 1:
        return pages[0]
    records: dict[str, list[Record]] = {}
    for page in pages:
        for name, found in page.records.items():
            records.setdefault(name, []).extend(found)
    return replace(
        pages[-1],
        records=records,
        requests=sum(page.requests for page in pages),
        waited_seconds=sum(page.waited_seconds for page in pages),
        pages=sum(page.pages for page in pages),
    )
