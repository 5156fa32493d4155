"""One record and the JSON:API resource object it is listed as."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from openfaith_pipeline.simulator.shapes import Relation, Shape
from openfaith_pipeline.simulator.values import Target


@dataclass
class Record:
    """A record as the simulator keeps it: the listed object, and the relations that no list shows."""

    id: int
    attributes: dict[str, Any]
    relations: dict[str, Target | None] = field(default_factory=dict)


def compact(encoded: bytes) -> bytes:
    """A copy of the size it needs: orjson leaves about 4 kB behind each result, ten times what a record takes."""
    return bytes(memoryview(encoded))


class Codec:
    """Writes and reads the resource objects of one stream.

    base_url: scheme and host of every link. shapes: all streams. stream_of_type: JSON:API type -> stream, within the
    product.
    """

    def __init__(self, shape: Shape, base_url: str, shapes: Mapping[str, Shape]) -> None:
        self.shape = shape
        self._base_url = base_url
        self._shapes = shapes
        same_product = [other for other in shapes.values() if other.stream.product is shape.stream.product]
        self._stream_of_type = {other.stream.type: other.stream.name for other in reversed(same_product)}
        self._self_url = self._url_maker()

    def encode(self, record: Record) -> bytes:
        resource: dict[str, Any] = {
            "type": self.shape.stream.type,
            "id": str(record.id),
            "attributes": record.attributes,
        }
        if self.shape.shown:
            resource["relationships"] = {
                relation.name: {"data": self.identifier(relation, record.relations.get(relation.name))}
                for relation in self.shape.shown
            }
        resource["links"] = {"self": self._self_url(record)}
        if self.shape.is_human:
            resource["links"]["html"] = self._profile_url(record.id)
        return compact(orjson.dumps(resource))

    def decode(self, id: int, raw: Any, hidden: tuple[Target | None, ...]) -> Record:
        """The record behind a listed object, as JSON gives it; of a broken one, whatever is there."""
        resource = raw if isinstance(raw, dict) else {}
        attributes = resource.get("attributes")
        relationships = resource.get("relationships") or {}
        relations = {each.name: self._target(each, relationships) for each in self.shape.shown}
        relations.update(zip((each.name for each in self.shape.hidden), hidden, strict=False))
        return Record(id, attributes if isinstance(attributes, dict) else {}, relations)

    def identifier(self, relation: Relation, target: Target | None) -> dict[str, str] | None:
        """The resource identifier object of a relation's target."""
        if target is None:
            return None
        return {"type": relation.type_of(self._shapes[target[0]]), "id": str(target[1])}

    def self_url(self, record: Record) -> str:
        return self._self_url(record)

    def _target(self, relation: Relation, relationships: Mapping[str, Any]) -> Target | None:
        data = (relationships.get(relation.name) or {}).get("data")
        if not isinstance(data, dict):
            return None
        known = None if relation.is_polymorphic else relation.target
        stream = known or self._stream_of_type.get(data["type"])
        return (stream, int(data["id"])) if stream else None

    def _url_maker(self) -> Callable[[Record], str]:
        path, placeholders = self.shape.stream.path, self.shape.stream.placeholders
        suffix = "" if self.shape.stream.is_singleton else "/{id}"
        template = self._base_url + path + suffix
        if not placeholders:
            return lambda record: template.replace("{id}", str(record.id))

        def fill(record: Record) -> str:
            url = template.replace("{id}", str(record.id))
            for name in placeholders:
                target = record.relations.get(name)
                url = url.replace(f"{{{name}_id}}", str(target[1]) if target else "0")
            return url

        return fill

    def _profile_url(self, id: int) -> str:
        stream = self.shape.stream
        return f"https://{stream.product.value}.planningcenteronline.com/{stream.short_name}/AC{id}"
