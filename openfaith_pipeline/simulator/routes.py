"""Routing of paths: declared paths, single records, and the edges between records."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from openfaith_pipeline.catalog.paths import id_in
from openfaith_pipeline.simulator.relations import Way
from openfaith_pipeline.simulator.shapes import Shape
from openfaith_pipeline.simulator.values import FIRST_ID

USER_ID: Final = FIRST_ID
"""The person whose credentials are used, in every church."""
_ME: Final = "/people/v2/me"
PEOPLE: Final = "/people/v2/people"


class Kind(Enum):
    LIST = auto()
    UNSCOPED = auto()
    SINGLETON = auto()
    SINGLE = auto()
    EDGE = auto()
    EDGE_SINGLE = auto()
    TO_ONE = auto()


@dataclass(frozen=True)
class Route:
    """kind: of the target. shape: the stream whose path this is or begins with. name: of the edge or relation.

    way: the path of the shape's stream that this is or begins with.
    is_unconfirmed: at or below a path that production may lack.
    """

    kind: Kind
    shape: Shape
    way: Way
    name: str = ""
    is_unconfirmed: bool = False


@dataclass(frozen=True)
class Match:
    """A route, and the ids in the path, outermost first."""

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
    """All paths of a catalog. Declared ones take precedence over those derived from relations."""

    def __init__(self, shapes: Mapping[str, Shape]) -> None:
        self._root = _Node()
        listed = [(shape, way) for shape in shapes.values() for way in _listed(shape)]
        for shape, way in listed:
            self._add(way.path, _route(Kind.SINGLETON if shape.stream.is_singleton else Kind.LIST, shape, way))
            if shape.stream.deleted_under and way.path == shape.stream.path:
                self._add(shape.stream.deleted_under.partition("?")[0], Route(Kind.UNSCOPED, shape, way))
        for shape, way in listed:
            self._add_record(shape, way)

    def find(self, path: str) -> Match | None:
        node, ids = self._root, list[str]()
        for segment in _person_for_me(path).strip("/").split("/"):
            if segment in node.literal:
                node = node.literal[segment]
            elif node.any:
                node = node.any
                ids.append(id_in(segment))
            else:
                return None
        return Match(node.route, ids) if node.route else None

    def _add_record(self, shape: Shape, way: Way) -> None:
        if shape.stream.is_singleton:
            return
        record = way.path.rstrip("/") + "/{id}"
        self._add(record, _route(Kind.SINGLE, shape, way))
        for name in shape.edges:
            self._add(f"{record}/{name}", _route(Kind.EDGE, shape, way, name))
            self._add(f"{record}/{name}/{{id}}", _route(Kind.EDGE_SINGLE, shape, way, name))
        for relation in shape.relations:
            if relation.is_edge:
                self._add(f"{record}/{relation.name}", _route(Kind.TO_ONE, shape, way, relation.name))

    def _add(self, path: str, route: Route) -> None:
        node = self._root
        for segment in path.strip("/").split("/"):
            node = node.step(segment)
        node.route = node.route or route


def _listed(shape: Shape) -> Iterator[Way]:
    """The stream's own path, and its paths under parents that the records name."""
    if shape.stream.is_pushed:
        return
    if not shape.ways or shape.stream.is_unconfirmed:
        yield Way(shape.stream.path, shape.stream.parent, (shape.stream.placeholders or (None,))[-1], None)
    yield from (way for way in shape.ways if not way.pointer)


def _route(kind: Kind, shape: Shape, way: Way, name: str = "") -> Route:
    return Route(kind, shape, way, name, shape.stream.is_unconfirmed and way.path == shape.stream.path)


def _person_for_me(path: str) -> str:
    """The path below the caller's own person for one below `me`; any other as it is."""
    rest = path.removeprefix(_ME)
    return f"{PEOPLE}/{USER_ID}{rest}" if path.startswith(_ME) and rest[:1] in ("", "/") else path
