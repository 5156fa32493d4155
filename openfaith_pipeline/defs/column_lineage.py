"""The raw columns that each column of a canonical table comes from, in Dagster's form."""

from collections.abc import Iterator

import dagster as dg

from openfaith_pipeline.canonical.model import Edge, Entity
from openfaith_pipeline.canonical.rules import Presence, Reference, Rule
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.defs.placement import Placement
from openfaith_pipeline.sources import CANONICAL
from openfaith_pipeline.transform import edges, links

_Origin = tuple[str, Stream, str]
"""A canonical column, and the stream and raw column that it comes from."""


def column_lineage(table: str, place: Placement) -> dg.TableColumnLineage:
    """The lineage of one canonical table; columns that no record provides, such as ids and tags, have none."""
    found: dict[str, dict[tuple[str, str], dg.TableColumnDep]] = {}
    for column, stream, raw_column in _origins(table):
        dep = dg.TableColumnDep(asset_key=place.raw(stream), column_name=raw_column)
        found.setdefault(column, {})[stream.name, raw_column] = dep
    return dg.TableColumnLineage({column: list(deps.values()) for column, deps in found.items()})


def _origins(table: str) -> Iterator[_Origin]:
    if table in CANONICAL.tables:
        for entity in CANONICAL.tables[table].entities:
            yield from _of_entity(entity)
    elif table == links.TABLE:
        for entity in CANONICAL.entities.values():
            yield from _of_record(entity)
            yield "externalId", entity.stream, "id"
    elif table == edges.TABLE:
        yield from _of_edges()


def _of_entity(entity: Entity) -> Iterator[_Origin]:
    stream = entity.stream
    yield from _of_record(entity)
    yield "externalIds", stream, "id"
    for column, rule in entity.columns.items():
        yield from ((column, stream, name) for name in _read_by(rule))
    yield from (("customFields", stream, name) for name in entity.unmapped_attributes)
    for field in CANONICAL.fields_on(stream):
        yield from (("customFields", field.stream, name) for rule in field.values.values() for name in _read_by(rule))
    for answers in CANONICAL.answers_on(stream):
        yield from (("customFields", answers.stream, name) for name in _read_by(answers.value))


def _of_record(entity: Entity) -> Iterator[_Origin]:
    stream = entity.stream
    yield "orgId", stream, "org_id"
    yield from (("createdAt", stream, name) for name in entity.known_since)
    if entity.has_updated_at:
        yield "updatedAt", stream, "updated_at"
    yield "deletedAt", stream, "_deleted_at"
    yield "deletedBy", stream, "_deleted_at"


def _of_edges() -> Iterator[_Origin]:
    for each in CANONICAL.relationships:
        if each.is_edge:
            for end in ("sourceEntityId", "targetEntityId"):  # which is which follows from the ids
                yield end, each.stream, each.near
                if not each.links:
                    yield end, each.stream, each.far
    for edge in CANONICAL.edges.values():
        yield from _of_metadata(edge)


def _of_metadata(edge: Edge) -> Iterator[_Origin]:
    yield from (("metadata", edge.stream, name) for rule in edge.metadata.values() for name in _read_by(rule))
    for field in CANONICAL.fields_on(edge.stream):
        yield from (("metadata", field.stream, name) for rule in field.values.values() for name in _read_by(rule))


def _read_by(rule: Rule) -> Iterator[str]:
    """The raw columns that the rule reads."""
    yield from rule.attributes
    if isinstance(rule, Reference):
        yield f"{rule.relationship}_id"
    if isinstance(rule, Presence):
        yield from filter(None, (rule.attribute, rule.also))
