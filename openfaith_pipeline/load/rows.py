"""Convert records to lines of Postgres' COPY text format, typed by their stream's declaration.

Nothing is lost. A value that does not fit its column is reported with the whole record, and kept in `_extra` under its
name; so are attributes outside the catalog. A record without a usable id is reported whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, NamedTuple

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk import Record
from openfaith_pipeline.load.columns import LONGEST_ID, ColumnEncoder, links_of
from openfaith_pipeline.load.values import (
    ENCODERS,
    NULL,
    Unfit,
    encode_id,
    encode_json,
    encode_text,
    kind_of,
)
from openfaith_pipeline.sources import carried_names
from openfaith_pipeline.text import exact_json

_REPLACED = "holds a character that Postgres cannot store, replaced by U+FFFD"

_TOO_DEEP = (TypeError, RecursionError)
"""Errors of writing a document that could be read: fewer levels can be written."""

_RELATIONSHIPS = "relationships"
"""Key in `_extra`: by name, relationships without a column, or that did not fit theirs."""


class Issue(NamedTuple):
    """A record or field that could not be loaded, the reason, and the record as received (JSON text).

    parents: ids of the records it was listed under, by relationship.
    """

    record_id: str | None
    field: str | None
    reason: str
    record: str
    parents: Mapping[str, str] = MappingProxyType({})


@dataclass
class _Unfitting:
    """Parts of a record that do not fit: attribute values, relationships, and the reasons by name."""

    attributes: dict[str, Any] = field(default_factory=dict)
    linkages: dict[str, Any] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)


@dataclass
class EncodedRows:
    """Lines for COPY, issues of values left out, and the names of all attributes sent.

    withheld: marks of the records that are erased, which have no line.
    """

    lines: list[str] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    attributes: set[str] = field(default_factory=set)
    withheld: list[bytes] = field(default_factory=list)


class RowEncoder:
    """Types the records of one stream.

    A line has, tab-separated: position, id, the stream's columns, `_extra`, `_links` if the stream has to-many
    relationships, `_content_hash`. The hash is over the stored values, so a record has the same hash in whichever
    request it came.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._relationships = tuple((name, target is None) for name, target in stream.belongs_to.items())
        taken = frozenset(stream.relationship_columns)
        self._standing_in = taken & stream.attributes.keys()
        columns = [(name, ENCODERS[kind]) for name, kind in stream.attributes.items() if name not in taken]
        self._columns = tuple(columns)
        self._known = frozenset({*stream.attributes, *stream.withheld})
        self._known_relationships = frozenset({*stream.belongs_to, *carried_names(stream)})
        self._by_columns = ColumnEncoder(stream, encode_json)

    def encode(self, records: list[Record]) -> EncodedRows:
        """Lines of the page's records, in order."""
        try:
            ordinary = self._by_columns.encode(records)
        except _TOO_DEEP:
            ordinary = None
        return EncodedRows(ordinary[0], [], ordinary[1]) if ordinary else self.encode_by_rows(records)

    def encode_by_rows(self, records: list[Record]) -> EncodedRows:
        """Row-wise encoding, which accepts anything."""
        encoded = EncodedRows()
        for position, record in enumerate(records):
            try:
                self._add(position, record, encoded)
            except _TOO_DEEP:
                identifier = _usable_id(record.resource)
                issue = Issue(identifier, None, "nested too deep to be kept", exact_json.write({"id": identifier}))
                encoded.issues.append(issue._replace(parents=record.parents))
        return encoded

    def _add(self, position: int, record: Record, encoded: EncodedRows) -> None:
        problem = self._shape_problem(record.resource)
        if problem:
            whole = exact_json.write(self._without_secrets(record.resource))
            encoded.issues.append(Issue(_id_of(record.resource), None, problem, whole, record.parents))
        else:
            line = self._line(position, record, encoded.issues)
            encoded.attributes.update(record.resource.get("attributes") or {})
            encoded.lines.append(line)

    def _without_secrets(self, resource: Any) -> Any:
        """The record without secrets, fit to be stored for inspection."""
        attributes = resource.get("attributes") if isinstance(resource, dict) else None
        if not self._stream.withheld or not isinstance(attributes, dict):
            return resource
        shown = {name: value for name, value in attributes.items() if name not in self._stream.withheld}
        return {**resource, "attributes": shown}

    def _shape_problem(self, resource: Any) -> str | None:
        if not isinstance(resource, dict):
            return f"the record is {kind_of(resource)}, not an object"
        if problem := _id_problem(resource.get("id")):
            return problem
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
        unfit = _Unfitting()
        values = self._relationship_values(record, attributes, unfit)
        for name, encode in self._columns:
            value = attributes.get(name)
            try:
                values.append(NULL if value is None else encode(value))
                if encode is encode_json and "\ufffd" in values[-1] and not exact_json.is_storable(value):
                    unfit.reasons[name] = _REPLACED
            except Unfit as reason:
                values.append(NULL)
                unfit.attributes[name] = value
                unfit.reasons[name] = str(reason)
        links = self._links(resource, unfit)
        values.append(self._extra(resource, attributes, unfit))
        values += links
        if unfit.reasons:
            whole = exact_json.write(self._without_secrets(resource))
            issues += [
                Issue(resource["id"], name, reason, whole, record.parents) for name, reason in unfit.reasons.items()
            ]
        content = "\t".join(values)
        content_hash = blake2b(content.encode(), digest_size=16).hexdigest()
        return f"{position}\t{encode_text(resource['id'])}\t{content}\t\\\\x{content_hash}\n"

    def _relationship_values(self, record: Record, attributes: Mapping[str, Any], unfit: _Unfitting) -> list[str]:
        relationships = record.resource.get("relationships") or {}
        values: list[str] = []
        for name, is_polymorphic in self._relationships:
            linkage = relationships.get(name)
            data = linkage.get("data") if isinstance(linkage, dict) else None
            if isinstance(data, dict):
                identifier, kind = data.get("id"), data.get("type")
            else:
                by_id, by_type = (
                    attributes.get(column) if column in self._standing_in else None
                    for column in (f"{name}_id", f"{name}_type")
                )
                identifier, kind = record.parents.get(name, by_id), by_type
            try:
                encoded = [NULL if identifier is None else encode_id(identifier)]
                if is_polymorphic:
                    encoded.append(NULL if kind is None else encode_text(kind))
            except Unfit as reason:
                encoded = [NULL, NULL] if is_polymorphic else [NULL]
                unfit.reasons[name] = str(reason)
                if isinstance(data, dict):
                    unfit.linkages[name] = data
                else:
                    unfit.attributes[f"{name}_id"] = identifier
            values += encoded
        return values

    def _links(self, resource: Mapping[str, Any], unfit: _Unfitting) -> list[str]:
        """The field `_links`, if the stream has to-many relationships."""
        if not self._stream.links:
            return []
        links = links_of(self._stream.has_many, resource.get("relationships") or {})
        for name, ids in links.items():
            too_long = [identifier for identifier in ids if len(identifier) > LONGEST_ID]
            if too_long:
                links[name] = [identifier for identifier in ids if len(identifier) <= LONGEST_ID]
                unfit.linkages[name] = [{"id": identifier} for identifier in too_long]
                unfit.reasons[name] = f"names records by ids of more than {LONGEST_ID} characters"
        return [encode_json(links)]

    def _extra(self, resource: Mapping[str, Any], attributes: Mapping[str, Any], unfit: _Unfitting) -> str:
        extra: dict[str, Any] = {name: attributes[name] for name in attributes.keys() - self._known}
        extra |= unfit.attributes
        extra = {name: extra[name] for name in sorted(extra)}
        unknown = self._unknown_relationships(resource.get("relationships") or {}) | unfit.linkages
        if unknown:
            extra[_RELATIONSHIPS] = {name: unknown[name] for name in sorted(unknown)}
        encoded = encode_json(extra) if extra else NULL
        if "\ufffd" in encoded:
            replaced = [name for name, value in extra.items() if not exact_json.is_storable(value)]
            unfit.reasons = {**dict.fromkeys(replaced, _REPLACED), **unfit.reasons}
        return encoded

    def _unknown_relationships(self, relationships: Mapping[str, Any]) -> dict[str, Any]:
        """To-one relationships the catalog does not declare.

        The account that every record belongs to says nothing, and linkages to included records depend on the request.
        """
        return {
            name: data
            for name, linkage in sorted(relationships.items())
            if name not in self._known_relationships
            and isinstance(linkage, dict)
            and isinstance(data := linkage.get("data"), dict)
            and data.get("type") != self._stream.product.source.account_type
        }


def _id_problem(identifier: Any) -> str | None:
    if not isinstance(identifier, str) or not identifier or not identifier.isprintable():
        return "the record has no usable id"
    if len(identifier) > LONGEST_ID:
        return f"the record's id has more than {LONGEST_ID} characters"
    return None


def _usable_id(resource: Any) -> str | None:
    identifier = resource.get("id") if isinstance(resource, dict) else None
    return None if _id_problem(identifier) else identifier


def _id_of(resource: Any) -> str | None:
    identifier = resource.get("id") if isinstance(resource, dict) else None
    return exact_json.write(identifier)[:200] if identifier is not None else None
