"""A record, typed by its stream's declaration and written as a line of Postgres' COPY text format.

A value that does not fit its column is left null and reported; a record too broken to have an id is reported whole.
Nothing is thrown away: the report carries what was there, and attributes the catalog does not know are kept in
`_extra`.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from openfaith_pipeline.catalog import ColumnType, Stream, carried_names
from openfaith_pipeline.load.columns import ESCAPES, NEEDS_ESCAPE, ColumnEncoder, links_of
from openfaith_pipeline.walk import Record

_NULL = r"\N"
_INT64 = range(-(2**63), 2**63)
_UTC_SECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class Unfit(ValueError):
    """A value does not fit its column; the message says why, without the value."""


class Issue(NamedTuple):
    """What could not be loaded: of which record and field, why, and the record as it came (JSON text).

    parents: by relationship, the ids of the records it was listed under.
    """

    record_id: str | None
    field: str | None
    reason: str
    record: str
    parents: Mapping[str, str] = MappingProxyType({})


@dataclass
class EncodedRows:
    """Lines for COPY, what had to be left out of them, and the names of all attributes that were sent."""

    lines: list[str] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    attributes: set[str] = field(default_factory=set)


def _text(value: Any) -> str:
    if isinstance(value, str):
        if "\x00" in value:
            raise Unfit("holds a NUL character, which Postgres cannot store")
        if not value.isascii():
            _check_encodable(value)
        return value.translate(ESCAPES) if NEEDS_ESCAPE.search(value) else value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise Unfit(f"is {_kind(value)}, not a text")


def _check_encodable(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Unfit("holds half of a surrogate pair, which is not a character") from None


def _integer(value: Any) -> str:
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d{1,19}", value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unfit(f"is {_kind(value)}, not a whole number")
    if value not in _INT64:
        raise Unfit("is a number of more than 64 bits")
    return str(value)


def _float(value: Any) -> str:
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise Unfit(f"is {_kind(value)}, not a number")
    return repr(number)


def _boolean(value: Any) -> str:
    if value is True:
        return "t"
    if value is False:
        return "f"
    raise Unfit(f"is {_kind(value)}, not true or false")


def _date(value: Any) -> str:
    try:
        if isinstance(value, str) and len(value) == 10:
            return date.fromisoformat(value).isoformat()
    except ValueError:
        pass
    raise Unfit(f"is {_kind(value)}, not a date as YYYY-MM-DD")


def _timestamp(value: Any) -> str:
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
            if _UTC_SECONDS.fullmatch(value):
                return value
            return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC).isoformat()
        except (ValueError, OverflowError):
            pass
    raise Unfit(f"is {_kind(value)}, not a timestamp in ISO 8601")


def _json(value: Any) -> str:
    return json_text(value).translate(ESCAPES)


_ENCODERS: Mapping[ColumnType, Callable[[Any], str]] = {
    ColumnType.TEXT: _text,
    ColumnType.INTEGER: _integer,
    ColumnType.FLOAT: _float,
    ColumnType.BOOLEAN: _boolean,
    ColumnType.DATE: _date,
    ColumnType.TIMESTAMP: _timestamp,
    ColumnType.JSON: _json,
}


def json_text(value: Any) -> str:
    """JSON that Postgres' jsonb accepts: a NUL or half a surrogate pair, which it refuses, becomes U+FFFD."""
    try:
        encoded = orjson.dumps(value)
    except TypeError:  # half a surrogate pair, or a number of more than 64 bits
        encoded = orjson.dumps(_mend(value))
    text = encoded.decode()
    return orjson.dumps(_mend(value)).decode() if "\\u0000" in text else text


