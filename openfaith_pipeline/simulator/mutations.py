"""Changes to a running church: what its staff would do, and what Planning Center does behind their backs."""

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import orjson

from openfaith_pipeline.catalog import ColumnType
from openfaith_pipeline.simulator.church import Church
from openfaith_pipeline.simulator.clocks import Clock
from openfaith_pipeline.simulator.generation import Maker
from openfaith_pipeline.simulator.records import Record
from openfaith_pipeline.simulator.shapes import Relation, Shape
from openfaith_pipeline.simulator.tables import Table
from openfaith_pipeline.simulator.values import FIRST_ID, Sketch, Target, value_of

Ids = Sequence[int] | Literal["all"]
_EDITABLE = (ColumnType.TEXT, ColumnType.INTEGER, ColumnType.BOOLEAN, ColumnType.DATE)
_ANOTHER = 1_000_000
"""How far beyond its own place an edited record looks for new values."""


class Editor:
    """Edits one church. Ids are numbers; `updated_at` moves to now unless a change is quiet."""

    def __init__(self, church: Church, clock: Clock) -> None:
        self._church = church
        self._clock = clock
        self._dice = random.Random(f"{church.spec.seed}.edits")  # noqa: S311 - not a secret
        self._edits = 0
        self._is_settled = False

    def edit(
        self,
        stream: str,
        ids: Ids | None = None,
        *,
        count: int = 1,
        attributes: Mapping[str, Any] | None = None,
        relations: Mapping[str, int | None] | None = None,
        is_quiet: bool = False,
    ) -> list[int]:
        """Change records (`count` random ones when no ids are given) and return their ids.

        attributes: new values, of unknown names and wrong types too; one random attribute when neither these nor
        relations (name -> id) are given.
        """
        table = self._table(stream)
        chosen = list(table.ids) if ids == "all" else list(ids or self._some(table, count))
        for id in chosen:
            record = table.record(id)
            if attributes is None and relations is None:
                record.attributes.update(self._another_value(table.shape, record))
            if relations:
                record.relations.update(_targets(table.shape, relations))
                _restate(table.shape, record)
            record.attributes.update(attributes or {})
            self._save(table, record, is_quiet)
        return chosen

    def add(
        self,
        stream: str,
        *,
        count: int = 1,
        attributes: Mapping[str, Any] | None = None,
        relations: Mapping[str, int | None] | None = None,
    ) -> list[int]:
        """Add records made like the others and return their ids. They belong to random owners unless relations say."""
        table = self._table(stream)
        return [self._add_one(table, attributes or {}, relations or {}) for _ in range(count)]

    def delete(self, stream: str, ids: Sequence[int]) -> list[int]:
        """Remove records and all that belongs to them; references to them become empty."""
        for id in ids:
            if id in self._table(stream):
                self._table(stream).delete(id)
                self._let_go((stream, id))
        return list(ids)

    def merge(self, stream: str, keep: int | None = None, remove: int | None = None) -> dict[str, int]:
        """Merge one record into another (random ones unless given): what belonged to it moves, a merger tells of it."""
        mergers, kept, removed = self._merger_of(stream)
        table = self._table(stream)
        if keep is None or remove is None:
            keep, remove = self._dice.sample(table.ids, 2)
        for other, relation, ids in self._referring((stream, remove)):
            for id in ids:
                self._move(other, relation, id, (stream, keep))
        table.delete(remove)
        added = self.add(mergers, relations={kept: keep, removed: remove})
        return {"merger": added[0], "keep": keep, "remove": remove}

    def inject(self, stream: str, raw: Any, id: int | None = None) -> int:
        """List anything at all as a record, in the place of `id` or as a new one."""
        table = self._table(stream)
        place = id if id is not None else table.last_id + 1
        table.put_raw(place, orjson.dumps(raw))
        return place

    def _table(self, stream: str) -> Table:
        """The table to change; all tables are made first, so that none is made from changed ones."""
        if not self._is_settled:
            self._church.settle()
            self._is_settled = True
        return self._church.table(stream)

    def _merger_of(self, stream: str) -> tuple[str, str, str]:
        """The stream that tells of this stream's merges, and its relations to the kept and the removed."""
        for shape in self._church.shapes.values():
            if shape.merger and all(relation.target == stream for relation in shape.merger):
                return shape.stream.name, shape.merger[0].name, shape.merger[1].name
        raise ValueError(f"no stream tells of merges of {stream}")

    def _some(self, table: Table, count: int) -> list[int]:
        return self._dice.sample(table.ids, min(count, len(table)))

    def _save(self, table: Table, record: Record, is_quiet: bool) -> None:
        if "updated_at" in table.shape.stream.attributes and not is_quiet:
            record.attributes["updated_at"] = self._clock.stamp()
        table.put(record)

    def _another_value(self, shape: Shape, record: Record) -> dict[str, Any]:
        editable = [name for name, kind in shape.stream.attributes.items() if kind in _EDITABLE and name[-3:] != "_id"]
        if not editable:
            return {}
        name = self._dice.choice(editable)
        self._edits += 1
        place = record.id - FIRST_ID + _ANOTHER * self._edits
        now = int(self._clock.now())
        sketch = Sketch(self._dice, shape, place, 0, record.relations, now, now, self._church.spec.seed)
        value = value_of(shape, name)(sketch)
        if value == record.attributes.get(name):
            value = _nudged(shape.stream.attributes[name], value, self._edits)
        return {name: value}

    def _add_one(self, table: Table, attributes: Mapping[str, Any], relations: Mapping[str, int | None]) -> int:
        shape, now = table.shape, int(self._clock.now())
        given = _targets(shape, relations)
        owner = given.get(shape.owner.name) if shape.owner else None
        if shape.owner and shape.owner.target and owner is None:
            living = self._church.table(shape.owner.target).ids
            owner = (shape.owner.target, self._dice.choice(living)) if living else None
        rank = len(table.children(shape.owner.name, owner)) if shape.owner and owner else 0
        if shape.owner:
            given[shape.owner.name] = owner
        record = Maker(self._church, shape, self._dice).make(table.last_id + 1 - FIRST_ID, rank, (now, now), given)
        record.relations = {name: self._living(shape, name, target) for name, target in record.relations.items()}
        record.attributes.update(attributes)
        table.put(record)
        return record.id

    def _living(self, shape: Shape, name: str, target: Target | None) -> Target | None:
        """Another target for one that was deleted meanwhile."""
        if target is None or shape.relation[name].merger_role or target[1] in self._church.table(target[0]):
            return target
        living = self._church.table(target[0]).ids
        return (target[0], self._dice.choice(living)) if living else None

    def _referring(self, target: Target) -> Iterable[tuple[Table, Relation, Sequence[int]]]:
        """All records that refer to this one, mergers aside: those go on telling of what is gone."""
        for shape in self._church.shapes.values():
            for relation in shape.relations:
                if relation.target in (target[0], None) and not relation.merger_role:
                    table = self._church.table(shape.stream.name)
                    yield table, relation, list(table.children(relation.name, target))

    def _let_go(self, target: Target) -> None:
        for table, relation, ids in self._referring(target):
            if relation.is_cascading:
                self.delete(table.shape.stream.name, ids)
                continue
            for id in ids:
                record = table.record(id)
                record.relations[relation.name] = None
                _restate(table.shape, record)
                self._save(table, record, is_quiet=False)

    def _move(self, table: Table, relation: Relation, id: int, target: Target) -> None:
        """Give a record to another target; one that says the same as a record already there goes."""
        record = table.record(id)
        record.relations[relation.name] = target
        there = (table.record(other).relations for other in table.children(relation.name, target))
        if len(record.relations) > 1 and record.relations in there:
            self.delete(table.shape.stream.name, [id])
            return
        _restate(table.shape, record)
        self._save(table, record, is_quiet=False)


def _targets(shape: Shape, relations: Mapping[str, int | None]) -> dict[str, Target | None]:
    targets: dict[str, Target | None] = {}
    for name, id in relations.items():
        target = shape.relation[name].target
        if target is None:
            raise ValueError(f"{shape.stream.name}.{name} points to no one stream")
        targets[name] = None if id is None else (target, int(id))
    return targets


def _restate(shape: Shape, record: Record) -> None:
    """Let the attributes `<relation>_id` say what the relations say."""
    for name in shape.relation:
        kind = shape.stream.attributes.get(f"{name}_id")
        target = record.relations[name]
        if kind:
            as_number = kind is ColumnType.INTEGER
            record.attributes[f"{name}_id"] = (target[1] if as_number else str(target[1])) if target else None


def _nudged(kind: ColumnType, value: Any, number: int) -> Any:
    """Something else than `value`, of its kind."""
    if kind is ColumnType.BOOLEAN:
        return not value
    if kind is ColumnType.INTEGER:
        return (value or 0) + number
    if kind is ColumnType.DATE:
        return None if value else "2001-02-03"
    return f"{value or 'New'} {number}"
