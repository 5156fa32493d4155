"""The records of one stream of one church: each encoded once, ready to send, and found through sorted indexes."""

import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any

import orjson

from openfaith_pipeline.catalog.stream import ColumnType
from openfaith_pipeline.simulator.records import Codec, Hidden, Record
from openfaith_pipeline.simulator.relations import Target

Key = Any
"""Sort key of a value: text or a number, never mixed within an index."""
_REMEMBERED = 16
_NUMBERS = (ColumnType.INTEGER, ColumnType.FLOAT, ColumnType.BOOLEAN)


def fold(text: str) -> str:
    """Normalize text as Planning Center does for comparison: without accents, in lower case."""
    if text.isascii():
        return text.lower()
    return "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each)).lower()


def null_key(kind: ColumnType) -> Key:
    """The key of null, which sorts before every other."""
    return float("-inf") if kind in _NUMBERS else ""


def key_of(kind: ColumnType, value: Any) -> Key:
    """A value's key; a value of the wrong type sorts as null."""
    if kind in _NUMBERS:
        return value if isinstance(value, int | float) else null_key(kind)
    if not isinstance(value, str):
        return null_key(kind)
    return fold(value) if kind is ColumnType.TEXT else value


class SortedIndex:
    """Ids sorted by an attribute in both directions; equal keys in ascending id in both, nulls first."""

    def __init__(self, kind: ColumnType, pairs: Iterable[tuple[Key, int]]) -> None:
        ascending = sorted(pairs)
        self._null = null_key(kind)
        self._keys = [key for key, _ in ascending]
        self.ids = [id for _, id in ascending]
        ascending.sort(key=lambda pair: pair[0], reverse=True)
        self.descending_ids = [id for _, id in ascending]

    def window(self, low: Key | None, high: Key | None) -> tuple[int, int]:
        """Positions in `ids` of the keys in [low, high), never of nulls; None for no bound."""
        start = bisect_right(self._keys, self._null) if low is None else bisect_left(self._keys, low)
        stop = len(self._keys) if high is None else bisect_left(self._keys, high)
        return start, max(start, stop)

    def add(self, key: Key, id: int) -> None:
        start, stop = bisect_left(self._keys, key), bisect_right(self._keys, key)
        place = bisect_left(self.ids, id, start, stop)
        mirrored = bisect_left(self.descending_ids, id, len(self.ids) - stop, len(self.ids) - start)
        self._keys.insert(place, key)
        self.ids.insert(place, id)
        self.descending_ids.insert(mirrored, id)

    def remove(self, key: Key, id: int) -> None:
        start, stop = bisect_left(self._keys, key), bisect_right(self._keys, key)
        place = bisect_left(self.ids, id, start, stop)
        mirrored = bisect_left(self.descending_ids, id, len(self.ids) - stop, len(self.ids) - start)
        del self._keys[place], self.ids[place], self.descending_ids[mirrored]


