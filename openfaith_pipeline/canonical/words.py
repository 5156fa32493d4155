"""Descriptions and marks of the canonical tables' columns, derived from those of the columns that feed them."""

from collections.abc import Iterable, Mapping
from typing import Final

from openfaith_pipeline.canonical.document import described_column
from openfaith_pipeline.canonical.registry import CanonicalTable, Model
from openfaith_pipeline.canonical.rules import Choice, Day, FirstOf, Integer32, Matching, Money, Phone, Rule, Take
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.words import Mark, Words, describe_columns, personal, strictest

_ONE_VALUE: Final = (Take, FirstOf, Choice, Matching, Money, Integer32, Day, Phone)
"""Rules with the meaning of their first attribute."""


def words_of_column(table: CanonicalTable, name: str) -> Words:
    """The meaning, if all streams agree on it, then the source; the mark is the strictest of the sources'."""
    rules = [(entity.columns[name], entity.stream) for entity in table.entities if name in entity.columns]
    meanings = {_meaning(rule, stream) for rule, stream in rules}
    source = described_column(table, name)
    mark = strictest({mark for rule, stream in rules for mark in _marks(stream, rule.attributes)})
    meaning = meanings.pop() if len(meanings) == 1 else ""
    return Words(f"{meaning}; from {source}" if meaning else source, mark)


def words_of_general(model: Model, table: CanonicalTable) -> Mapping[str, Words]:
    """Descriptions of the columns that every entity has."""
    return {**GENERAL, "customFields": Words(GENERAL["customFields"].text, _mark_of_custom_fields(model, table))}


def mark_of_edges(model: Model) -> Mark | None:
    """The mark of `metadata`, which holds values of the records that are edges."""
    rules = ((edge.stream, rule) for edge in model.edges.values() for rule in edge.metadata.values())
    return strictest({mark for stream, rule in rules for mark in _marks(stream, rule.attributes)})


def _mark_of_custom_fields(model: Model, table: CanonicalTable) -> Mark | None:
    marks: set[Mark | None] = set()
    for entity in table.entities:
        marks |= _marks(entity.stream, entity.unmapped_attributes)
        for each in model.fields_on(entity.stream):
            marks |= {mark for rule in each.values.values() for mark in _marks(each.stream, rule.attributes)}
        for answers in model.answers_on(entity.stream):
            marks |= _marks(answers.stream, answers.value.attributes)
    return strictest(marks)


def _meaning(rule: Rule, stream: Stream) -> str:
    words = describe_columns(stream).get(rule.attributes[0]) if isinstance(rule, _ONE_VALUE) else None
    return words.text if words else ""


def _marks(stream: Stream, attributes: Iterable[str]) -> set[Mark | None]:
    described = describe_columns(stream)
    return {described[name].mark for name in attributes if name in described}


GENERAL: Final[Mapping[str, Words]] = {
    "_tag": Words("Type of the entity"),
    "id": Words("TypeID of the entity"),
    "orgId": Words("The org"),
    "externalIds": Words("Ids of the entity in other systems, as the application keeps them"),
    "customFields": Words("Values that have no column, each with its name, type and source"),
    "tags": Words("Tags that the application gives"),
    "type": Words("Kind of entity within its table"),
    "status": Words("active or inactive"),
    "inactivatedAt": Words("When the entity became inactive; null until then"),
    "inactivatedBy": Words("User who made it inactive"),
    "createdAt": Words("When the entity came to be, at its source where that is known"),
    "createdBy": Words("User who created it; null for a synced one"),
    "updatedAt": Words("When the entity last changed, at its source where that is known"),
    "updatedBy": Words("User who last changed it; null for a synced change"),
    "deletedAt": Words("When the entity was deleted; null while it exists"),
    "deletedBy": Words("User who deleted it; null if its source did"),
    "adapter": Words("Source that the external id is of"),
    "entityType": Words("Type of the entity"),
    "externalId": Words("Id of the record at its source"),
    "entityId": Words("Id of the entity that the record is"),
    "syncing": Words("Whether the application is writing the entity to the source"),
    "lastProcessedAt": Words("When a sync last read the record"),
    "sourceEntityId": Words("Id of the entity at one end"),
    "targetEntityId": Words("Id of the entity at the other end"),
    "relationshipType": Words("Types of both ends, and the relationship between them"),
    "sourceEntityTypeTag": Words("Type of the entity at one end"),
    "targetEntityTypeTag": Words("Type of the entity at the other end"),
    "metadata": Words("Source of the edge, and values of the record that it was made from"),
    "sourceEntityType": Words("Type of entity"),
    "targetEntityTypes": Words("Types of entity that it is connected with"),
    "icon": Words("Symbol, as the application names it"),
    "color": Words("Color, as the application names it"),
    "orderingKey": Words("Key by which the application orders the rows"),
    "description": Words("Description, as the application has it"),
    "active": Words("Whether it can be chosen, as the application has it"),
    "pathwayConfig": Words("Settings of the application for it"),
    "administeredBy": personal("Id of the person who administered it"),
    "receivedBy": personal("Id of the person who received it"),
    "occurredAt": personal("When it was administered"),
}
"""The words for columns that no declaration feeds, by name."""
