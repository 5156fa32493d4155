"""Changes to a running church: edits by its staff, and changes that Planning Center makes by itself."""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import orjson

from openfaith_pipeline.catalog.stream import ColumnType
from openfaith_pipeline.simulator.church import Church
from openfaith_pipeline.simulator.clocks import Clock
from openfaith_pipeline.simulator.generation import Maker
from openfaith_pipeline.simulator.primaries import PRIMARY, demote_others
from openfaith_pipeline.simulator.records import Record
from openfaith_pipeline.simulator.relations import Relation, Target
from openfaith_pipeline.simulator.shapes import Shape
from openfaith_pipeline.simulator.tables import Table
from openfaith_pipeline.simulator.values import FIRST_ID, Sketch, value_of

Ids = Sequence[int] | Literal["all"]
Relations = Mapping[str, int | Sequence[int] | None]
_EDITABLE = (ColumnType.TEXT, ColumnType.INTEGER, ColumnType.BOOLEAN, ColumnType.DATE)
Heard = Callable[[str, Table, int], None]
"""Called with a change (`created`, `updated`, `destroyed`, `destroyed along` with another record) and its record.

For a destroyed record, before it is gone.
"""
_ANOTHER = 1_000_000
"""How far beyond its own index an edited record looks for new values."""


class Editor:
    """Edits one church. Ids are numbers; `updated_at` moves to now and an event is sent unless a change is quiet."""

    def __init__(self, church: Church, clock: Clock, heard: Heard | None = None) -> None:
        self._church = church
        self._clock = clock
        self._heard = heard
        self._consequences = 0
        self._dice = random.Random(f"{church.spec.seed}.edits")  # noqa: S311 - not a secret
        self._edits = 0
        self._settled = set[str]()

    def edit(
        self,
        stream: str,
        ids: Ids | None = None,
        *,
        count: int = 1,
        attributes: Mapping[str, Any] | None = None,
        relations: Relations | None = None,
        is_quiet: bool = False,
    ) -> list[int]:
        """Change records (`count` random ones without ids) and return their ids.

        attributes: new values; unknown names and wrong types are allowed. relations: name -> id, or ids of a to-many
        one. With neither, something random changes.
        """
        table = self._table(stream)
        chosen = list(table.ids) if ids == "all" else list(ids or self._some(table, count))
        for id in chosen:
            record = table.record(id)
            if attributes is None and relations is None:
                self._change_something(table.shape, record)
            if relations:
                _relate(table.shape, record, relations)
                _restate(table.shape, record)
            record.attributes.update(attributes or {})
            self._save(table, record, is_quiet)
            demote_others(table, record)
        return chosen

    def drop(self, stream: str, attributes: Sequence[str]) -> list[int]:
        """Remove these attributes from all records of a stream, like an API that drops them; `updated_at` stays."""
        table = self._table(stream)
        for id in table.ids:
            record = table.record(id)
            record.attributes = {name: value for name, value in record.attributes.items() if name not in attributes}
            table.put(record)
        return list(table.ids)

    def add(
        self,
        stream: str,
        *,
        count: int = 1,
        attributes: Mapping[str, Any] | None = None,
        relations: Relations | None = None,
    ) -> list[int]:
        """Add records like the existing ones and return their ids. Owners are random unless relations name them.

        Raises ValueError if no owner can have another one.
        """
        table = self._table(stream)
        return [self._add_one(table, attributes or {}, relations or {}) for _ in range(count)]

    def delete(self, stream: str, ids: Sequence[int]) -> list[int]:
        """Remove records and the records they own; references to them become empty."""
        for id in ids:
            if id in self._table(stream):
                self._tell("destroyed", self._table(stream), id)
                self._church.keep_deleted(self._table(stream), id)
                self._table(stream).delete(id)
                self._let_go((stream, id))
        return list(ids)

    def announce(self, stream: str, ids: Sequence[int], event: str = "updated") -> list[int]:
        """Send the event without a change: real events also arrive late, twice, or for records that nothing shows."""
        table = self._table(stream)
        for id in ids:
            self._tell(event, table, id)
        return list(ids)

    def merge(self, stream: str, keep: int | None = None, remove: int | None = None) -> dict[str, int]:
        """Merge one record into another (random ones by default): its records move, and a merger record is added."""
        mergers, kept, removed = self._merger_of(stream)
        table = self._table(stream)
        if keep is None or remove is None:
            keep, remove = self._dice.sample(table.ids, 2)
        for other, relation, ids in self._referring((stream, remove)):
            for id in ids:
                self._move(other, relation, id, (stream, keep))
        self._relink((stream, remove), keep)
        self._tell("destroyed", table, remove)
        table.delete(remove)
        added = self.add(mergers, relations={kept: keep, removed: remove})
        return {"merger": added[0], "keep": keep, "remove": remove}

    def inject(self, stream: str, raw: Any, id: int | None = None) -> int:
        """List any JSON value as a record, in place of record `id` or as a new one."""
        table = self._table(stream)
        place = id if id is not None else table.last_id + 1
        table.put_raw(place, orjson.dumps(raw))
        return place

    def _table(self, stream: str) -> Table:
        """The table to change. Records derived from it are made first, so that none derives from a changed one."""
        if stream not in self._settled:
            self._church.settle(stream)
            self._settled.add(stream)
        return self._church.table(stream)

    def _merger_of(self, stream: str) -> tuple[str, str, str]:
        """The stream with this stream's mergers, and its relations to the kept and the removed record."""
        for shape in self._church.shapes.values():
            if shape.merger and all(relation.target == stream for relation in shape.merger):
                return shape.stream.name, shape.merger[0].name, shape.merger[1].name
        raise ValueError(f"no stream has mergers of {stream}")

    def _some(self, table: Table, count: int) -> list[int]:
        return self._dice.sample(table.ids, min(count, len(table)))

    def _save(self, table: Table, record: Record, is_quiet: bool) -> None:
        if "updated_at" in table.shape.stream.attributes and not is_quiet:
            record.attributes["updated_at"] = self._clock.stamp()
        self._table(table.shape.stream.name).put(record)
        if not is_quiet:
            self._tell("updated", table, record.id)
            self._touch(table, record)

    def _touch(self, table: Table, record: Record) -> None:
        """Move `updated_at` of records that this change also counts as a change of; no webhook event for these."""
        for relation in table.shape.stream.touches:
            target = record.relations.get(relation)
            if target and target[1] in self._table(target[0]):
                owner = self._table(target[0]).record(target[1])
                owner.attributes["updated_at"] = self._clock.stamp()
                self._table(target[0]).put(owner)

    def _tell(self, what: str, table: Table, id: int) -> None:
        if self._heard:
            self._heard(f"{what} along" if self._consequences and what == "destroyed" else what, table, id)

    @contextmanager
    def _along(self) -> Iterator[None]:
        """Mark deletions in the block as side effects of another deletion."""
        self._consequences += 1
        try:
            yield
        finally:
            self._consequences -= 1

    def _change_something(self, shape: Shape, record: Record) -> None:
        """Change an attribute or, for a record without any, a link or relation."""
        editable = [name for name, kind in shape.stream.attributes.items() if kind in _EDITABLE and _is_own(name)]
        pointing = [each for each in shape.relations if each.target and not each.is_owner and not each.is_cascading]
        if editable:
            record.attributes.update(self._another_value(shape, record, self._dice.choice(editable)))
        elif shape.links:
            link = self._dice.choice(list(shape.links.values()))
            known = record.links.get(link.name, [])
            others = [id for id in self._church.table(link.target).ids if id not in known]
            record.links[link.name] = known[1:] + self._dice.sample(others, min(1, len(others)))
        elif pointing:
            relation = self._dice.choice(pointing)
            now = record.relations.get(relation.name)
            record.relations[relation.name] = None if now else self._any_living(relation.target)
            _restate(shape, record)

    def _another_value(self, shape: Shape, record: Record, name: str) -> dict[str, Any]:
        self._edits += 1
        place = record.id - FIRST_ID + _ANOTHER * self._edits
        now = int(self._clock.now())
        sketch = Sketch(
            self._dice,
            shape,
            place,
            0,
            record.relations,
            now,
            now,
            self._church.spec.seed,
            until=self._church.spec.until,
            church=self._church.spec.name,
        )
        value = value_of(shape, name)(sketch)
        if value == record.attributes.get(name):
            value = _nudged(shape.stream.attributes[name], value, self._edits)
        return {name: value}

    def _add_one(self, table: Table, attributes: Mapping[str, Any], relations: Relations) -> int:
        shape, now = table.shape, int(self._clock.now())
        wanted = Record(0, {})
        _relate(shape, wanted, relations)
        owner = shape.owner_of(wanted.relations) or self._some_owner(table)
        given = {**{each.name: None for each in shape.owners}, **wanted.relations}
        rank = 0
        if owner:
            given[owner[0].name] = owner[1]
            rank = len(table.children(owner[0].name, owner[1]))
        record = Maker(self._church, shape, self._dice).make(table.last_id + 1 - FIRST_ID, rank, (now, now), given)
        record.relations = {name: self._living(shape, name, target) for name, target in record.relations.items()}
        record.links = {name: self._living_links(shape, name, ids) for name, ids in record.links.items()} | wanted.links
        record.attributes.update(attributes)
        table.put(record)
        demote_others(table, record)
        self._tell("created", table, record.id)
        self._touch(table, record)
        self._point_at(shape, record.id)
        return record.id

    def _some_owner(self, table: Table) -> tuple[Relation, Target] | None:
        """Any living owner that can have another one."""
        shape = table.shape
        found: list[tuple[Relation, Target]] = []
        for relation in shape.owners:
            targets = [(str(relation.target), id) for id in self._possible_owners(shape, relation)]
            if shape.stream.is_singleton:
                targets = [target for target in targets if not table.children(relation.name, target)]
            found += [(relation, self._dice.choice(targets))] if targets else []
        if not found and (shape.owners or (shape.stream.is_singleton and not shape.sources)):
            raise ValueError(f"nothing can have another record of {shape.stream.name}")
        return self._dice.choice(found) if found else None

    def _possible_owners(self, shape: Shape, relation: Relation) -> Sequence[int]:
        """Living records that a path of this stream leads through."""
        if not relation.target:
            return ()
        owners = self._church.table(relation.target)
        ways = [way for way in shape.ways if way.relation == relation.name and not shape.stream.carried_as]
        outer = [name for way in ways for name in way.placeholders[:-1] if name in owners.shape.relation]
        if not outer:
            return owners.ids
        return [record.id for record in owners.records() if all(record.relations.get(name) for name in outer)]

    def _point_at(self, shape: Shape, id: int) -> None:
        """Let a parent point to a new record that nothing else leads to, preferably a parent that points to none."""
        places = [
            (record.relations.get(relation) is not None, number, source, record, relation)
            for number, (source, relation) in enumerate(shape.sources)
            for record in self._church.table(source).records()
        ]
        if places:
            _, _, source, record, relation = min(places, key=lambda place: place[:2])
            record.relations[relation] = (shape.stream.name, id)
            self._save(self._church.table(source), record, is_quiet=False)

    def _any_living(self, stream: str | None) -> Target | None:
        living = self._church.table(stream).ids if stream else ()
        return (stream, self._dice.choice(living)) if stream and living else None

    def _living_links(self, shape: Shape, name: str, ids: Iterable[int]) -> list[int]:
        living = self._church.table(shape.links[name].target)
        return [id for id in ids if id in living]

    def _living(self, shape: Shape, name: str, target: Target | None) -> Target | None:
        """A live target in place of one that has been deleted."""
        if target is None or shape.relation[name].merger_role or target[1] in self._church.table(target[0]):
            return target
        return self._any_living(target[0])

    def _referring(self, target: Target) -> Iterable[tuple[Table, Relation, Sequence[int]]]:
        """All records that refer to this one, except mergers, which keep naming the record that is gone."""
        for shape in self._church.shapes.values():
            for relation in shape.relations:
                if relation.target in (target[0], None) and not relation.merger_role:
                    table = self._church.table(shape.stream.name)
                    yield table, relation, list(table.children(relation.name, target))

    def _let_go(self, target: Target) -> None:
        self._relink(target, None)
        for table, relation, ids in self._referring(target):
            if relation.is_cascading:
                with self._along():
                    self.delete(table.shape.stream.name, ids)
                continue
            for id in ids:
                record = table.record(id)
                record.relations[relation.name] = None
                _restate(table.shape, record)
                self._save(table, record, is_quiet=self._church.traps.is_still_along)

    def _relink(self, target: Target, other: int | None) -> None:
        """Redirect every link to a record to another one of its stream, or remove it."""
        for shape in self._church.shapes.values():
            names = [link.name for link in shape.links.values() if link.target == target[0]]
            if not names:
                continue
            table = self._church.table(shape.stream.name)
            for record in list(table.records()):
                linking = [name for name in names if target[1] in record.links[name]]
                for name in linking:
                    renamed = (other if id == target[1] else id for id in record.links[name])
                    record.links[name] = list(dict.fromkeys(id for id in renamed if id is not None))
                if linking:
                    self._save(table, record, is_quiet=self._church.traps.is_still_along)

    def _move(self, table: Table, relation: Relation, id: int, target: Target) -> None:
        """Move a record to another target; remove it if the target already has an equal one."""
        record = table.record(id)
        record.relations[relation.name] = target
        there = (table.record(other).relations for other in table.children(relation.name, target))
        if len(record.relations) > 1 and record.relations in there:
            self.delete(table.shape.stream.name, [id])
            return
        _restate(table.shape, record)
        self._save(table, record, is_quiet=self._church.traps.is_still_along)


