"""Resource objects that differ from their stored form: with `include=`, with `fields[...]`, or requested alone."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from openfaith_pipeline.simulator.church import Church
from openfaith_pipeline.simulator.lagging import NEWEST
from openfaith_pipeline.simulator.records import Record
from openfaith_pipeline.simulator.relations import Target
from openfaith_pipeline.simulator.shapes import Edge
from openfaith_pipeline.simulator.splices import adders_of, splice
from openfaith_pipeline.simulator.tables import Table

Tree = dict[str, "Tree"]
_MAX_DEPTH = 2


def read_includes(text: str) -> Tree:
    """`a,b.c` as a tree, two levels deep; deeper levels are ignored."""
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
    """The resource objects of one document and the records included with them."""

    def __init__(self, church: Church, params: Mapping[str, str]) -> None:
        self._church = church
        self._tree = read_includes(params["include"]) if params.get("include") else {}
        self._fields = read_fields(params)
        self._included: dict[Target, Tree] = {}

    @property
    def is_plain(self) -> bool:
        """Whether every record can be sent in its stored form."""
        return not self._tree and not self._fields

    @property
    def included(self) -> list[bytes] | None:
        """The included resource objects, each once; None if the request has no `include`."""
        if not self._tree:
            return None
        rendered: list[bytes] = []
        done = 0
        while done < len(self._included):  # an included record may add further ones
            for target, branch in list(self._included.items())[done:]:
                if not self._is_late(target):
                    rendered += self._rendered(self._church.table(target[0]), [target[1]], branch)
                done += 1
        return rendered

    def _is_late(self, target: Target) -> bool:
        """Measured: for minutes, the parent's linkage named a new record that was missing from `included`."""
        stream, id = target
        return stream in self._church.traps.lagging_includes and id in self._church.table(stream).ids[-NEWEST:]

    def listed(self, table: Table, ids: Iterable[int]) -> list[bytes]:
        """The resource objects of a page."""
        return self._rendered(table, list(ids), self._tree)

    def single(self, table: Table, id: int) -> bytes:
        """One resource object, with the links that only a single-record response has."""
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
                links[relation.name] = self._church.url_of(record.relations.get(relation.name))
        return links

    def _rendered(self, table: Table, ids: Sequence[int], tree: Tree) -> list[bytes]:
        fragments = self._church.listed(table, ids)
        is_thinned = table.shape.stream.type in self._fields
        is_thinned = is_thinned or bool(table.shape.stream.only_asked)
        if not tree and not is_thinned:
            return fragments
        is_flat = not is_thinned and not any(tree.values())
        adders = adders_of(self._church, table, list(tree), self._find) if is_flat else None
        return [
            splice(table, id, fragment, adders)
            if adders is not None and not table.is_raw(id)
            else self._rewritten(table, id, orjson.loads(fragment), tree)
            for id, fragment in zip(ids, fragments, strict=True)
        ]

    def _find(self, target: Target) -> None:
        self._included.setdefault(target, {})

    def _rewritten(self, table: Table, id: int, resource: Any, tree: Tree) -> bytes:
        if not isinstance(resource, dict):
            return orjson.dumps(resource)
        kept = self._fields.get(table.shape.stream.type)
        self._expand(table, id, resource, tree)
        if kept is not None:
            _thin(resource, kept)
        else:
            for name in table.shape.stream.only_asked:
                resource.get("attributes", {}).pop(name, None)
        return orjson.dumps(resource)

    def _expand(self, table: Table, id: int, resource: dict[str, Any], tree: Tree) -> None:
        record = table.read(id, resource)
        relationships = resource.setdefault("relationships", {})
        for name, branch in tree.items():
            if name not in table.shape.includes:
                continue
            targets, relationship = self._follow(table, record, name)
            relationships[name] = relationship
            for target in targets:
                self._included.setdefault(target, branch)
            for nested in branch:
                self._lift(relationships, nested, targets)
        if not relationships:
            del resource["relationships"]

    def _follow(self, table: Table, record: Record, name: str) -> tuple[list[Target], dict[str, Any]]:
        """Targets of an include from one record, and its relationship object."""
        shape, codec = table.shape, table.codec
        if name in shape.edges:
            return self._along(table, record, shape.edges[name])
        if name in shape.links:
            link, ids = shape.links[name], record.links.get(name, [])
            related = {"related": f"{table.own_url(record.id)}/{name}"}
            return [(link.target, id) for id in ids], {"links": related, "data": codec.identifiers(link, ids)}
        target = record.relations.get(name)
        url = self._church.url_of(target)
        relationship = {"links": {"related": url}, "data": codec.identifier(shape.relation[name], target)}
        return [target] if target and url else [], relationship

    def _along(self, table: Table, record: Record, edge: Edge) -> tuple[list[Target], dict[str, Any]]:
        end = self._church.end_of(edge)
        ids = self._church.linked(edge, (table.shape.stream.name, record.id))
        named = [{"type": self._church.shapes[end].stream.type, "id": str(id)} for id in ids]
        url = table.own_url(record.id)
        data = (named[0] if named else None) if edge.is_single else named
        return [(end, id) for id in ids], {"links": {"related": f"{url}/{edge.name}"}, "data": data}

    def _lift(self, relationships: dict[str, Any], nested: str, targets: list[Target]) -> None:
        """Recorded: a record also shows nested includes as its own relationships, without a related link."""
        data: list[Any] = []
        for stream, id in targets:
            table = self._church.table(stream)
            if nested in table.shape.includes:
                found = self._follow(table, table.record(id), nested)[1]["data"]
                data.extend(found if isinstance(found, list) else [found] if found else [])
        if data and nested not in relationships:
            unique = {(each["type"], each["id"]): each for each in data}
            relationships[nested] = {"links": {"related": None}, "data": list(unique.values())}


def _thin(resource: dict[str, Any], kept: frozenset[str]) -> None:
    """Keep the requested attributes and relationships; unknown names select nothing."""
    for part in ("attributes", "relationships"):
        resource[part] = {name: value for name, value in (resource.get(part) or {}).items() if name in kept}
    if not resource["relationships"]:
        del resource["relationships"]
