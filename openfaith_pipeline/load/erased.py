"""The door for records that were erased: arrivals are compared with the marks of erased records before they are stored.

A record is withheld when it is erased itself, or a part of an erased one (a new email address of an erased person). A
record that only names an erased one is stored without the reference and without the attributes that describe it.
"""

import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from psycopg import AsyncConnection, Connection
from psycopg.rows import tuple_row

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk import Record
from openfaith_pipeline.sources import PERSONAL, streams_of_source

UNNAMED: Final = " unnamed"
"""Suffix of the stream's name in the marks of records that stay, but have lost the person they named."""

_READ: Final = """
SELECT salt, stream, record_hash FROM sync.erasure_salts LEFT JOIN sync.erased_records USING (org_id) WHERE org_id = %s
"""


def mark_of(salt: bytes, stream: str, record_id: str) -> bytes:
    """The mark of an erased record. Without the salt it says nothing, and with it no more than whether an id is known.

    stream: see `PersonalDataOfSources.identity`.
    """
    # Half a surrogate pair is not an id, but a document may have one.
    return hmac.digest(salt, f"{stream}\0{record_id}".encode("utf-8", "surrogatepass"), "sha256")


@dataclass
class Admitted:
    """Records that may be stored, and the marks of those withheld, one for each time that a record came."""

    records: list[Record]
    withheld: list[bytes] = field(default_factory=list)


@dataclass(frozen=True)
class Erased:
    """The erased records of one org.

    marks: by stream. cleared: marks of records that were cleared of their person since; their dependents come
        in the same page, after them.
    """

    salt: bytes
    marks: Mapping[str, frozenset[bytes]]
    cleared: set[bytes] = field(default_factory=set, compare=False)

    def __bool__(self) -> bool:
        return bool(self.marks)

    def has(self, stream: str, record_id: Any) -> bool:
        """Whether the record of this stream is erased."""
        name = PERSONAL.identity(stream)
        marks = self.marks.get(name)
        return bool(marks and isinstance(record_id, str) and mark_of(self.salt, name, record_id) in marks)

    def count(self, stream: str) -> int:
        """Number of erased records of this stream."""
        return len(self.marks.get(PERSONAL.identity(stream), ()))

    def is_erased(self, named: Any, stream: Stream) -> bool:
        """Whether a linkage in a record of the stream names an erased record."""
        if not isinstance(named, dict):
            return False
        return any(self.has(target, named.get("id")) for target in streams_of_type(stream, named.get("type")))

    def admit(self, stream: Stream, records: Sequence[Record]) -> Admitted:
        """The records that are not erased, cleared of references to erased ones."""
        admitted = Admitted([])
        for record in records:
            if not isinstance(record.resource, dict):
                admitted.records.append(record)
            elif self._is_withheld(stream, record):
                known_as = PERSONAL.identity(stream.name)
                admitted.withheld.append(mark_of(self.salt, known_as, str(record.resource.get("id"))))
            else:
                admitted.records.append(self._cleared(stream, record))
        return admitted

    def _is_withheld(self, stream: Stream, record: Record) -> bool:
        personal = PERSONAL.of(stream)
        if self.has(stream.name, record.resource.get("id")):
            return True
        if any(self.has(*target) for name in personal.erased_with for target in _named_by(stream, record, name)):
            return True
        return any(
            self._has_lost_its_person(*target)
            for name in personal.erased_once_unnamed
            for target in _named_by(stream, record, name)
        )

    def _has_lost_its_person(self, stream: str, record_id: Any) -> bool:
        if not isinstance(record_id, str):
            return False
        name = stream + UNNAMED
        mark = mark_of(self.salt, name, record_id)
        return mark in self.cleared or mark in self.marks.get(name, ())

    def _cleared(self, stream: Stream, record: Record) -> Record:
        gone = [
            name for name in stream.belongs_to if any(self.has(*target) for target in _named_by(stream, record, name))
        ]
        resource = self._without_unknown(record.resource, stream)
        if not gone and resource is record.resource:
            return record
        if not PERSONAL.of(stream).describes.keys().isdisjoint(gone):
            self.cleared.add(mark_of(self.salt, stream.name + UNNAMED, str(resource.get("id"))))
        return _without(stream, Record(resource, record.parents), gone)

    def _without_unknown(self, resource: dict[str, Any], stream: Stream) -> dict[str, Any]:
        """The resource without linkages of to-many and undeclared relationships to erased records."""
        relationships = resource.get("relationships")
        if not isinstance(relationships, dict):
            return resource
        kept = {
            name: linkage if name in stream.belongs_to else self._without_erased(linkage, stream)
            for name, linkage in relationships.items()
        }
        return resource if kept == relationships else {**resource, "relationships": kept}

    def _without_erased(self, linkage: Any, stream: Stream) -> Any:
        data = linkage.get("data") if isinstance(linkage, dict) else None
        if isinstance(data, dict) and self.is_erased(data, stream):
            return {**linkage, "data": None}
        if isinstance(data, list) and any(self.is_erased(each, stream) for each in data):
            return {**linkage, "data": [each for each in data if not self.is_erased(each, stream)]}
        return linkage


