"""A record and the JSON:API resource object that lists show for it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from openfaith_pipeline.catalog.placeholders import placeholders_of
from openfaith_pipeline.simulator.relations import Link, Relation, Target, shown_type
from openfaith_pipeline.simulator.shapes import Shape

Hidden = tuple[Target | tuple[int, ...] | None, ...]
"""Parts of a record that lists do not show: targets of its hidden relations, then ids of its hidden links."""


@dataclass
class Record:
    """The simulator's form of a record. relations: by name, to one record each. links: by name, ids of many."""

    id: int
    attributes: dict[str, Any]
    relations: dict[str, Target | None] = field(default_factory=dict)
    links: dict[str, list[int]] = field(default_factory=dict)

    def value(self, name: str) -> Any:
        """The value that `where` and `order` compare: an attribute, `id`, or the id of a relation's target."""
        if name in self.attributes:
            return self.attributes[name]
        target = (None, self.id) if name == "id" else self.relations.get(name.removesuffix("_id"))
        return target[1] if target else None


def compact(encoded: bytes) -> bytes:
    """A copy of minimal size: orjson leaves about 4 kB allocated behind each result, ten times the size of a record."""
    return bytes(memoryview(encoded))


class Codec:
    """Encode and decode the resource objects of one stream.

    base_url: scheme and host of every link. shapes: all streams.
    """

    def __init__(self, shape: Shape, base_url: str, shapes: Mapping[str, Shape]) -> None:
        self.shape = shape
        self._base_url = base_url
        self._shapes = shapes
        same_product = [other for other in shapes.values() if other.stream.product is shape.stream.product]
        self._stream_of_type = {other.stream.type: other.stream.name for other in reversed(same_product)}
        self._types = {
            name: shown_type(name, shapes[target].stream)
            for name, target in (
                *((each.name, each.target) for each in shape.relations if not each.is_polymorphic),
                *((each.name, each.target) for each in shape.links.values()),
            )
            if target
        }
        self._templates = self._url_templates()

    def encode(self, record: Record) -> bytes:
        resource: dict[str, Any] = {
            "type": self.shape.stream.type,
            "id": str(record.id),
            "attributes": record.attributes,
        }
        shown: dict[str, Any] = {
            each.name: {"data": self.identifier(each, record.relations.get(each.name))} for each in self.shape.shown
        }
        for link in self.shape.shown_links:
            shown[link.name] = {"data": self.identifiers(link, record.links.get(link.name, ()))}
        if shown:
            resource["relationships"] = shown
        resource["links"] = {"self": self.self_url(record)}
        if self.shape.is_human:
            resource["links"]["html"] = self._profile_url(record.id)
        return compact(orjson.dumps(resource))

    def hidden(self, record: Record) -> Hidden:
        """The parts that `encode` leaves out."""
        targets = (record.relations.get(each.name) for each in self.shape.hidden)
        return *targets, *(tuple(record.links.get(each.name, ())) for each in self.shape.hidden_links)

    def decode(self, id: int, raw: Any, hidden: Hidden) -> Record:
        """The record of a listed object, given as parsed JSON; for a broken one, the parts that can be read."""
        resource = raw if isinstance(raw, dict) else {}
        attributes = resource.get("attributes")
        relationships = resource.get("relationships") or {}
        relations: dict[str, Any] = {each.name: self._target(each, relationships) for each in self.shape.shown}
        links = {each.name: _linked(each, relationships) for each in self.shape.shown_links}
        hidden_relations, hidden_links = self.read_hidden(hidden)
        known = attributes if isinstance(attributes, dict) else {}
        return Record(id, known, {**relations, **hidden_relations}, {**links, **hidden_links})

    def read_hidden(self, hidden: Hidden) -> tuple[dict[str, Any], dict[str, list[int]]]:
        """Relations and links that lists do not show; none for a broken record."""
        count = len(self.shape.hidden)
        found: Any = hidden or (*(None for _ in self.shape.hidden), *(() for _ in self.shape.hidden_links))
        relations = dict(zip((each.name for each in self.shape.hidden), found[:count], strict=True))
        links = {each.name: list(ids) for each, ids in zip(self.shape.hidden_links, found[count:], strict=True)}
        return relations, links

    def identifier(self, relation: Relation, target: Target | None) -> dict[str, str] | None:
        """The resource identifier object of a relation's target."""
        if target is None:
            return None
        kind = self._types.get(relation.name) or self._shapes[target[0]].stream.type
        return {"type": kind, "id": str(target[1])}

    def identifiers(self, link: Link, ids: Iterable[int]) -> list[dict[str, str]]:
        """The resource identifier objects of a link's targets."""
        kind = self._types[link.name]
        return [{"type": kind, "id": str(id)} for id in ids]

    def self_url(self, record: Record) -> str:
        """The record's own URL, under the path that lists it."""
        owner = self.shape.owner_of(record.relations) if len(self._templates) > 1 else None
        template, placeholders = self._templates.get(owner[0].name if owner else "", self._templates[""])
        url = template.replace("{id}", str(record.id))
        for name in placeholders:
            target = record.relations.get(name)
            url = url.replace(f"{{{name}_id}}", str(target[1]) if target else "0")
        return url

    def plain_url(self, id: int) -> str | None:
        """URL of a record with a top-level path; None if its URL needs more than the id."""
        template, placeholders = self._templates[""]
        return None if placeholders else template.replace("{id}", str(id))

    def _target(self, relation: Relation, relationships: Mapping[str, Any]) -> Target | None:
        data = (relationships.get(relation.name) or {}).get("data")
        if not isinstance(data, dict):
            return None
        known = None if relation.is_polymorphic else relation.target
        stream = known or self._stream_of_type.get(data["type"])
        return (stream, int(data["id"])) if stream else None

    def _url_templates(self) -> dict[str, tuple[str, tuple[str, ...]]]:
        """URL template and its placeholders, by name of the owner; under "" for all other owners."""
        stream = self.shape.stream
        suffix = "" if stream.is_singleton else "/{id}"
        if self.shape.sources:  # several paths lead to each record
            return {"": (f"{self._base_url}{stream.product.path_prefix}/{stream.short_name}/{{id}}", ())}
        path = stream.fallback_path if stream.placeholders and stream.fallback_path else stream.path
        main = f"{self._base_url}{path}{suffix}", placeholders_of(path)
        if not stream.also_under or not stream.placeholders:
            return {"": main}
        templates = {way.relation: (f"{self._base_url}{way.path}{suffix}", way.placeholders) for way in self.shape.ways}
        return {**{name: template for name, template in templates.items() if name}, "": main}

    def _profile_url(self, id: int) -> str:
        stream = self.shape.stream
        return f"https://{stream.product.value}.planningcenteronline.com/{stream.short_name}/AC{id}"


def _linked(link: Link, relationships: Mapping[str, Any]) -> list[int]:
    data = (relationships.get(link.name) or {}).get("data")
    return [int(each["id"]) for each in data] if isinstance(data, list) else []
