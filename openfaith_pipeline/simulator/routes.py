"""Which path leads where: declared paths, single records, and the edges between records."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from openfaith_pipeline.simulator.shapes import Shape


class Kind(Enum):
    LIST = auto()
    SINGLETON = auto()
    SINGLE = auto()
    EDGE = auto()
    EDGE_SINGLE = auto()
    TO_ONE = auto()


@dataclass(frozen=True)
class Route:
    """kind: what is there. shape: the stream whose path it is or begins with. name: of the edge or relation."""

    kind: Kind
    shape: Shape
    name: str = ""


@dataclass(frozen=True)
class Match:
    """A route, and the ids in the path, outermost first, as they were sent."""

    route: Route
    segments: list[str]


@dataclass
class _Node:
    route: Route | None = None
    literal: dict[str, "_Node"] = field(default_factory=dict)
    any: "_Node | None" = None

    def step(self, segment: str) -> "_Node":
        if segment.startswith("{"):
            self.any = self.any or _Node()
            return self.any
        return self.literal.setdefault(segment, _Node())


class Routes:
    """All paths of a catalog. Declared ones win over those derived from relations."""

    def __init__(self, shapes: Mapping[str, Shape]) -> None:
        self._root = _Node()
        for shape in shapes.values():
            stream = shape.stream
            self._add(stream.path, Route(Kind.SINGLETON if stream.is_singleton else Kind.LIST, shape))
        for shape in shapes.values():
            self._add_record(shape)

    def find(self, path: str) -> Match | None:
        node, ids = self._root, list[str]()
        for segment in path.strip("/").split("/"):
            if segment in node.literal:
                node = node.literal[segment]
            elif node.any:
                node = node.any
                ids.append(segment)
            else:
                return None
        return Match(node.route, ids) if node.route else None

    def _add_record(self, shape: Shape) -> None:
        if shape.stream.is_singleton:
            return
        record = shape.stream.path.rstrip("/") + "/{id}"
        self._add(record, Route(Kind.SINGLE, shape))
        for name in shape.edges:
            self._add(f"{record}/{name}", Route(Kind.EDGE, shape, name))
            self._add(f"{record}/{name}/{{id}}", Route(Kind.EDGE_SINGLE, shape, name))
        for relation in shape.relations:
            if relation.is_edge:
                self._add(f"{record}/{relation.name}", Route(Kind.TO_ONE, shape, relation.name))

    def _add(self, path: str, route: Route) -> None:
        node = self._root
        for segment in path.strip("/").split("/"):
            node = node.step(segment)
        node.route = node.route or route
