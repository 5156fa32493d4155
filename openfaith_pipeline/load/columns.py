"""Column-wise encoding of whole pages, several times as fast as by rows, for pages without any anomaly.

The output equals that of `RowEncoder` byte for byte. Any anomaly (a value of another type, a broken record, an
attribute outside the catalog, a character that Postgres cannot store) ends it with None, and the page is encoded row by
row.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from hashlib import blake2b
from math import isfinite
from operator import itemgetter
from typing import Any, Final

from openfaith_pipeline.catalog.stream import ColumnType, Stream
from openfaith_pipeline.catalog.walk import Record, id_of
from openfaith_pipeline.sources import carried_names

ESCAPES: Final = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
NEEDS_ESCAPE: Final = re.compile(r"[\\\n\r\t]")
"""Characters with a special meaning to COPY."""

LONGEST_ID: Final = 255
"""Maximum length of ids: they are indexed, and an index entry must fit in a page."""

_NULL: Final = r"\N"
_NONE: Final = type(None)
_BOOLEANS: Final[Mapping[Any, str]] = {True: "t", False: "f", None: _NULL}
_SECONDS: Final = re.compile(r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\n)*")
_DAYS: Final = re.compile(r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2}\n)*")
_UNSTORABLE: Final = re.compile(r"[\x00\ud800-\udfff]")
_LARGEST: Final = 2**63

_Column = Sequence[str] | None
"""A page's values of one column in COPY format; None if one of them is anomalous."""


class ColumnEncoder:
    """Encodes pages of one stream; encode_json makes the text of a jsonb column from a value."""

    def __init__(self, stream: Stream, encode_json: Callable[[Any], str]) -> None:
        self._account_type = stream.product.source.account_type
        self._type = stream.type
        taken = set(stream.relationship_columns)
        self._has_many = stream.has_many
        self._has_links = bool(stream.links)
        self._relationships = tuple((name, target is None) for name, target in stream.belongs_to.items())
        own = {name: kind for name, kind in stream.attributes.items() if name not in taken}
        self._columns = tuple((name, _ENCODERS.get(kind)) for name, kind in own.items())
        self._standing_in = taken & stream.attributes.keys()
        self._encode_json = encode_json
        self._declared = tuple(stream.attributes)
        self._pick = itemgetter(*self._declared) if len(self._declared) > 1 else None
        self._known = frozenset({*stream.attributes, *stream.withheld})
        self._known_relationships = frozenset({*stream.belongs_to, *carried_names(stream)})

    def encode(self, records: Sequence[Record]) -> tuple[list[str], set[str]] | None:
        """Lines, and the names of the attributes sent; None for a page with an anomaly."""
        resources = [record.resource for record in records]
        if not all(map(self._is_ordinary, resources)):
            return None
        attributes = [resource["attributes"] for resource in resources]
        relationships = [resource["relationships"] for resource in resources]
        sent, values = self._values(attributes)
        if not sent <= self._known or self._tell_more(relationships):
            return None
        columns: list[Sequence[str]] = []
        for column in self._encoded(records, values, relationships):
            if column is None:
                return None
            columns.append(column)
        columns.append([_NULL] * len(records))  # `_extra`: no attribute is outside the catalog
        if self._has_links:
            links = [links_of(self._has_many, each) for each in relationships]
            if any(len(each) > LONGEST_ID for named in links for ids in named.values() for each in ids):
                return None
            columns.append([self._encode_json(each) for each in links])
        ids = _texts([resource["id"] for resource in resources])
        return None if ids is None else (_lines(ids, columns), sent)

    def _values(self, attributes: Sequence[Mapping[str, Any]]) -> tuple[set[str], Mapping[str, Sequence[Any]]]:
        """Names of all attributes sent, and the values of the declared ones by name."""
        count = len(self._declared)
        if self._pick and attributes and all(len(each) == count for each in attributes):
            try:
                columns = zip(*map(self._pick, attributes), strict=True)
                return set(self._declared), dict(zip(self._declared, columns, strict=True))
            except KeyError:
                pass
        return set().union(*attributes), {name: [each.get(name) for each in attributes] for name in self._declared}

    def _encoded(
        self,
        records: Sequence[Record],
        attributes: Mapping[str, Sequence[Any]],
        relationships: Sequence[Mapping[str, Any]],
    ) -> Iterator[_Column]:
        for name, is_polymorphic in self._relationships:
            named = _named(name, relationships)
            unnamed = self._unnamed(name, records)
            yield _ids([unnamed(place) if data is None else data.get("id") for place, data in enumerate(named)])
            if is_polymorphic:
                kinds = attributes[f"{name}_type"] if f"{name}_type" in self._standing_in else [None] * len(named)
                pairs = zip(named, kinds, strict=True)
                yield _texts([kind if data is None else data.get("type") for data, kind in pairs])
        for name, encode in self._columns:
            yield encode(attributes[name]) if encode else self._documents(attributes[name])

    def _documents(self, values: Sequence[Any]) -> _Column:
        encoded = [_NULL if value is None else self._encode_json(value) for value in values]
        # It may stand for a character that Postgres cannot store.
        return None if any("\ufffd" in each for each in encoded) else encoded

    def _unnamed(self, name: str, records: Sequence[Record]) -> Callable[[int], Any]:
        """A function from a record's position to the id of a relationship it omits: from a parent or an attribute."""
        column = f"{name}_id"
        if column not in self._standing_in:
            return lambda place: records[place].parents.get(name)
        return lambda place: records[place].parents.get(name, records[place].resource["attributes"].get(column))

    def _is_ordinary(self, resource: Any) -> bool:
        if type(resource) is not dict or resource.get("type") != self._type:
            return False
        identifier = resource.get("id")
        return (
            type(identifier) is str
            and 0 < len(identifier) <= LONGEST_ID
            and identifier.isprintable()
            and type(resource.get("attributes")) is dict
            and type(resource.get("relationships")) is dict
        )

    def _tell_more(self, relationships: Sequence[Mapping[str, Any]]) -> bool:
        """Whether an undeclared relationship has a value that must be stored."""
        unknown = set[str]().union(*relationships) - self._known_relationships
        return any(self._says_more(each.get(name)) for name in unknown for each in relationships)

    def _says_more(self, linkage: Any) -> bool:
        data = linkage.get("data") if type(linkage) is dict else None
        return type(data) is dict and data.get("type") != self._account_type