NOBODY: Final = Erased(b"", {})


async def read_erased(connection: AsyncConnection[Any], org_id: str) -> Erased:
    """The org's erased records."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(_READ, (org_id,))
        return _erased(await cursor.fetchall())


def erased_of(connection: Connection[Any], org_id: str) -> Erased:
    """The org's erased records."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        return _erased(cursor.execute(_READ, (org_id,)).fetchall())


def _erased(rows: Sequence[tuple[bytes, str | None, bytes]]) -> Erased:
    marks: dict[str, set[bytes]] = {}
    for _, stream, mark in rows:
        if stream is not None:
            marks.setdefault(stream, set()).add(bytes(mark))
    salt = bytes(rows[0][0]) if rows else b""
    return Erased(salt, {stream: frozenset(each) for stream, each in marks.items()})


def _named_by(stream: Stream, record: Record, name: str) -> Iterator[tuple[str, Any]]:
    """The record that a to-one relationship names, as (stream, id); a type may be that of several streams."""
    relationships, attributes = record.resource.get("relationships"), record.resource.get("attributes")
    linkage = relationships.get(name) if isinstance(relationships, dict) else None
    data = linkage.get("data") if isinstance(linkage, dict) else None
    target = stream.belongs_to[name]
    if isinstance(data, dict):
        identifier, kind = data.get("id"), data.get("type")
    else:
        known = attributes if isinstance(attributes, dict) else {}
        identifier, kind = record.parents.get(name, known.get(f"{name}_id")), known.get(f"{name}_type")
    for each in (target,) if target else streams_of_type(stream, kind):
        yield each, str(identifier) if isinstance(identifier, int) else identifier


def _without(stream: Stream, record: Record, gone: Sequence[str]) -> Record:
    """The record without these references, and with declared attributes only: others could describe the person."""
    resource = record.resource
    described = {name for each in gone for name in PERSONAL.of(stream).describes.get(each, ())}
    described |= {f"{name}{suffix}" for name in gone for suffix in ("_id", "_type")}
    attributes, relationships = resource.get("attributes"), resource.get("relationships")
    if gone and isinstance(attributes, dict):
        shown = {name: attributes[name] for name in attributes if name in stream.attributes and name not in described}
        resource = {**resource, "attributes": shown}
    if gone and isinstance(relationships, dict):
        resource = {**resource, "relationships": {k: v for k, v in relationships.items() if k not in gone}}
    return Record(resource, {name: identifier for name, identifier in record.parents.items() if name not in gone})


def streams_of_type(stream: Stream, type_name: Any) -> tuple[str, ...]:
    """The streams whose records a relationship of this stream may name by a type: of its product, or else source."""
    return _streams_of_type(stream, type_name) if isinstance(type_name, str) else ()


@cache
def _streams_of_type(stream: Stream, type_name: str) -> tuple[str, ...]:
    of_source = streams_of_source(stream.adapter)
    found = [each for each in of_source if type_name == each.type or type_name in each.aliases]
    own = [each for each in found if each.product is stream.product]
    return tuple(each.name for each in own or found)
