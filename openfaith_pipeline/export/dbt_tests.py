"""The tests of dbt for each source: keys are unique and not null, and ids lead to a row.

A key of a raw table is the org and the id together, and so is what leads to it. A record may name one that its source
does not show, so that tests of relationships warn.
"""

from collections.abc import Collection, Iterator
from typing import Any, Final

from openfaith_pipeline.canonical.relationships import mentioned
from openfaith_pipeline.canonical.rules import Reference
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database.canonical_tables import CANONICAL_PREFIX
from openfaith_pipeline.export.relations import Relation
from openfaith_pipeline.sources import CANONICAL, STREAMS

_SEPARATOR: Final = " || '/' || "


def tests_of_columns(relation: Relation) -> dict[str, list[Any]]:
    """Column -> its tests."""
    if relation.group == "raw":
        keys = ("org_id", "id", *(("related_id",) if relation.links else ()))
        return {name: ["not_null"] for name in keys}
    if relation.group == "views":
        return {"org_id": ["not_null"]}
    found: dict[str, list[Any]] = {"orgId": ["not_null"]}
    if "id" in relation.words and relation.deleted and "externalId" not in relation.words:
        found["id"] = ["not_null", "unique"]
    return found


def tests_of_table(relation: Relation, known: Collection[str]) -> list[Any]:
    """Tests that concern several columns. known: the full names of the sources that a relationship may lead to."""
    if relation.group == "canonical":
        leads = [*_of_canonical(relation)]
    else:
        leads = [(column, target.schema, target.short_name) for column, target in _of_raw(relation)]
    tests = [_relationship(relation, *each) for each in leads if f"{each[1]}.{each[2]}" in known]
    if relation.stream:
        return [_unique(relation, "org_id", "id"), *tests]
    return [_unique(relation, "org_id", "id", "related_id"), *tests] if relation.links else tests


def _of_raw(relation: Relation) -> Iterator[tuple[str, Stream]]:
    """Column -> the stream that it leads to."""
    for relationship, target in (relation.stream.belongs_to if relation.stream else {}).items():
        if target:
            yield f"{relationship}_id", STREAMS[target]
    if relation.links:
        stream, relationship = relation.links
        yield "id", stream
        target = stream.has_many.get(relationship) or stream.belongs_to.get(stream.listed_by.get(relationship, ""))
        if target:
            yield "related_id", STREAMS[target]


def _of_canonical(relation: Relation) -> Iterator[tuple[str, str, str]]:
    """Column, schema and table."""
    declared = CANONICAL.tables.get(relation.name.removeprefix(CANONICAL_PREFIX))
    targets: dict[str, set[str]] = {}
    for entity in declared.entities if declared else ():
        for column, rule in entity.columns.items():
            if isinstance(rule, Reference):
                target = mentioned(entity.stream, rule.relationship, CANONICAL.known)
                targets.setdefault(column, set()).add(target.table)
    for column, tables in targets.items():
        if len(tables) == 1:
            yield column, relation.schema, f"{CANONICAL_PREFIX}{tables.pop()}"


def _unique(relation: Relation, *columns: str) -> dict[str, Any]:
    return {
        "unique": {
            "name": f"unique_{relation.schema}_{relation.name}",
            "arguments": {"column_name": f"({_SEPARATOR.join(columns)})"},
        }
    }


def _relationship(relation: Relation, column: str, schema: str, name: str) -> dict[str, Any]:
    is_raw = relation.group == "raw"
    return {
        "relationships": {
            "name": f"relationship_{relation.schema}_{relation.name}_{column}",
            "arguments": {
                "column_name": f"(org_id{_SEPARATOR}{column})" if is_raw else f'"{column}"',
                "to": f"source('{schema}', '{name}')",
                "field": f"(org_id{_SEPARATOR}id)" if is_raw else "id",
            },
            "config": {"severity": "warn"},
        }
    }