def _named(name: str, relationships: Sequence[Mapping[str, Any]]) -> list[dict[str, Any] | None]:
    """The target of each record's to-one relationship with this name."""
    try:
        named = [each[name]["data"] for each in relationships]
    except (KeyError, TypeError):
        linkages = [each.get(name) for each in relationships]
        named = [linkage.get("data") if type(linkage) is dict else None for linkage in linkages]
    return named if set(map(type, named)) <= {dict} else [data if type(data) is dict else None for data in named]


def links_of(has_many: Iterable[str], relationships: Mapping[str, Any]) -> dict[str, list[str]]:
    """To-many relationship -> ids, for those the record shows; others stay unchanged."""
    links: dict[str, list[str]] = {}
    for name in has_many:
        linkage = relationships.get(name)
        data = linkage.get("data") if isinstance(linkage, dict) else None
        if isinstance(linkage, dict) and "data" in linkage:
            # Some to-many relationships have been seen as a single object, or as null for none (`plan_notes.teams`).
            named = data if isinstance(data, list) else [data]
            links[name] = [identifier for item in named if (identifier := id_of(item))]
    return links


def _lines(ids: Sequence[str], columns: Sequence[Sequence[str]]) -> list[str]:
    lines: list[str] = []
    for position, values in enumerate(zip(*columns, strict=True)):
        content = "\t".join(values)
        content_hash = blake2b(content.encode(), digest_size=16).hexdigest()
        lines.append(f"{position}\t{ids[position]}\t{content}\t\\\\x{content_hash}\n")
    return lines


def _texts(values: Sequence[Any]) -> _Column:
    kinds = set(map(type, values))
    if not kinds <= {str, _NONE}:
        return None
    known = [value for value in values if value is not None] if _NONE in kinds else values
    together = "".join(known)
    if "\\" in together or not together.isprintable():
        if _UNSTORABLE.search(together):
            return None
        values = [value if value is None else value.translate(ESCAPES) for value in values]
    return [_NULL if value is None else value for value in values] if _NONE in kinds else values


def _ids(values: Sequence[Any]) -> _Column:
    encoded = _texts(values)
    return None if encoded is None or any(len(each) > LONGEST_ID for each in encoded) else encoded


def _booleans(values: Sequence[Any]) -> _Column:
    if set(map(type, values)) <= {bool, _NONE}:
        return list(map(_BOOLEANS.__getitem__, values))
    return None


def _integers(values: Sequence[Any]) -> _Column:
    if not set(map(type, values)) <= {int, _NONE}:
        return None
    if any(value is not None and not -_LARGEST <= value < _LARGEST for value in values):
        return None
    return [_NULL if value is None else str(value) for value in values]


def _floats(values: Sequence[Any]) -> _Column:
    if set(map(type, values)) <= {float, _NONE} and all(value is None or isfinite(value) for value in values):
        return [_NULL if value is None else repr(value) for value in values]
    return None


def _moments(values: Sequence[Any]) -> _Column:
    return _checked(values, _SECONDS, datetime.fromisoformat)


def _days(values: Sequence[Any]) -> _Column:
    return _checked(values, _DAYS, date.fromisoformat)


def _checked(values: Sequence[Any], pattern: re.Pattern[str], parse: Callable[[str], object]) -> _Column:
    """Texts that match this pattern and are real dates; None if one is not."""
    known = [value for value in values if value is not None]
    if not set(map(type, known)) <= {str} or not pattern.fullmatch("".join(f"{value}\n" for value in known)):
        return None
    try:
        for value in set(known):
            parse(value)
    except ValueError:
        return None
    return values if len(known) == len(values) else [_NULL if value is None else value for value in values]


_ENCODERS: Final[Mapping[ColumnType, Callable[[Sequence[Any]], _Column]]] = {
    ColumnType.TEXT: _texts,
    ColumnType.INTEGER: _integers,
    ColumnType.FLOAT: _floats,
    ColumnType.BOOLEAN: _booleans,
    ColumnType.DATE: _days,
    ColumnType.TIMESTAMP: _moments,
}
