"""What follows from the entities' declarations, and what they must not lack."""

import pytest

from openfaith_pipeline.database.canonical_tables import canonical_metadata
from openfaith_pipeline.planning_center.streams import people
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.transform import ENTITIES, SOURCES
from openfaith_pipeline.transform.edges import relationship_type
from openfaith_pipeline.transform.entity import Entity, taken
from openfaith_pipeline.transform.registry import ENTITIES as DECLARED
from openfaith_pipeline.transform.registry import RELATIONSHIPS

GENERAL = {"id", "orgId", "createdAt"}


def test_tables_by_their_asset_names_in_dependency_order() -> None:
    assert ENTITIES == (
        "campuses",
        "people",
        "emails",
        "phoneNumbers",
        "addresses",
        "externalLinks",
        "edges",
        "entityRelationships",
    )
    positions = {table: position for position, table in enumerate(ENTITIES)}
    assert all(positions[r.target.table] < positions[r.owner.table] for r in RELATIONSHIPS)


def test_relationships_follow_from_the_catalog() -> None:
    assert {(r.owner.tag, r.key, r.target.tag) for r in RELATIONSHIPS} == {
        ("person", "primary_campus", "campus"),
        ("email", "person", "person"),
        ("phoneNumber", "person", "person"),
        ("address", "person", "person"),
    }


def test_every_table_names_the_streams_that_feed_it() -> None:
    assert tuple(SOURCES) == ENTITIES
    assert all(source in STREAMS for sources in SOURCES.values() for source in sources)
    of_people = {"people.people", "people.field_data", "people.field_definitions", "people.person_mergers"}
    assert set(SOURCES["people"]) == of_people
    assert SOURCES["emails"] == ("people.emails",)
    assert set(SOURCES["edges"]) == set(SOURCES["externalLinks"]) == set(SOURCES["entityRelationships"])
    assert set(SOURCES["edges"]) == {entity.stream.name for entity in DECLARED.values()} | {"people.person_mergers"}


@pytest.mark.parametrize("entity", DECLARED.values(), ids=lambda entity: entity.table)
def test_declarations_fit_their_tables(entity: Entity) -> None:
    table = canonical_metadata("public").tables[f"public.openfaith_{entity.table}"]
    assert entity.columns.keys() <= set(table.columns.keys())
    for column in table.columns:
        if not column.nullable and column.name in entity.columns:
            assert entity.columns[column.name].fallback is not None, column.name
        if not column.nullable and column.server_default is None:
            assert column.name in entity.columns.keys() | GENERAL, column.name


def test_a_declaration_may_only_take_what_the_stream_has() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        Entity(table="emails", tag="email", stream=people.EMAILS, columns={"address": taken("nonsense")})


@pytest.mark.parametrize(
    ("source", "relationship", "target", "name"),
    [
        ("campus", "primary_campus", "person", "campus_primary_campus_person"),
        ("email", "person", "person", "email_has_person"),
        ("person", "person", "phoneNumber", "person_has_phoneNumber"),
    ],
)
def test_names_of_edges(source: str, relationship: str, target: str, name: str) -> None:
    assert relationship_type(source, relationship, target) == name
