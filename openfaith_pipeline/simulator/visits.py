"""Resolve a path to the records it shows and the document with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from openfaith_pipeline.simulator import answers, documents
from openfaith_pipeline.simulator.answers import Answer
from openfaith_pipeline.simulator.church import Church
from openfaith_pipeline.simulator.hiding import visible
from openfaith_pipeline.simulator.lagging import arrived, late_in
from openfaith_pipeline.simulator.queries import in_own_order, select
from openfaith_pipeline.simulator.relations import Target, Way
from openfaith_pipeline.simulator.routes import Kind, Match, Route
from openfaith_pipeline.simulator.searches import found
from openfaith_pipeline.simulator.sharing import listed_under
from openfaith_pipeline.simulator.tables import Table
from openfaith_pipeline.simulator.unscoped import with_deleted


@dataclass(frozen=True)
class _Scope:
    """Records shown by a path: `ids`, or the whole table when None. parent: for `meta.parent`."""

    table: Table
    ids: Sequence[int] | None
    parent: Mapping[str, str]

    def holds(self, id: int) -> bool:
        return id in self.table and (self.ids is None or id in self.ids)

    @property
    def first(self) -> int | None:
        ids = self.table.ids if self.ids is None else self.ids
        return next((id for id in ids if id in self.table), None)


def stream_of(church: Church, route: Route) -> str:
    """Name of the stream whose records a route lists."""
    edge = route.shape.edges.get(route.name)
    if edge and route.kind in (Kind.EDGE, Kind.EDGE_SINGLE):
        return church.end_of(edge)
    relation = route.shape.relation.get(route.name)
    return relation.target if relation and relation.target else route.shape.stream.name


def visit(church: Church, match: Match, url: str, params: Mapping[str, str]) -> Answer:
    """The document at a path, or 404 if a record in the path does not exist."""
    if not _is_routed(church, match):
        return answers.not_found()
    ids = [int(segment) for segment in match.segments]
    scope = _scope(church, match.route, ids)
    if scope is None:
        return _deleted(church, match, ids, params) or answers.not_found()
    is_silent = scope.table.shape.stream.product.value in church.traps.silent_products
    whole = with_deleted(church, match.route, ids, scope.ids, params)
    if whole is not None:
        selection = select(whole, params, church.time_zone)
        return answers.document(*documents.collection(church, whole, selection, url, params, scope.parent))
    if match.route.kind in (Kind.LIST, Kind.EDGE):
        is_listing = match.route.kind is Kind.LIST
        ids_shown = visible(church, scope.table, params, scope.ids) if is_listing else scope.ids
        ids_shown = arrived(church, scope.table, found(church, scope.table, params, ids_shown))
        selection = select(scope.table, params, church.time_zone, () if is_silent else ids_shown)
        if scope.table.shape.stream.name in church.traps.own_order:
            selection = in_own_order(scope.table, params, selection)
        return answers.document(*documents.collection(church, scope.table, selection, url, params, scope.parent))
    wanted = scope.first if match.route.kind in (Kind.SINGLETON, Kind.TO_ONE) else ids[-1]
    is_hidden = (is_silent and match.segments) or wanted in late_in(church, scope.table)
    if wanted is None or not scope.holds(wanted) or is_hidden:
        return _deleted(church, match, ids, params) or answers.not_found()
    return answers.document(documents.single(church, scope.table, wanted, params, scope.parent))


def _is_routed(church: Church, match: Match) -> bool:
    is_of_record = match.route.kind in (Kind.SINGLE, Kind.EDGE_SINGLE)
    if is_of_record and church.shapes[stream_of(church, match.route)].stream.is_listed_only:
        return False
    return all(segment.isascii() and segment.isdigit() for segment in match.segments)


def _deleted(church: Church, match: Match, ids: Sequence[int], params: Mapping[str, str]) -> Answer | None:
    """The document of a deleted record that still answers (`Traps.readable_deleted`), under whatever parents."""
    stream = stream_of(church, match.route)
    if match.route.kind not in (Kind.SINGLE, Kind.EDGE_SINGLE) or stream not in church.traps.readable_deleted:
        return None
    kept = church.deleted(stream)
    if ids[-1] not in kept:
        return None
    return answers.document(documents.single(church, kept, ids[-1], params, church.organization))


def _scope(church: Church, route: Route, ids: list[int]) -> _Scope | None:
    """The records of a path; None if a record in the path does not exist."""
    depth = len(route.way.placeholders)
    table = church.table(route.shape.stream.name)
    above = _along(church, table, route.way, ids[:depth])
    if above is None or route.kind in (Kind.LIST, Kind.UNSCOPED, Kind.SINGLE, Kind.SINGLETON):
        return above
    return _beyond(church, table, ids[depth], route) if above.holds(ids[depth]) else None


def _along(church: Church, table: Table, way: Way, ids: list[int]) -> _Scope | None:
    """The table's records at the end of a path; None if one of its parents does not exist or belongs elsewhere."""
    if not way.parent or not way.relation:
        return _Scope(table, _at_top(table), church.organization)
    parents = church.table(way.parent)
    if ids[-1] not in parents:
        return None
    above = parents.record(ids[-1]).relations
    outer = zip(way.placeholders[:-1], ids, strict=False)
    if any(name in above and (above[name] or ("", 0))[1] != id for name, id in outer):
        return None
    owner = (way.parent, ids[-1])
    if way.relation in table.shape.relation:
        under = listed_under(church, table.shape.stream.name, way.relation, owner)
    else:
        under = _under_outer(church, table, way.relation, owner)
    return _Scope(table, under, {"id": str(ids[-1]), "type": parents.shape.stream.type})


def _under_outer(church: Church, table: Table, relation: str, outer: Target) -> Sequence[int]:
    """Records whose owner is under the outer record, which they do not name themselves."""
    found = []
    for record in table.records():
        owner = table.shape.owner_of(record.relations)
        if owner and church.table(owner[1][0]).record(owner[1][1]).relations.get(relation) == outer:
            found.append(record.id)
    return found


def _at_top(table: Table) -> Sequence[int] | None:
    """All records, or only those without a parent if the others are listed only under theirs."""
    if not table.shape.ways or table.shape.stream.is_unconfirmed:
        return None
    return [record.id for record in table.records() if not table.shape.owner_of(record.relations)]


def _beyond(church: Church, table: Table, id: int, route: Route) -> _Scope:
    """The records at the other end of an edge."""
    parent = {"id": str(id), "type": table.shape.stream.type}
    edge = table.shape.edges.get(route.name)
    if edge and route.kind is not Kind.TO_ONE:
        reached = church.reached(edge, (table.shape.stream.name, id))
        return _Scope(church.table(church.end_of(edge)), reached, parent)
    target: Target | None = table.record(id).relations.get(route.name)
    if target is None:
        return _Scope(table, (), parent)
    return _Scope(church.table(target[0]), (target[1],), parent)
