"""Records listed by other parents besides their own.

Where a declaration says that several parents of one kind list the same record, each lists the records of the parent
they share: each group the resources of its group type. Parents of the further kinds list the records of one of the
first kind, as a plan template may list the items of a plan, if `Traps.is_sharing_records` is set: the reference has
both paths and does not say that they are disjoint.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from openfaith_pipeline.simulator.relations import Target

if TYPE_CHECKING:
    from openfaith_pipeline.simulator.church import Church

Beside = Callable[[int], Target | None]
"""Parent id -> the other parent whose records it also lists."""


def listed_under(church: "Church", stream: str, relation: str, parent: Target) -> Sequence[int]:
    """Ids of the stream's records that a parent lists, ascending: its own and shared ones."""
    table = church.table(stream)
    own = table.children(relation, parent)
    other, beside = _beside(church, stream, relation)
    target = beside(parent[1]) if beside else None
    return own if target is None else sorted({*own, *table.children(other, target)})


def listers(church: "Church", stream: str, relations: Mapping[str, Target | None]) -> dict[str, list[int]]:
    """By kind of parent, ids of parents that list a record although it does not name them, ascending."""
    found: dict[str, list[int]] = {}
    shape = church.shapes[stream]
    for relation in shape.stream.listing_kinds:
        other, beside = _beside(church, stream, relation)
        owner = relations.get(other)
        if beside and owner and owner[1] in church.table(owner[0]):
            parents = church.table(shape.stream.belongs_to[relation] or "").ids
            found[relation] = [id for id in parents if beside(id) == owner]
    return found


def _beside(church: "Church", stream: str, relation: str) -> tuple[str, Beside | None]:
    """The relation to the parent whose records are shared, and the mapping to it."""
    declared = church.shapes[stream].stream
    kinds = [kind for kind in declared.listing_kinds if declared.belongs_to[kind] in church.shapes]
    if relation not in kinds:
        return "", None
    if relation in declared.listed_by.values():
        parents = church.shapes[declared.belongs_to[relation] or ""].stream
        for other in kinds:
            for name, target in parents.belongs_to.items():
                if other != relation and target == declared.belongs_to[other]:
                    return other, partial(_named_by, church, parents.name, name)
    elif church.traps.is_sharing_records and relation != kinds[0]:
        return kinds[0], partial(_counterpart, church, stream, relation)
    return "", None


def _named_by(church: "Church", stream: str, relation: str, id: int) -> Target | None:
    return church.table(stream).record(id).relations.get(relation)


def _counterpart(church: "Church", stream: str, relation: str, id: int) -> Target | None:
    """The parent of the first kind at the same position under the same outer record."""
    shape = church.shapes[stream]
    first, own = (shape.stream.belongs_to[kind] or "" for kind in (shape.stream.listing_kinds[0], relation))
    [way] = [way for way in shape.ways if way.relation == relation]
    peers: Sequence[int] = church.table(own).ids
    others: Sequence[int] = church.table(first).ids
    if way.placeholders[:-1]:
        outer = way.placeholders[-2]
        above = church.table(own).record(id).relations.get(outer)
        if above is None:
            return None
        peers, others = church.table(own).children(outer, above), church.table(first).children(outer, above)
    place = list(peers).index(id)
    return (first, others[place]) if place < len(others) else None
