"""Relationships between entities, derived from the declarations and the streams' own relationships."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from openfaith_pipeline.canonical.model import SAME_ID, Edge, Entity, Field
from openfaith_pipeline.canonical.rules import Reference
from openfaith_pipeline.catalog.stream import Stream


@dataclass(frozen=True, eq=False)
class Relationship:
    """An edge, or a mere mention, for each raw row of `stream` that names both ends.

    key: `relationshipKey`. owner, target: the entities at its ends.
    near, far: the columns that name the two records.
    links: the table of links the columns are in, if the relationship is a to-many one; else the raw table.
    type_column, type: the condition on a relationship that names records of several types.
    edge: the declaration, where the rows are records of their own rather than the owner's.
    is_edge: false for a reference in a column, which makes no edge.
    """

    key: str
    owner: Entity
    target: Entity
    stream: Stream
    near: str = "id"
    far: str = ""
    links: str = ""
    type_column: str = ""
    type: str = ""
    edge: Edge | None = None
    is_edge: bool = True

    @property
    def types(self) -> tuple[str, str]:
        """`relationshipType` of an edge from the owner, and of one to the owner."""
        owner, target = self.owner.tag, self.target.tag
        return relationship_type(owner, self.key, target), relationship_type(target, self.key, owner)


def relationship_type(source_tag: str, key: str, target_tag: str) -> str:
    """OpenFaith's name of an edge: `campus_primary_campus_person`, `email_has_person`."""
    return f"{source_tag}_{key if '_' in key else 'has'}_{target_tag}"


Known = Mapping[str, Entity]
"""The entity that the records of a stream are, by stream, aliases among them."""


def of_entity(entity: Entity, known: Known) -> Iterator[Relationship]:
    """The relationships of an entity's own records.

    No edge between two records of one table, such as who created a person: an edge's direction follows from its
    ends' ids alone, so two people who created each other would be one edge, and no edge would say who created whom.
    """
    stream = entity.stream
    for key, name in stream.belongs_to.items():
        target = known.get(name or "")
        if target and target.table != entity.table:
            yield Relationship(key, entity, target, stream, far=f"{key}_id")
    for key, streams in entity.names.items():
        for named in streams:
            yield Relationship(
                key, entity, known[named.name], stream, far=f"{key}_id", type_column=f"{key}_type", type=named.type
            )
    for key, links in stream.links.items():
        listed = stream.has_many.get(key) or stream.belongs_to.get(stream.listed_by.get(key, ""))
        target = known.get(listed or "")
        if target and target.table != entity.table:
            yield Relationship(key, entity, target, stream, far="related_id", links=links)
    for rule in entity.columns.values():
        if isinstance(rule, Reference):
            target = mentioned(stream, rule.relationship, known)
            yield Relationship(rule.relationship, entity, target, stream, far=f"{rule.relationship}_id", is_edge=False)


def mentioned(stream: Stream, relationship: str, known: Known) -> Entity:
    """The entity that a Reference leads to. Raises ValueError if it leads to none."""
    target = known.get(stream.belongs_to.get(relationship) or "")
    if target is None:
        raise ValueError(f"{stream.name} refers to {relationship!r}, which is not an entity")
    return target


def of_edge(edge: Edge, known: Known) -> Iterator[Relationship]:
    """A relationship for each type that the far end may name. Raises ValueError if an end is not an entity."""
    near, far = edge.between
    owner = known.get(edge.stream.belongs_to.get(near) or "")
    if owner is None:
        raise ValueError(f"{edge.stream.name} is between {near!r}, which is not an entity, and {far!r}")
    targets = list(_targets(edge.stream, far, known))
    if not targets:
        raise ValueError(f"{edge.stream.name} is between {near!r} and {far!r}, which is not an entity")
    for target, type_ in targets:
        if type_ and target.table == owner.table:
            continue
        yield Relationship(
            edge.key, owner, target, edge.stream,
            near=f"{near}_id", far=f"{far}_id", type_column=f"{far}_type" if type_ else "", type=type_, edge=edge,
        )  # fmt: skip
    for rule in edge.metadata.values():
        if isinstance(rule, Reference):
            target = mentioned(edge.stream, rule.relationship, known)
            yield Relationship(
                rule.relationship, owner, target, edge.stream,
                near=f"{near}_id", far=f"{rule.relationship}_id", edge=edge, is_edge=False,
            )  # fmt: skip


def _targets(stream: Stream, relationship: str, known: Known) -> Iterator[tuple[Entity, str]]:
    """The entities that the relationship may name, each with the type by which it does, '' if there is only one."""
    if relationship not in stream.belongs_to:
        return
    target = stream.belongs_to[relationship]
    if target:
        if target in known:
            yield known[target], ""
        return
    for name, entity in known.items():
        product, _, _ = name.partition(".")
        if product == stream.product.value:
            yield entity, entity.stream.type


def is_named_by_owner(each: Field) -> bool:
    """Whether the record of `on` names the field's record, rather than the other way round."""
    return each.on.belongs_to.get(each.via) == each.stream.name


def is_listed_by_owner(each: Field) -> bool:
    """Whether the record of `on` has a list of the field's records."""
    return each.on.has_many.get(each.via) == each.stream.name


def owner_column(each: Field) -> str:
    """The column of the field's record that names the record of `on`."""
    return "id" if each.via == SAME_ID else f"{each.via}_id"