def _is_own(name: str) -> bool:
    """Whether a change of the attribute changes neither a relation nor another record."""
    return name[-3:] != "_id" and name != PRIMARY


def _relate(shape: Shape, record: Record, relations: Relations) -> None:
    """Set relations and links of a record."""
    for name, named in relations.items():
        if name in shape.links:
            record.links[name] = list(named) if isinstance(named, Sequence) else []
            continue
        target = shape.relation[name].target
        if target is None or isinstance(named, Sequence):
            raise ValueError(f"{shape.stream.name}.{name} has no single target stream")
        record.relations[name] = None if named is None else (target, int(named))


def _restate(shape: Shape, record: Record) -> None:
    """Update attributes named `<relation>_id` to match the relations."""
    for name in shape.relation:
        kind = shape.stream.attributes.get(f"{name}_id")
        target = record.relations[name]
        if kind:
            as_number = kind is ColumnType.INTEGER
            record.attributes[f"{name}_id"] = (target[1] if as_number else str(target[1])) if target else None


def _nudged(kind: ColumnType, value: Any, number: int) -> Any:
    """A different value of the same type."""
    if kind is ColumnType.BOOLEAN:
        return not value
    if kind is ColumnType.INTEGER:
        return (value or 0) + number
    if kind is ColumnType.DATE:
        return None if value else "2001-02-03"
    return f"{value or 'New'} {number}"
