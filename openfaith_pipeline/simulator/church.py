"""One simulated church: its tables, created on first use, and the permissions of its user."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from openfaith_pipeline.catalog.source import Product
from openfaith_pipeline.simulator.census import Census
from openfaith_pipeline.simulator.clocks import Clock
from openfaith_pipeline.simulator.generation import generate
from openfaith_pipeline.simulator.lagging import late_in, unnamed_in, without
from openfaith_pipeline.simulator.options import ChurchSpec, Traps
from openfaith_pipeline.simulator.records import Codec, Record, compact
from openfaith_pipeline.simulator.relations import Target
from openfaith_pipeline.simulator.shapes import Edge, Shape
from openfaith_pipeline.simulator.sharing import listers
from openfaith_pipeline.simulator.tables import Table


@dataclass
class Church:
    """The state of one church. `granted` and `traps` may be changed while it runs."""

    spec: ChurchSpec
    base_url: str
    shapes: Mapping[str, Shape]
    census: Census
    humans: Mapping[str, str]
    granted: frozenset[str]
    traps: Traps
    clock: Clock = field(default_factory=Clock)
    _tables: dict[str, Table] = field(default_factory=dict)
    _deleted: dict[str, Table] = field(default_factory=dict)
    _dressed: dict[str, tuple[tuple[int, ...], dict[int, bytes]]] = field(default_factory=dict)

    @property
    def organization(self) -> dict[str, str]:
        """`meta.parent` of a top-level listing."""
        return {"id": str(self.spec.organization_id), "type": "Organization"}

    def time_zone(self) -> tzinfo:
        """The time zone in its own record at the root of a product; UTC if it has none."""
        for name, shape in self.shapes.items():
            if shape.stream.is_singleton and not shape.stream.placeholders and "time_zone" in shape.stream.attributes:
                for record in self.table(name).records():
                    if isinstance(zone := record.attributes.get("time_zone"), str):
                        return ZoneInfo(zone)
        return UTC

    def table(self, stream: str) -> Table:
        """The table of a stream; records are created on the first call."""
        if stream not in self._tables:
            shape = self.shapes[stream]
            table = Table(Codec(shape, self.base_url, self.shapes))
            table.fill(generate(self, shape))
            self._tables[stream] = table
        return self._tables[stream]

    def deleted(self, stream: str) -> Table:
        """The deleted records of a stream that are still shown somewhere."""
        if stream not in self._deleted:
            self._deleted[stream] = Table(Codec(self.shapes[stream], self.base_url, self.shapes))
        return self._deleted[stream]

    def keep_deleted(self, table: Table, id: int) -> None:
        """Keep a record that is about to be deleted, if it is still shown somewhere."""
        stream = table.shape.stream
        if (stream.deleted_under or stream.name in self.traps.readable_deleted) and not table.is_raw(id):
            self.deleted(stream.name).put(table.record(id))

    def listed_streams(self, product: Product) -> tuple[str, ...]:
        """Streams of a product with a listing of their own."""
        return tuple(
            name
            for name, shape in self.shapes.items()
            if shape.stream.product is product and not shape.stream.placeholders and not shape.stream.is_singleton
        )

    def settle(self, stream: str) -> None:
        """Create the records of a stream and of all that derive from them: owned records, and those that these own."""
        heirs = {stream}
        for name, shape in self.shapes.items():  # owners come before their records
            if any(owner.target in heirs for owner in shape.owners):
                heirs.add(name)
        for name in heirs:
            self.table(name)

    def warm(self) -> None:
        """Make every record, and the indexes over cursors and edges."""
        for name in self.shapes:
            self.table(name)
        for name, shape in self.shapes.items():
            table = self.table(name)
            self.listed(table, table.ids)
            if shape.stream.cursor:
                table.index(shape.stream.cursor)
            for edge in shape.edges.values():
                self.reached(edge, (name, 0))

    def reached(self, edge: Edge, target: Target) -> Sequence[int]:
        """Ids of the records an edge leads to from `target`, in the order they are listed."""
        near = self.table(edge.stream)
        return self._ends_of(edge, near, without(late_in(self, near), near.children(edge.relation, target)))

    def linked(self, edge: Edge, target: Target) -> Sequence[int]:
        """Like `reached`, without the records that the linkage of `target` does not name yet."""
        near = self.table(edge.stream)
        return self._ends_of(edge, near, without(unnamed_in(self, near), near.children(edge.relation, target)))

    def _ends_of(self, edge: Edge, near: Table, ids: Sequence[int]) -> Sequence[int]:
        if edge.far is None:
            return ids
        return [far[1] for far in self._far_ends(near, ids, edge.far)]

    def end_of(self, edge: Edge) -> str:
        """Name of the stream that an edge leads to."""
        far = self.shapes[edge.stream].relation[edge.far].target if edge.far else None
        return far or edge.stream

    def listed(self, table: Table, ids: Iterable[int]) -> list[bytes]:
        """Resource objects as a list shows them, with the to-many relationships that are always shown."""
        if not table.shape.shown_edges:
            return list(map(table.fragments.__getitem__, ids))
        versions = table.version, *(self.table(edge.stream).version for edge in table.shape.shown_edges)
        known_versions, dressed = self._dressed.get(table.shape.stream.name, ((), {}))
        if known_versions != versions:
            dressed = {}
            self._dressed[table.shape.stream.name] = versions, dressed
        for id in ids:
            if id not in dressed:
                dressed[id] = self._dress(table, id)
        return [dressed[id] for id in ids]

    def url_of(self, target: Target | None) -> str | None:
        """URL of a record; None if it does not exist."""
        if target is None or target[1] not in (table := self.table(target[0])):
            return None
        return table.own_url(target[1])

    def truth(self, stream: str) -> list[dict[str, Any]]:
        """Every record of a stream, listed or not: id, attributes and declared relationships.

        Attributes that must not be stored are in `withheld`. A record that is not a resource object is `{"id", "raw"}`.
        Where records are only reachable through parents, those that some parent names.
        """
        table = self.table(stream)
        named = self.named(stream) if table.shape.sources else None
        return [_true_record(self, table, record) for record in table.records() if named is None or record.id in named]

    def named(self, stream: str) -> set[int]:
        """Ids of records named by a parent, where records do not name their parents."""
        sources = ((self.table(source), relation) for source, relation in self.shapes[stream].sources)
        targets = (record.relations.get(relation) for table, relation in sources for record in table.records())
        return {target[1] for target in targets if target}

    def _far_ends(self, near: Table, ids: Iterable[int], far: str) -> Iterable[Target]:
        ends = (near.record(id).relations[far] for id in ids)
        return dict.fromkeys(end for end in ends if end)

    def _dress(self, table: Table, id: int) -> bytes:
        resource = orjson.loads(table.fragments[id])
        if not isinstance(resource, dict):
            return table.fragments[id]
        relationships = resource.setdefault("relationships", {})
        for edge in table.shape.shown_edges:
            kind = self.shapes[self.end_of(edge)].stream.type
            reached = self.reached(edge, (table.shape.stream.name, id))
            relationships[edge.name] = {"data": [{"type": kind, "id": str(each)} for each in reached]}
        return compact(orjson.dumps(resource))


def open_church(spec: ChurchSpec, base_url: str, shapes: Mapping[str, Shape]) -> Church:
    """A church without any records made yet."""
    return Church(
        spec=spec,
        base_url=base_url,
        shapes=shapes,
        census=Census(shapes, spec.people, spec.seed, spec.organization_id, spec.until),
        humans={name: shape.stream.type for name, shape in shapes.items() if shape.is_human},
        granted=frozenset(spec.granted),
        traps=spec.traps,
    )


def _true_record(church: Church, table: Table, record: Record) -> dict[str, Any]:
    raw = orjson.loads(table.fragments[record.id])
    if not isinstance(raw, dict) or not isinstance(raw.get("attributes"), dict):
        return {"id": str(record.id), "raw": raw}
    shape, codec = table.shape, table.codec
    to_one = {
        each.name: {"data": codec.identifier(each, record.relations.get(each.name))}
        for each in shape.relations
        if each.is_declared
    }
    to_many: dict[str, Any] = {
        name: {"data": codec.identifiers(link, record.links[name])} for name, link in shape.links.items()
    }
    for name, ids in _listers(church, table, record).items():
        parents = [codec.identifier(shape.relation[name], (shape.relation[name].target or "", id)) for id in ids]
        to_one[name] = {"data": parents[0] if parents else None}
        to_many |= {link: {"data": parents} for link, kind in shape.stream.listed_by.items() if kind == name}
    withheld = {name: record.attributes[name] for name in shape.stream.withheld if name in record.attributes}
    return {
        "type": raw.get("type"),
        "id": raw.get("id"),
        "attributes": {name: value for name, value in record.attributes.items() if name not in withheld},
        "relationships": {**to_one, **to_many},
        **({"withheld": withheld} if withheld else {}),
    }


def _listers(church: Church, table: Table, record: Record) -> dict[str, list[int]]:
    """All parents that list the record, by relation, where several may."""
    own = {name: record.relations.get(name) for name in table.shape.stream.listing_kinds}
    beside = listers(church, table.shape.stream.name, record.relations)
    return {
        name: sorted({*beside.get(name, ()), *([target[1]] if target else [])}, key=lambda id: (len(str(id)), str(id)))
        for name, target in own.items()
    }
