"""The rules that hold for all products: rows, custom fields, the edges of relationships and of records."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from openfaith_pipeline.catalog.stream import ColumnType
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline_tests.integration.transform.products.world import World


class Record:
    """A raw row that remembers which attributes have been taken: the others are custom fields."""

    def __init__(self, oracle: "Oracle", world: World, stream: str, row: dict[str, Any]) -> None:
        self.world, self.oracle, self.stream, self.row = world, oracle, stream, row
        self.taken = {"created_at", "updated_at"}
        self.unheld: set[str] = set()

    @property
    def id(self) -> str:
        return str(self.row["id"])

    def __getitem__(self, attribute: str) -> Any:
        self.taken.add(attribute)
        return self.row[attribute]

    def look(self, attribute: str) -> Any:
        """Without taking it."""
        return self.row[attribute]

    def all(self, *attributes: str) -> dict[str, Any]:
        """In columns of the same name in camel case."""
        return {_camel(name): self[name] for name in attributes}

    def named(self, relationship: str) -> str | None:
        """The id of the entity that the relationship names."""
        target, record_id = STREAMS[self.stream].belongs_to[relationship], self.row[f"{relationship}_id"]
        return None if record_id is None else self.oracle.entity_id(self.world, str(target), record_id)

    def of(self, stream: str, via: str, value: Callable[[dict[str, Any]], Any]) -> list[Any]:
        """The values of the live records that name this one."""
        return _given(value(row) for row in self.world.live(stream) if row[f"{via}_id"] == self.id)

    def of_named(self, stream: str, via: str, value: Callable[[dict[str, Any]], Any]) -> list[Any]:
        """The value of the live record that this one names."""
        return _given(value(row) for row in self.world.live(stream) if row["id"] == self.row[f"{via}_id"])

    def of_listed(self, stream: str, via: str, value: Callable[[dict[str, Any]], Any]) -> list[Any]:
        """The values of the live records that this one lists."""
        listed = {far for near, far in self.world.links[self.stream, via] if near == self.id}
        return _given(value(row) for row in self.world.live(stream) if row["id"] in listed)


Values = Callable[[Record], Mapping[str, Any]]


def nothing(_: Record) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True)
class Row:
    """A record that is a row. fields: values of records of other types, by name, each a list."""

    table: str
    tag: str
    columns: Values
    is_qualified: bool = False
    fields: Values = nothing
    polymorphic: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def folder(type_: str, columns: Values, fields: Values = nothing) -> Row:
    return Row("folders", "folder", lambda raw: {"folderType": type_, **columns(raw)}, is_qualified=True, fields=fields)


def directory(of_people: Values = nothing) -> dict[str, Row]:
    """The people and campuses that a product shares, with the fields it adds to people."""
    return {
        "people.people": Row("people", "person", nothing, fields=of_people),
        "people.campuses": Row("campuses", "campus", nothing),
    }


@dataclass(frozen=True)
class Join:
    """A record that becomes an edge between the targets of two of its relationships."""

    near: str
    far: str
    key: str
    metadata: Values = nothing
    fields: Values = nothing


Edges = dict[tuple[str, str, str], dict[str, Any]]


@dataclass(frozen=True)
class Oracle:
    """The expected mapping of one product. aliases: stream -> the stream whose records they are."""

    rows: Mapping[str, Row]
    joins: Mapping[str, Join]
    aliases: Mapping[str, str]

    def row_of(self, stream: str | None) -> tuple[str, Row] | None:
        name = self.aliases.get(stream or "", stream or "")
        return (name, self.rows[name]) if name in self.rows else None

    def entity_id(self, world: World, stream: str, record_id: str) -> str | None:
        found = self.row_of(stream)
        assert found, f"{stream} is not an entity"
        name, row = found
        return world.ids.get((row.tag, f"{name}:{record_id}" if row.is_qualified else record_id))

    def expected_rows(self, world: World, stream: str) -> dict[str, dict[str, Any]]:
        """By entity id; custom fields by name."""
        rule = self.rows[stream]
        return {
            self.entity_id(world, stream, raw["id"]) or "": self._row(rule, Record(self, world, stream, raw))
            for raw in world.rows[stream].values()
        }

    def fields_on(self, world: World, stream: str) -> list[str]:
        """Names of the fields that records of other types give the stream's."""
        record = Record(self, world, stream, next(iter(world.rows[stream].values())))
        return list(self.rows[stream].fields(record))

    def _row(self, rule: Row, raw: Record) -> dict[str, Any]:
        origin = {"stream": raw.stream} if rule.is_qualified else {}
        base = {
            "externalIds": [{"id": raw.id, "type": "pco", **origin}],
            "status": "active",
            "deletedAt": raw.row["_deleted_at"],
            "createdAt": _first(raw.row, "created_at", "updated_at", "_first_seen_at"),
            "updatedAt": raw.row.get("updated_at") if STREAMS[raw.stream].attributes.get("updated_at") else None,
        }
        columns = rule.columns(raw)
        return {**base, **columns, "customFields": {item["name"]: item for item in self._items(rule, raw)}}

    def _items(self, rule: Row, raw: Record) -> Iterator[dict[str, Any]]:
        for name, kind in STREAMS[raw.stream].attributes.items():
            is_free = name not in raw.taken or name in raw.unheld
            if is_free and raw.row[name] is not None and f"{name}" not in _columns_of(raw.stream):
                yield _item(name, raw.row[name], kind)
        for name, value in (raw.row["_extra"] or {}).items():
            yield _item(name, value, ColumnType.JSON)
        for name, values in rule.fields(raw).items():
            if values:
                yield _item_of_several(name, values)

    def expected_edges(self, world: World) -> Edges:
        edges: Edges = {}
        for stream, row in self.rows.items():
            for raw in world.live(stream):
                for key, target, record_id in self._named(world, stream, row, raw):
                    self._add(world, edges, (stream, raw["id"]), (target, record_id), key, raw)
        for stream, join in self.joins.items():
            self._add_records(world, edges, stream, join)
        return edges

    def _named(self, world: World, stream: str, row: Row, raw: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
        declared = STREAMS[stream]
        named = [(key, target, raw[f"{key}_id"]) for key, target in declared.belongs_to.items() if target]
        for key, targets in row.polymorphic.items():
            named += [(key, each, raw[f"{key}_id"]) for each in targets if STREAMS[each].type == raw[f"{key}_type"]]
        for key, target in declared.has_many.items():
            listed = world.links.get((stream, key), set())
            named += [(key, target or "", far) for near, far in listed if near == raw["id"]]
        for key, target, record_id in named:
            found = self.row_of(target)
            if not found or record_id is None or found[1].table == row.table:
                continue
            if not world.is_gone(found[0], record_id):
                yield key, found[0], record_id

    def _add(
        self, world: World, edges: Edges, near: tuple[str, str], far: tuple[str, str], key: str, raw: dict[str, Any]
    ) -> None:
        edge = edges.setdefault(self._key(world, near, far, key), {"keys": set(), "created": [], "updated": []})
        edge["keys"].add(key)
        edge["created"].append(_first(raw, "created_at", "updated_at", "_first_seen_at"))
        edge["updated"].append(raw.get("updated_at"))

    def _key(self, world: World, near: tuple[str, str], far: tuple[str, str], key: str) -> tuple[str, str, str]:
        ends = []
        for stream, record_id in (near, far):
            entity_id = self.entity_id(world, stream, record_id)
            assert entity_id, f"{stream} {record_id} is named and has no link"
            found = self.row_of(stream)
            assert found
            ends.append((entity_id, found[1].tag))
        ends.sort(key=lambda end: (not "a" <= end[0][0] <= "m", end[0]))
        (source, source_tag), (other, other_tag) = ends
        return source, other, f"{source_tag}_{key if '_' in key else 'has'}_{other_tag}"

    def _add_records(self, world: World, edges: Edges, stream: str, join: Join) -> None:
        records: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
        for raw in world.live(stream):
            ends = [self._end(world, stream, raw, relationship) for relationship in (join.near, join.far)]
            if all(ends):
                near, far = ends
                assert near and far
                key = self._key(world, near, far, join.key)
                records.setdefault(key, []).append(raw)
        for key, found in records.items():
            found.sort(key=lambda raw: (len(raw["id"]), raw["id"]))
            said = [self._said(world, stream, join, raw) for raw in found]
            edges[key] = {
                "keys": {join.key},
                "created": [_first(raw, "created_at", "updated_at", "_first_seen_at") for raw in found],
                "updated": [raw.get("updated_at") for raw in found],
                "metadata": said[-1] | ({"records": said} if len(said) > 1 else {}),
            }

    def _end(self, world: World, stream: str, raw: dict[str, Any], relationship: str) -> tuple[str, str] | None:
        target = STREAMS[stream].belongs_to[relationship]
        if target is None:
            types = {row: STREAMS[row].type for row in self.rows if STREAMS[row].product is STREAMS[stream].product}
            target = next((name for name, type_ in types.items() if type_ == raw[f"{relationship}_type"]), None)
        found, record_id = self.row_of(target), raw[f"{relationship}_id"]
        if not found or record_id is None or world.is_gone(found[0], record_id):
            return None
        return found[0], record_id

    def _said(self, world: World, stream: str, join: Join, raw: dict[str, Any]) -> dict[str, Any]:
        record = Record(self, world, stream, raw)
        said = {"recordId": raw["id"], **{name: _json(value) for name, value in join.metadata(record).items()}}
        for name, values in join.fields(record).items():
            if len(values) == 1:
                said[name] = _json(values[0])
            elif values:
                said[name] = ", ".join(sorted(map(_text, values), key=str.encode))
        return {name: value for name, value in said.items() if value is not None}


def joined(*values: Any, by: str = " ") -> str | None:
    """The texts that are not empty."""
    return by.join(text for text in (_text(value) for value in values if value is not None) if text) or None


def _columns_of(stream: str) -> set[str]:
    """Attributes that share their column with a relationship."""
    return {f"{name}_id" for name in STREAMS[stream].belongs_to}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.title() for other in others)