class Table:
    """Records by id. `version` changes with every change, so that derived data can detect that it is stale."""

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.shape = codec.shape
        self.fragments: dict[int, bytes] = {}
        self.ids: list[int] = []
        self.version = 0
        self.last_id = 0
        self._hidden: dict[int, Hidden] = {}
        self._raw: set[int] = set()
        self._indexes: dict[str, SortedIndex] = {}
        self._children: dict[str, dict[int, list[int]]] = {}
        self._found: dict[Hashable, list[int]] = {}
        self._found_in = 0

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, id: int) -> bool:
        return id in self.fragments

    def record(self, id: int) -> Record:
        return self.read(id, orjson.loads(self.fragments[id]))

    def read(self, id: int, resource: Any) -> Record:
        """The record with this id, given its listed object."""
        return self.codec.decode(id, resource, self.hidden(id))

    def hidden(self, id: int) -> Hidden:
        """Parts of a record that lists do not show; empty for a record that is not a resource object."""
        return self._hidden.get(id, ())

    def is_raw(self, id: int) -> bool:
        """Whether the record was injected as raw JSON and may be no resource object at all."""
        return id in self._raw

    def own_url(self, id: int) -> str:
        return self.codec.plain_url(id) or self.codec.self_url(self.record(id))

    def records(self) -> Iterator[Record]:
        return map(self.record, self.ids)

    def index(self, attribute: str) -> SortedIndex:
        """The index over an attribute, built on first use and kept up to date."""
        if attribute not in self._indexes:
            pairs = ((self._key(attribute, record), record.id) for record in self.records())
            self._indexes[attribute] = SortedIndex(self._kind(attribute), pairs)
        return self._indexes[attribute]

    def children(self, relation: str, target: Target) -> Sequence[int]:
        """Ids of the records whose `relation` is `target`, ascending."""
        if relation not in self._children:
            known = self._children.setdefault(relation, {})
            for record in self.records():
                _hang(known, record, relation)
        ids = self._children[relation].get(target[1], ())
        if self.shape.relation[relation].target is None:
            return [id for id in ids if self.record(id).relations[relation] == target]
        return ids

    def remember(self, asked: Hashable, find: Callable[[], list[int]]) -> list[int]:
        """Cache the result of `find` under a key until something changes: used by the following pages."""
        if self._found_in != self.version or len(self._found) >= _REMEMBERED:
            self._found.clear()
            self._found_in = self.version
        if asked not in self._found:
            self._found[asked] = find()
        return self._found[asked]

    def fill(self, records: Iterable[Record]) -> None:
        """Add the initial records, in ascending id."""
        for record in records:
            self._write(record)
        self.ids = list(self.fragments)
        self.last_id = self.ids[-1] if self.ids else 0

    def put(self, record: Record) -> None:
        """Add or replace a record."""
        self._change(record.id, record, None)

    def put_raw(self, id: int, fragment: bytes) -> None:
        """Add raw JSON, listed as it is; it may be no resource object at all."""
        self._change(id, None, fragment)

    def delete(self, id: int) -> None:
        self._change(id, None, None)

    def _change(self, id: int, record: Record | None, raw: bytes | None) -> None:
        is_new = id not in self.fragments
        if not is_new:
            self._unhang(self.record(id))
        self.version += 1
        self._raw.discard(id)
        if record is None and raw is None:
            del self.fragments[id]
            del self.ids[bisect_left(self.ids, id)]
            self._hidden.pop(id, None)
            return
        if is_new:
            self.ids.insert(bisect_left(self.ids, id), id)
            self.last_id = max(self.last_id, id)
        if raw is not None:
            self.fragments[id] = raw
            self._raw.add(id)
        elif record is not None:
            self._write(record)
        self._rehang(self.record(id))

    def _write(self, record: Record) -> None:
        self.fragments[record.id] = self.codec.encode(record)
        if self.shape.hidden or self.shape.hidden_links:
            self._hidden[record.id] = self.codec.hidden(record)

    def _key(self, attribute: str, record: Record) -> Key:
        return key_of(self._kind(attribute), record.value(attribute))

    def _kind(self, attribute: str) -> ColumnType:
        kind = self.shape.kind_of(attribute)
        if kind is None:
            raise ValueError(f"{self.shape.stream.name} has no {attribute}")
        return kind

    def _unhang(self, record: Record) -> None:
        for attribute, index in self._indexes.items():
            index.remove(self._key(attribute, record), record.id)
        for relation, known in self._children.items():
            target = record.relations.get(relation)
            if target:
                known[target[1]].remove(record.id)

    def _rehang(self, record: Record) -> None:
        for attribute, index in self._indexes.items():
            index.add(self._key(attribute, record), record.id)
        for relation, known in self._children.items():
            _hang(known, record, relation)
            target = record.relations.get(relation)
            if target:
                known[target[1]].sort()


def _hang(known: dict[int, list[int]], record: Record, relation: str) -> None:
    target = record.relations.get(relation)
    if target:
        known.setdefault(target[1], []).append(record.id)
