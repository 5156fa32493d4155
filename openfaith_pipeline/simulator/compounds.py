"""Resource objects that are not sent as they lie: with `include=`, with `fields[...]`, or alone."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from openfaith_pipeline.simulator.church import Church
from openfaith_pipeline.simulator.records import Record
from openfaith_pipeline.simulator.relations import Target
from openfaith_pipeline.simulator.shapes import Edge, Shape
from openfaith_pipeline.simulator.tables import Table

Tree = dict[str, "Tree"]
_MAX_DEPTH = 2
_LINKS = b',"links":{"self":'
"""What follows the relationships of a listed object."""


def read_includes(text: str) -> Tree:
    """`a,b.c` as a tree, two levels deep; what lies deeper is ignored."""
    tree: Tree = {}
    for path in text.split(","):
        branch = tree
        for name in path.strip().split(".")[:_MAX_DEPTH]:
            branch = branch.setdefault(name, {})
    return tree


def read_fields(params: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """`fields[Type]=a,b` by type."""
    return {
        key[len("fields[") : -1]: frozenset(value.split(","))
        for key, value in params.items()
        if key.startswith("fields[") and key.endswith("]")
    }


class Compound:
    """One document's resource objects, and the records included with them."""

    def __init__(self, church: Church, params: Mapping[str, str]) -> None:
        self._church = church
        self._tree = read_includes(params["include"]) if params.get("include") else {}
        self._fields = read_fields(params)
        self._included: dict[Target, bytes] = {}

    @property
    def is_plain(self) -> bool:
        """Whether every record is sent as it lies."""
        return not self._tree and not self._fields

    @property
    def included(self) -> list[bytes] | None:
        """The included resource objects, each once; None when none were asked for."""
        return list(self._included.values()) if self._tree else None

    def listed(self, table: Table, ids: Iterable[int]) -> list[bytes]:
        """The resource objects of a page."""
        ids = list(ids)
        fragments = self._church.listed(table, ids)
        if self.is_plain:
            return fragments
        return [self._render(table, id, fragment, self._tree) for id, fragment in zip(ids, fragments, strict=True)]

    def single(self, table: Table, id: int) -> bytes:
        """One resource object with the links that only a record asked for alone has."""
        resource = orjson.loads(self._church.listed(table, [id])[0])
        if not isinstance(resource, dict):
            return orjson.dumps(resource)
        resource["links"] = {**self._edge_links(table, id), **resource.get("links", {})}
        return self._rewritten(table, id, resource, self._tree)

    def _edge_links(self, table: Table, id: int) -> dict[str, str | None]:
        record = table.record(id)
        own = table.codec.self_url(record)
        links: dict[str, str | None] = {name: f"{own}/{name}" for name in table.shape.edges}
        for relation in table.shape.relations:
            if relation.is_edge:
                links[relation.name] = self._url_of(record.relations.get(relation.name))
        return links

    def _url_of(self, target: Target | None) -> str | None:
        if target is None or target[1] not in (table := self._church.table(target[0])):
            return None
        return self._own_url(table, target[1])

    def _own_url(self, table: Table, id: int) -> str:
        return table.codec.plain_url(id) or table.codec.self_url(table.record(id))

    def _render(self, table: Table, id: int, fragment: bytes, tree: Tree) -> bytes:
        is_thinned = table.shape.stream.type in self._fields
        if not tree and not is_thinned:
            return fragment
        if not is_thinned and not table.is_raw(id) and _is_addition(table.shape, tree):
            return self._added(table, id, fragment, tree)
        resource = orjson.loads(fragment)
        return self._rewritten(table, id, resource, tree) if isinstance(resource, dict) else fragment

    def _rewritten(self, table: Table, id: int, resource: dict[str, Any], tree: Tree) -> bytes:
        kept = self._fields.get(table.shape.stream.type)
        self._expand(table, id, resource, tree)
        if kept is not None:
            _thin(resource, kept)
        return orjson.dumps(resource)

    def _added(self, table: Table, id: int, fragment: bytes, tree: Tree) -> bytes:
        """The same as `_expand` does where nothing listed changes, without reading the listed object."""
        names = [name for name in tree if name in table.shape.can_include]
        if not names:
            return fragment
        record, relationships = Record(id, {}, *table.codec.read_hidden(table.hidden(id))), {}
        for name in names:
            targets, relationships[name] = self._follow(table, record, name)
            for target in targets:
                self._include(target, tree[name])
        before, links = fragment[: (place := fragment.rindex(_LINKS))], fragment[place:]
        if table.shape.shown or table.shape.shown_links:
            return b"".join((before[:-1], b",", orjson.dumps(relationships)[1:], links))
        return b"".join((before, b',"relationships":', orjson.dumps(relationships), links))

    def _expand(self, table: Table, id: int, resource: dict[str, Any], tree: Tree) -> None:
        record = table.read(id, resource)
        relationships = resource.setdefault("relationships", {})
        for name, branch in tree.items():
            if name not in table.shape.can_include:
                continue
            targets, relationship = self._follow(table, record, name)
            relationships[name] = relationship
            for target in targets:
                self._include(target, branch)
            for nested in branch:
                self._lift(relationships, nested, targets)
        if not relationships:
            del resource["relationships"]

    def _follow(self, table: Table, record: Record, name: str) -> tuple[list[Target], dict[str, Any]]:
        """Where an include leads from one record, and the relationship object that says so."""
        shape, codec = table.shape, table.codec
        if name in shape.edges:
            return self._along(table, record, shape.edges[name])
        if name in shape.links:
            link = shape.links[name]
            ids = record.links.get(name, [])
            related = f"{codec.plain_url(record.id) or codec.self_url(table.record(record.id))}/{name}"
            return [(link.target, id) for id in ids], {
                "links": {"related": related},
                "data": codec.identifiers(link, ids),
            }
        target = record.relations.get(name)
        url = self._url_of(target)
        relationship = {"links": {"related": url}, "data": codec.identifier(shape.relation[name], target)}
        return [target] if target and url else [], relationship

    def _along(self, table: Table, record: Record, edge: Edge) -> tuple[list[Target], dict[str, Any]]:
        end = self._church.end_of(edge)
        ids = self._church.reached(edge, (table.shape.stream.name, record.id))
        named = [{"type": self._church.shapes[end].stream.type, "id": str(id)} for id in ids]
        url = self._own_url(table, record.id)
        data = (named[0] if named else None) if edge.is_single else named
        return [(end, id) for id in ids], {"links": {"related": f"{url}/{edge.name}"}, "data": data}

    def _include(self, target: Target, branch: Tree) -> None:
        if target not in self._included:
            table = self._church.table(target[0])
            self._included[target] = b""  # its place is before what it brings along
            fragment = self._church.listed(table, [target[1]])[0]
            self._included[target] = self._render(table, target[1], fragment, branch)

    def _lift(self, relationships: dict[str, Any], nested: str, targets: list[Target]) -> None:
        """Recorded: a record also shows what was included through what it includes, with no related link."""
        data: list[Any] = []
        for stream, id in targets:
            table = self._church.table(stream)
            if nested in table.shape.can_include:
                found = self._follow(table, table.record(id), nested)[1]["data"]
                data.extend(found if isinstance(found, list) else [found] if found else [])
        if data and nested not in relationships:
            unique = {(each["type"], each["id"]): each for each in data}
            relationships[nested] = {"links": {"related": None}, "data": list(unique.values())}


def _is_addition(shape: Shape, tree: Tree) -> bool:
    """Whether an include only adds relationships to a record that it does not show without."""
    shown = {*(each.name for each in shape.shown), *(each.name for each in shape.shown_links)}
    return not shape.shown_edges and not shown & tree.keys() and not any(tree.values())


def _thin(resource: dict[str, Any], kept: frozenset[str]) -> None:
    """Leave the attributes and relationships asked for; names that do not exist select nothing."""
    for part in ("attributes", "relationships"):
        resource[part] = {name: value for name, value in (resource.get(part) or {}).items() if name in kept}
    if not resource["relationships"]:
        del resource["relationships"]