def _given(values: Iterator[Any]) -> list[Any]:
    return [value for value in values if value is not None]


def _first(raw: dict[str, Any], *names: str) -> Any:
    return next(raw[name] for name in names if raw.get(name) is not None)


def _json(value: Any) -> Any:
    """As it stands in JSON: moments in UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return value.isoformat() if isinstance(value, date) else value


def _text(value: Any) -> str:
    value = _json(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)


_TAGS = {ColumnType.TEXT: "string", ColumnType.INTEGER: "number", ColumnType.FLOAT: "number"}
_TAGS |= {ColumnType.BOOLEAN: "boolean", ColumnType.DATE: "date", ColumnType.TIMESTAMP: "date"}


def _item(name: str, value: Any, kind: ColumnType) -> dict[str, Any]:
    if kind is not ColumnType.JSON:
        return _said_item(_TAGS[kind], name, _json(value))
    if isinstance(value, bool):
        return _said_item("boolean", name, value)
    if isinstance(value, int | float):
        return _said_item("number", name, value)
    return _said_item("string", name, _text(value))


def _item_of_several(name: str, values: list[Any]) -> dict[str, Any]:
    if len(values) > 1:
        return _said_item("string", name, ", ".join(sorted(map(_text, values), key=str.encode)))
    [value] = values
    if isinstance(value, bool):
        return _said_item("boolean", name, value)
    if isinstance(value, int | float):
        return _said_item("number", name, value)
    return _said_item("date" if isinstance(value, datetime) else "string", name, _text(value))


def _said_item(tag: str, name: str, value: Any) -> dict[str, Any]:
    return {"_tag": tag, "name": f"pco_{name}", "source": "pco", "value": value}
