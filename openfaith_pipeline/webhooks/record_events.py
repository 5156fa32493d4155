"""Combine the deliveries about a record, and decide on the next step given its current row.

Deliveries arrive twice, late and out of order. So the newest one about a record counts. It is applied if it is newer
than the row; if that cannot be decided, the record is fetched, and the response is newer than both.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

from openfaith_pipeline.catalog.events import MOST_ID_CHARACTERS, moment_of
from openfaith_pipeline.catalog.stream import ColumnType, Stream
from openfaith_pipeline.catalog.walk import Record, id_of
from openfaith_pipeline.load.arrivals import Row
from openfaith_pipeline.load.sessions import ARRIVED_PREFIX
from openfaith_pipeline.load.staging import encoder_of
from openfaith_pipeline.load.told_parents import told_parents
from openfaith_pipeline.sources import STREAMS, event_named, reader_of
from openfaith_pipeline.text import exact_json
from openfaith_pipeline.webhooks.deliveries import Delivery

_BEGINNING: Final = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class News:
    """Combined deliveries about one record.

    resource: the record as the newest of them shows it; without attributes if there were only deletions.
    is_told: whether a delivery contained the record. is_end: whether one was a deletion.
    is_unsure: whether another, of the same second, shows it otherwise, or the end is to be confirmed.
    ended_at: when the last end was, None if no time is given.
    parents: by relationship, the ids of those that it is said to be under, beside its own relationships.
    """

    stream: Stream
    record_id: str
    deliveries: tuple[Delivery, ...]
    resource: Mapping[str, Any]
    is_told: bool
    is_end: bool
    is_unsure: bool = False
    ended_at: datetime | None = None
    parents: Mapping[str, str] = field(default_factory=dict)

    @property
    def ids(self) -> list[int]:
        return [delivery.id for delivery in self.deliveries]


@dataclass
class Sorted:
    """A batch, sorted. ignored: about types that are not synced. unreadable: by delivery, with the reason."""

    news: list[News] = field(default_factory=list)
    ignored: list[Delivery] = field(default_factory=list)
    unreadable: list[tuple[Delivery, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Step:
    """Actions for one record.

    record: to publish. is_gone: to mark as deleted. must_ask: to fetch, in addition or instead.
    is_old: the row is newer than all deliveries.
    is_lost: nothing names the new record's parents, so only the listings of its parents can.
    """

    record: Record | None = None
    is_gone: bool = False
    must_ask: bool = False
    is_old: bool = False
    is_lost: bool = False


def sort_deliveries(deliveries: Iterable[Delivery]) -> Sorted:
    """Combine deliveries about the same record."""
    found = Sorted()
    by_record: dict[tuple[str, str], list[_Told]] = {}
    for delivery in deliveries:
        if event_named(delivery.event) is None and delivery.stream is None:
            found.ignored.append(delivery)
            continue
        told = _read(delivery)
        if isinstance(told, str):
            found.unreadable.append((delivery, told))
        else:
            by_record.setdefault((told.stream.name, told.resource["id"]), []).append(told)
    found.news = [_news_of(each) for each in by_record.values()]
    return found


def decide(news: News, row: Row | None, *, was_ended: bool) -> Step:
    """row: the published row of the record, or None. was_ended: whether there ever was a deletion event for it."""
    is_deleted = row is not None and row["_deleted_at"] is not None
    if news.stream.is_pushed:
        return _decide_unasked(news, row, was_ended=was_ended or is_deleted)
    if news.is_end and not news.is_told:
        return Step(is_gone=True) if row is None or is_deleted or _is_later_end(news, row) else Step(must_ask=True)
    if news.is_end or was_ended or is_deleted:
        return Step(must_ask=True)
    record = Record(_filled(news.stream, news.resource, row), news.parents)
    lacks = reader_of(news.stream).brings_more(news.stream) or bool(_unsaid(news.stream, news.resource))
    if row is None:
        is_lost = _is_lost(news.stream, record)
        return Step(record, must_ask=lacks or news.is_unsure or is_lost, is_lost=is_lost)
    return Step(must_ask=True) if news.is_unsure else _compare(news, record, row, lacks=lacks)


def _is_later_end(news: News, row: Row) -> bool:
    """Whether the deletion is certainly the newest information. Otherwise the record is fetched."""
    known = _changed_at(news.stream, row)
    return not news.is_unsure and news.ended_at is not None and known is not None and news.ended_at > known


def _decide_unasked(news: News, row: Row | None, *, was_ended: bool) -> Step:
    """For types that cannot be fetched: the newest event counts, the later of equal times; deletions are final."""
    if news.is_end:
        return Step(is_gone=True)
    told = _changed_at(news.stream, news.resource["attributes"])
    known = _changed_at(news.stream, row) if row else None
    if was_ended or (told and known and told < known):
        return Step(is_old=True)
    record = Record(_filled(news.stream, news.resource, row), {})
    return Step() if row is not None and _is_same(news.stream, record, row) else Step(record)


def _compare(news: News, record: Record, row: Row, *, lacks: bool) -> Step:
    if _is_same(news.stream, record, row):
        # The applier that published the payload may have died before it fetched the rest.
        return Step(must_ask=lacks and row["_sync_id"].startswith(ARRIVED_PREFIX))
    told, known = _changed_at(news.stream, news.resource["attributes"]), _changed_at(news.stream, row)
    if told is None or known is None or told == known:
        return Step(must_ask=True)
    return Step(record, must_ask=lacks) if told > known else Step(is_old=True)


@dataclass(frozen=True)
class _Told:
    delivery: Delivery
    stream: Stream
    is_end: bool
    resource: Mapping[str, Any]
    parents: Mapping[str, str]

    @cached_property
    def rank(self) -> tuple[datetime, int]:
        """Sort key: newer ones rank higher."""
        changed_at = _changed_at(self.stream, self.resource.get("attributes") or {})
        # If a record lacks the time of its change, the event's time is used.
        when = changed_at or self.delivery.occurred_at or _BEGINNING
        return when, self.delivery.id


def _read(delivery: Delivery) -> _Told | str:
    """The parsed delivery, or the reason why it cannot be parsed."""
    event = event_named(delivery.event)
    if event is None:
        return "its event is about no type that is synced"
    try:
        document = exact_json.read(delivery.payload)
    except ValueError:
        return "its payload is not JSON"
    resource = document.get("data") if isinstance(document, dict) else None
    identifier = id_of(resource) or ""
    if (
        not isinstance(resource, dict)
        or not 0 < len(identifier) <= MOST_ID_CHARACTERS
        or resource.get("type") != event.stream.type
    ):
        return f"its payload is not a record of type {event.stream.type} with a usable id"
    for name in ("attributes", "relationships"):
        if not isinstance(resource.get(name) or {}, dict):
            return f"its payload's {name} are not an object"
    if not event.is_end and not resource.get("attributes"):
        return "its payload has no attributes"
    return _Told(delivery, event.stream, event.is_end, resource, told_parents(event.stream, document))


def _news_of(told: Sequence[_Told]) -> News:
    alive = [each for each in told if not each.is_end]
    ends = [each.delivery for each in told if each.is_end]
    newest = max(alive or told, key=lambda each: each.rank)
    return News(
        newest.stream,
        newest.resource["id"],
        tuple(each.delivery for each in told),
        newest.resource,
        is_told=bool(alive),
        is_end=bool(ends),
        is_unsure=any(_contradicts(each, newest) for each in alive) or any(each.is_doubtful for each in ends),
        ended_at=max((each.occurred_at for each in ends if each.occurred_at), default=None),
        parents=newest.parents,
    )


def _contradicts(one: _Told, other: _Told) -> bool:
    if one.rank[0] < other.rank[0]:
        return False
    return (one.resource.get("attributes"), one.resource.get("relationships")) != (
        other.resource.get("attributes"),
        other.resource.get("relationships"),
    )


def _is_lost(stream: Stream, record: Record) -> bool:
    relationships = record.resource.get("relationships") or {}
    inner = {way[-1] for way in stream.parent_ways}
    told = {name for name in inner if isinstance(relationships.get(name), dict) and "data" in relationships[name]}
    told |= {name for name in inner if f"{name}_id" in record.resource["attributes"]}
    return bool(inner) and not told and inner.isdisjoint(record.parents)


def _unsaid(stream: Stream, resource: Mapping[str, Any]) -> set[str]:
    """Attributes of the stream that the payload lacks."""
    of_relationships = set(stream.relationship_columns)
    return set(stream.attributes) - set(resource["attributes"]) - of_relationships


def _filled(stream: Stream, resource: Mapping[str, Any], row: Row | None) -> dict[str, Any]:
    """The record, with attributes missing in the payload taken from the row."""
    if row is None:
        return dict(resource)
    relationships = dict(resource.get("relationships") or {})
    told = {name for name, linkage in relationships.items() if isinstance(linkage, dict) and "data" in linkage}
    for name in stream.belongs_to.keys() - told:
        if row.get(f"{name}_id"):
            relationships[name] = {"data": {"id": row[f"{name}_id"], "type": row.get(f"{name}_type")}}
    extra = dict(row["_extra"] or {})
    for name, data in (extra.pop("relationships", None) or {}).items():
        relationships.setdefault(name, {"data": data})
    before = {name: _as_sent(row[name], stream.attributes[name]) for name in _unsaid(stream, resource)}
    # A value that did not fit its column is in `_extra`, under its name.
    return {**resource, "attributes": {**before, **extra, **resource["attributes"]}, "relationships": relationships}


def _as_sent(value: Any, kind: ColumnType) -> Any:
    """A row's value in Planning Center's notation, so that it produces the same content hash."""
    return value.replace("+00:00", "Z") if kind is ColumnType.TIMESTAMP and isinstance(value, str) else value


def _is_same(stream: Stream, record: Record, row: Row) -> bool:
    encoded = encoder_of(stream).encode([record])
    return bool(encoded.lines) and encoded.lines[0].rstrip("\n").endswith(row["_content_hash"].lstrip("\\"))


def _changed_at(stream: Stream, values: Mapping[str, Any]) -> datetime | None:
    """Time of the last change according to the record."""
    return moment_of(values.get(stream.cursor if stream.is_pushed and stream.cursor else "updated_at"))


def references_to(stream: Stream) -> list[tuple[Stream, str]]:
    """(stream, relationship) of the product's records that may name one of this stream."""
    return [
        (each, name)
        for each in STREAMS.values()
        if each.product is stream.product
        for name, target in each.belongs_to.items()
        if target in (stream.name, None)
    ]