def _mend(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd").encode(errors="replace").decode()
    if isinstance(value, dict):
        return {_mend(key): _mend(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_mend(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and value not in _INT64:
        return str(value)
    return value


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return f"a text of {len(value)} characters"
    names = {bool: "a boolean", int: "a number", float: "a number", dict: "an object", list: "a list"}
    return names.get(type(value), "of an unknown kind")


class RowEncoder:
    """Types the records of one stream.

    A line holds: position, id, the stream's columns, `_extra`, `_links` where the stream has to-many relationships,
    `_content_hash`, tab-separated. The hash is over what is stored, so the same record has the same hash whichever
    request brought it.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._relationships = tuple((name, target is None) for name, target in stream.belongs_to.items())
        taken = {f"{name}_id" for name in stream.belongs_to}
        self._id_attributes = tuple(name for name in stream.attributes if name in taken)
        columns = [(name, _ENCODERS[kind]) for name, kind in stream.attributes.items() if name not in taken]
        self._columns = tuple(columns)
        self._known = frozenset({*stream.attributes, *stream.withheld})
        self._known_relationships = frozenset({*stream.belongs_to, *carried_names(stream)})
        self._by_columns = ColumnEncoder(stream, _json)

    def encode(self, records: list[Record]) -> EncodedRows:
        """Lines of the page's records, in its order."""
        ordinary = self._by_columns.encode(records)
        return EncodedRows(ordinary[0], [], ordinary[1]) if ordinary else self.encode_by_rows(records)

    def encode_by_rows(self, records: list[Record]) -> EncodedRows:
        """The same, one record after the other, whatever they are."""
        encoded = EncodedRows()
        for position, record in enumerate(records):
            problem = self._shape_problem(record.resource)
            if problem:
                whole = json_text(self._without_secrets(record.resource))
                encoded.issues.append(Issue(_id_of(record.resource), None, problem, whole, record.parents))
            else:
                encoded.attributes.update(record.resource.get("attributes") or {})
                encoded.lines.append(self._line(position, record, encoded.issues))
        return encoded

    def _without_secrets(self, resource: Any) -> Any:
        """The record as it may be kept for people to look at."""
        attributes = resource.get("attributes") if isinstance(resource, dict) else None
        if not self._stream.withheld or not isinstance(attributes, dict):
            return resource
        shown = {name: value for name, value in attributes.items() if name not in self._stream.withheld}
        return {**resource, "attributes": shown}

    def _shape_problem(self, resource: Any) -> str | None:
        if not isinstance(resource, dict):
            return f"the record is {_kind(resource)}, not an object"
        identifier = resource.get("id")
        if not isinstance(identifier, str) or not identifier or "\x00" in identifier or not identifier.isprintable():
            return "the record has no usable id"
        if resource.get("type") != self._stream.type:
            return f"the record's type is not {self._stream.type}"
        if not isinstance(resource.get("attributes", {}), dict):
            return "the record's attributes are not an object"
        if not isinstance(resource.get("relationships") or {}, dict):
            return "the record's relationships are not an object"
        return None

    def _line(self, position: int, record: Record, issues: list[Issue]) -> str:
        resource = record.resource
        attributes = resource.get("attributes") or {}
        before = len(issues)
        values = self._relationship_values(record, attributes, issues)
        for name, encode in self._columns:
            value = attributes.get(name)
            if value is None:
                values.append(_NULL)
                continue
            try:
                values.append(encode(value))
            except Unfit as unfit:
                values.append(_NULL)
                issues.append(Issue(resource["id"], name, str(unfit), ""))
        values.append(self._extra(resource, attributes))
        if self._stream.has_many:
            values.append(_json(links_of(self._stream.has_many, resource.get("relationships") or {})))
        if len(issues) > before:
            whole = json_text(self._without_secrets(resource))
            issues[before:] = [issue._replace(record=whole, parents=record.parents) for issue in issues[before:]]
        content = "\t".join(values)
        content_hash = blake2b(content.encode(), digest_size=16).hexdigest()
        return f"{position}\t{_text(resource['id'])}\t{content}\t\\\\x{content_hash}\n"

    def _relationship_values(self, record: Record, attributes: Mapping[str, Any], issues: list[Issue]) -> list[str]:
        relationships = record.resource.get("relationships") or {}
        values: list[str] = []
        for name, is_polymorphic in self._relationships:
            linkage = relationships.get(name)
            data = linkage.get("data") if isinstance(linkage, dict) else None
            if isinstance(data, dict):
                identifier, kind = data.get("id"), data.get("type")
            else:
                column = f"{name}_id"
                fallback = attributes.get(column) if column in self._id_attributes else None
                identifier, kind = record.parents.get(name, fallback), None
            values.append(self._relationship_value(record, name, identifier, issues))
            if is_polymorphic:
                values.append(self._relationship_value(record, name, kind, issues))
        return values

    def _relationship_value(self, record: Record, name: str, value: Any, issues: list[Issue]) -> str:
        if value is None:
            return _NULL
        try:
            return _text(value)
        except Unfit as unfit:
            issues.append(Issue(record.resource["id"], name, str(unfit), ""))
            return _NULL

    def _extra(self, resource: Mapping[str, Any], attributes: Mapping[str, Any]) -> str:
        extra: dict[str, Any] = {name: attributes[name] for name in sorted(attributes.keys() - self._known)}
        unknown = self._unknown_relationships(resource.get("relationships") or {})
        if unknown:
            extra["relationships"] = unknown
        return json_text(extra).translate(ESCAPES) if extra else _NULL

    def _unknown_relationships(self, relationships: Mapping[str, Any]) -> dict[str, Any]:
        """To-one relationships the catalog does not declare.

        The Organization every record belongs to says nothing, and linkages to included records depend on the request.
        """
        return {
            name: data
            for name, linkage in sorted(relationships.items())
            if name not in self._known_relationships
            and isinstance(linkage, dict)
            and isinstance(data := linkage.get("data"), dict)
            and data.get("type") != "Organization"
        }


def _id_of(resource: Any) -> str | None:
    identifier = resource.get("id") if isinstance(resource, dict) else None
    return json_text(identifier)[:200] if identifier is not None else None
