"""Sort the records of a document by stream, each with the parents it was found under."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk import Carried, Record, Route, id_of

_Key = tuple[str, str]
"""A record's type and id."""


class Answer(NamedTuple):
    """The results of one request, or of several for one listing.

    rows: rows to keep. shown: all rows, including those read before or older than the watermark.
    included: records that came with any of the rows shown.
    """

    rows: list[Any]
    shown: list[Any]
    included: list[Any]


class _Owner(NamedTuple):
    """The parents of an included record, and whether it comes with a row that is kept."""

    parents: Mapping[str, str]
    is_kept: bool

    def beside(self, other: "_Owner | None") -> "_Owner":
        """Combine parents of one record; if only one of them has a row that is kept, that one alone."""
        if other is None or self.is_kept > other.is_kept:
            return self
        if other.is_kept > self.is_kept:
            return other
        return _Owner({**other.parents, **self.parents}, self.is_kept)


def sort_records(
    route: Route, kept: Collection[Stream], answer: Answer, parents: Mapping[str, str]
) -> dict[str, list[Record]]:
    """Records by stream name.

    An included record is kept if a row it belongs to is kept. One that no row names is kept too, with the parent it may
    name
    itself: nothing shows that it came with another.
    """
    sorted_records: dict[str, list[Record]] = {}
    if route.lead in kept:
        sorted_records[route.lead.name] = [Record(row, parents) for row in answer.rows]
    carried = {each.stream.type: each.stream for each in route.carried}
    if not carried or not answer.rows:
        return sorted_records
    owners = _Owners(route.carried, answer)
    for row in answer.included:
        stream = carried.get(_type_of(row))
        owner = owners.of(row) if stream else None
        if stream and owner and owner.is_kept:
            sorted_records.setdefault(stream.name, []).append(Record(row, {**parents, **owner.parents}))
    return sorted_records


class _Owners:
    """Owners of the included records of a document.

    Parents name their children; children do not always name their parents.
    """

    def __init__(self, carried: Sequence[Carried], answer: Answer) -> None:
        kept = {_key(row) for row in answer.rows}
        self._carried = carried
        self._rows = {_key(row): _Owner({}, _key(row) in kept) for row in answer.shown}
        self._found: dict[_Key, _Owner] = {}
        for each in _outer_first(carried):
            self._find(each, answer)

    def of(self, row: Any) -> _Owner:
        return self._found.get(_key(row)) or self._told_by(row) or _Owner({}, is_kept=True)

    def _find(self, each: Carried, answer: Answer) -> None:
        for parent in answer.included if each.outer else answer.shown:
            if _type_of(parent) != each.parent.type or id_of(parent) is None:
                continue
            above = self.of(parent) if each.outer else self._rows[_key(parent)]
            owner = _Owner({**above.parents, each.relationship: parent["id"]}, above.is_kept)
            for child in _named(parent, each.name):
                key = each.stream.type, child
                self._found[key] = owner.beside(self._found.get(key))

    def _told_by(self, row: Any) -> _Owner | None:
        """The owner that the record itself names, if that one came too."""
        for each in self._carried:
            if each.stream.type == _type_of(row):
                for parent in _named(row, each.relationship):
                    key = each.parent.type, parent
                    above = self._found.get(key) if each.outer else self._rows.get(key)
                    if above:
                        return above
        return None


def _outer_first(carried: Iterable[Carried]) -> list[Carried]:
    """Sort each after the one it is included through, which is included even if its own records are not wanted."""
    found: dict[Carried, None] = {}
    for each in carried:
        if each.outer:
            found |= dict.fromkeys(_outer_first([each.outer]))
        found[each] = None
    return list(found)


def _type_of(row: Any) -> str:
    """A row's type, empty for a row too broken to have one."""
    value = row.get("type") if isinstance(row, dict) else None
    return value if isinstance(value, str) else ""


def _key(row: Any) -> _Key:
    return _type_of(row), id_of(row) or ""


def _named(row: Any, relationship: str) -> list[str]:
    """Ids in a relationship of the row."""
    relationships = row.get("relationships") if isinstance(row, dict) else None
    linkage = relationships.get(relationship) if isinstance(relationships, dict) else None
    data = linkage.get("data") if isinstance(linkage, dict) else None
    return [identifier for item in (data if isinstance(data, list) else [data]) if (identifier := id_of(item))]


def lacking(carried: Sequence[Carried], answer: Answer) -> set[str]:
    """Names of streams with a record that is named in the document but missing from it.

    If a record is missing, its children are lacking too, since nothing else names them.
    """
    there = {_key(row) for row in answer.included}
    found: set[str] = set()
    for each in _outer_first(carried):
        named = (
            (each.stream.type, child)
            for parent in (*answer.shown, *answer.included)
            if _type_of(parent) == each.parent.type
            for child in _named(parent, each.name)
        )
        if (each.outer and each.outer.stream.name in found) or not there.issuperset(named):
            found.add(each.stream.name)
    return found


def left_out(route: Route, rows: list[Any], included: list[Any]) -> list[tuple[Carried, str]]:
    """Records that the rows name and the document lacks, of streams with another way to read them.

    Planning Center's relationships have been seen to name an email for minutes before `included` had it.
    """
    there = {(_type_of(row), id_of(row)) for row in included}
    missing: list[tuple[Carried, str]] = []
    for each in route.carried:
        if each.stream.comes_with:
            named = (identifier for row in rows for identifier in _named(row, each.way))
            missing += [(each, child) for child in dict.fromkeys(named) if (each.stream.type, child) not in there]
    return missing
