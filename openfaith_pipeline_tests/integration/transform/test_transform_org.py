"""transform_org as its callers see it: subsets, schemas, transactions, two at once."""

import psycopg
import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.canonical_tables import canonical_metadata
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.transform import ENTITIES, transform_org
from openfaith_pipeline_tests.integration.raw_rows import put_row
from openfaith_pipeline_tests.integration.transform.tables import SCHEMA, rows, transform

ORG = "org_01h455vb4pex5vsknk084sn02q"


def _load(connection: psycopg.Connection[object]) -> None:
    put_row(connection, "people.campuses", ORG, "1", name="Riverside")
    put_row(connection, "people.people", ORG, "1", name="Ann", primary_campus_id="1")
    put_row(connection, "people.emails", ORG, "1", person_id="1")


def test_all_tables_in_order_by_default(database: Database) -> None:
    with database.connect() as connection:
        _load(connection)
        results = transform(connection, ORG)
    assert tuple(results) == ENTITIES
    counts = {table: (result.inserted, result.updated, result.unchanged) for table, result in results.items()}
    assert counts["people"] == counts["emails"] == counts["campuses"] == (1, 0, 0)
    assert counts["phoneNumbers"] == counts["addresses"] == (0, 0, 0)
    assert (counts["externalLinks"], counts["edges"], counts["entityRelationships"]) == (
        (3, 0, 0),
        (2, 0, 0),
        (3, 0, 0),
    )
    assert {table: result.row_count for table, result in results.items()} == {
        **{table: counts[table][0] for table in ENTITIES}
    }


ALONE = ("campuses", "people", "emails", "addresses", "households", "externalLinks", "edges", "entityRelationships")


@pytest.mark.parametrize("table", ALONE)
def test_a_table_alone_is_written_with_the_links_it_needs(database: Database, table: str) -> None:
    with database.connect() as connection:
        _load(connection)
        results = transform(connection, ORG, table)
        assert tuple(results) == (table,)
        written = {name for name in ENTITIES if rows(connection, name, ORG)}
        linked = {link["entityType"] for link in rows(connection, "externalLinks", ORG)}
    has_rows = table in {"campuses", "people", "emails", "edges"}
    needs_links = table not in {"addresses", "households"}
    assert written == ({table} if has_rows else set()) | ({"externalLinks"} if needs_links else set())
    some = {"campuses": {"campus"}, "people": {"person", "campus"}, "emails": {"email", "person"}}
    assert linked == (some.get(table, {"campus", "person", "email"}) if needs_links else set())


def test_tables_one_after_the_other_end_like_all_at_once(database: Database) -> None:
    with database.connect() as connection:
        _load(connection)
        for table in reversed(ENTITIES):
            transform(connection, ORG, table)
        transform(connection, ORG, "entityRelationships")
        results = transform(connection, ORG)
    assert {(result.inserted, result.updated) for result in results.values()} == {(0, 0)}
    assert all(results[table].row_count for table in ("campuses", "people", "emails", "edges", "entityRelationships"))


def test_an_unknown_table_is_refused_by_name(database: Database) -> None:
    with database.connect() as connection, pytest.raises(UsageError, match="peoples"):
        transform(connection, ORG, "people", "peoples")


def test_the_caller_decides_whether_it_happened(database: Database) -> None:
    with database.connect() as connection:
        _load(connection)
        connection.commit()
        transform_org(connection, ORG, schema=SCHEMA, sync_id="sync")
        transform_org(connection, ORG, schema=SCHEMA, sync_id="sync")
        assert connection.execute("SHOW enable_nestloop").fetchone() == ("off",)
        connection.rollback()
        assert all(rows(connection, table, ORG) == [] for table in ENTITIES)
        assert connection.execute("SHOW enable_nestloop").fetchone() == ("on",)


def test_another_schema(database: Database) -> None:
    with database.engine().begin() as sqlalchemy:
        sqlalchemy.exec_driver_sql("CREATE SCHEMA church")
        canonical_metadata("church").create_all(sqlalchemy)
    with database.connect() as connection:
        _load(connection)
        results = transform_org(connection, ORG, schema="church", sync_id="sync")
        assert results["people"].row_count == 1
        assert rows(connection, "people", ORG) == []


def test_transforms_of_one_org_wait_for_each_other(database: Database) -> None:
    with database.connect() as first, database.connect() as second:
        _load(first)
        transform(first, ORG)
        transform_org(first, ORG, schema=SCHEMA, sync_id="first")
        second.execute("SET lock_timeout = '50ms'")
        second.commit()
        with pytest.raises(psycopg.errors.LockNotAvailable):
            transform_org(second, ORG, schema=SCHEMA, sync_id="second")
        second.rollback()
        transform_org(second, "org_of_others", schema=SCHEMA, sync_id="second")
        first.commit()
        assert transform(second, ORG)["people"].unchanged == 1
