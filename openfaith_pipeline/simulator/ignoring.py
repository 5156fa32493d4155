"""Parameters that a request's list ignores, as Planning Center does without an error.

A client that sends one gets other records than it means, so tests ask for these after whatever they did. Among them are
parameters that only the simulator ignores: a filter that no declaration names, an attribute without simulated values.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from urllib.parse import parse_qsl

from openfaith_pipeline.simulator.church import Church
from openfaith_pipeline.simulator.compounds import Tree, read_fields, read_includes
from openfaith_pipeline.simulator.hiding import showing
from openfaith_pipeline.simulator.queries import WHERE
from openfaith_pipeline.simulator.routes import Kind, Route
from openfaith_pipeline.simulator.searches import SEARCHES
from openfaith_pipeline.simulator.shapes import Shape
from openfaith_pipeline.simulator.visits import stream_of

_LISTS = (Kind.LIST, Kind.EDGE, Kind.UNSCOPED)


def ignored(church: Church, route: Route, params: Mapping[str, str]) -> list[str]:
    """Each `where`, `order`, `filter`, `include` and `fields` of these parameters without an effect, as it was sent."""
    shape = church.shapes[stream_of(church, route)]
    shown = set(showing(shape.stream)) | set(parse_qsl(shape.stream.deleted_under.partition("?")[2]))
    rest = {name: value for name, value in params.items() if (name, value) not in shown}
    found = [*_selecting(shape, rest)] if route.kind in _LISTS else [name for name in rest if _selects(name)]
    tree = read_includes(params["include"]) if params.get("include") else {}
    return [*found, *(f"include={name}" for name in _includes(church, shape, tree)), *_fields(church, shape, params)]


def _selects(name: str) -> bool:
    return name in ("order", "filter") or name.startswith("where[")


def _selecting(shape: Shape, params: Mapping[str, str]) -> Iterator[str]:
    for name in (name for name in params if name.startswith("where[")):
        match = WHERE.fullmatch(name)
        if not match or match.group(1) not in shape.can_query_by or not _is_simulated(shape, match.group(1)):
            yield name
    orders = [part.strip().lstrip("-") for part in params.get("order", "").split(",")]
    filters = params.get("filter", "").split(",")
    known = {name for name in shape.can_order_by if shape.kind_of(name)}
    yield from (f"order={name}" for name in orders if name and name not in known)
    yield from (f"filter={name}" for name in filters if name)


def _is_simulated(shape: Shape, name: str) -> bool:
    return name in SEARCHES or shape.kind_of(name) is not None


def _includes(church: Church, shape: Shape, tree: Tree) -> Iterator[str]:
    for name, branch in tree.items():
        if name not in shape.can_include:
            yield name
        elif branch and (end := _end_of(church, shape, name)):
            yield from (f"{name}.{nested}" for nested in _includes(church, end, branch))


def _end_of(church: Church, shape: Shape, name: str) -> Shape | None:
    """The shape of an included relationship's records; None where they are of several types or not simulated."""
    if name in shape.edges:
        return church.shapes[church.end_of(shape.edges[name])]
    relation, link = shape.relation.get(name), shape.links.get(name)
    target = link.target if link else relation.target if relation else None
    return church.shapes[target] if target else None


def _fields(church: Church, shape: Shape, params: Mapping[str, str]) -> Iterator[str]:
    siblings = [each for each in church.shapes.values() if each.stream.product is shape.stream.product]
    for kind, names in read_fields(params).items():
        known = {name for each in siblings if each.stream.type == kind for name in _shown(church, each)}
        yield from (f"fields[{kind}]={name}" for name in sorted(names - known))


def _shown(church: Church, shape: Shape) -> Iterator[str]:
    stream = shape.stream
    yield from (*stream.attributes, *stream.withheld, *shape.relation, *shape.links, *shape.edges, *shape.can_include)
    for record in islice(church.table(stream.name).records(), 1):  # which may have attributes that are not declared
        yield from record.attributes
