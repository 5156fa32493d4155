"""The tables that the transform writes, derived from the declarations."""

from openfaith_pipeline.database.canonical_tables import canonical_metadata
from openfaith_pipeline.sources import CANONICAL, STREAMS
from openfaith_pipeline.transform import ENTITIES, SOURCES

GENERAL = {"id", "orgId", "createdAt"}
FIRST_FIVE = ("campuses", "people", "emails", "phoneNumbers", "addresses")


def test_tables_by_their_asset_names() -> None:
    assert (*CANONICAL.tables, "externalLinks", "edges", "entityRelationships") == ENTITIES
    assert set(FIRST_FIVE) <= set(CANONICAL.tables)


def test_every_table_names_the_streams_that_feed_it() -> None:
    assert tuple(SOURCES) == ENTITIES
    assert all(source in STREAMS for sources in SOURCES.values() for source in sources)
    of_people = {"people.people", "people.field_data", "people.field_definitions", "people.person_mergers"}
    assert set(SOURCES["people"]) >= of_people
    assert SOURCES["emails"] == ("people.emails",)
    assert set(SOURCES["externalLinks"]) >= {*CANONICAL.entities, *CANONICAL.edges, "people.person_mergers"}
    assert {"people.people", "people.emails", "people.person_mergers"} <= set(SOURCES["edges"])


def test_declarations_fill_columns_that_may_not_be_null() -> None:
    for name, declared in CANONICAL.tables.items():
        table = canonical_metadata("public").tables[f"public.openfaith_{name}"]
        assert set(declared.columns) <= set(table.columns.keys())
        needed = {column.name for column in table.columns if not column.nullable and column.server_default is None}
        for entity in declared.entities:
            assert needed - GENERAL <= entity.columns.keys(), entity.stream.name
            assert all(entity.columns[column].default is not None for column in needed - GENERAL)
