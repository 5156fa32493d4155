"""Deletes, returns, and who may undo whose."""

from typing import Any

import psycopg
import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.transform import transform_org
from openfaith_pipeline_tests.integration.raw_rows import put_row
from openfaith_pipeline_tests.integration.transform.tables import SCHEMA, one, rows, transform

ORG = "org_01h455vb4pex5vsknk084sn02q"
TIME = "2026-01-01T00:00:00Z"
USER = "user_01h455vb4pex5vsknk084sn02q"


@pytest.fixture
def connection(database: Database) -> Any:
    """One person with one email, loaded and transformed."""
    with database.connect() as connection:
        put_row(connection, "people.people", ORG, "1", name="Ann")
        put_row(connection, "people.emails", ORG, "1", person_id="1", address="ann@example.org")
        transform(connection, ORG)
        yield connection


def _set(connection: psycopg.Connection[Any], statement: str, *values: object) -> None:
    connection.execute(statement.encode(), values)
    connection.commit()


@pytest.mark.parametrize("gone", ["people", "emails"])
def test_a_deleted_record_takes_its_edges_along_and_brings_them_back(
    connection: psycopg.Connection[Any], gone: str
) -> None:
    ids = {row["id"] for table in ("people", "emails") for row in rows(connection, table, ORG)}
    _set(connection, f"UPDATE pco_people.{gone} SET _deleted_at = %s", TIME)  # noqa: S608
    results = transform(connection, ORG)
    entity, edge = one(connection, gone, ORG), one(connection, "edges", ORG)
    links = {link["entityId"]: link["deletedBy"] for link in rows(connection, "externalLinks", ORG)}
    assert entity["deletedAt"].isoformat() == "2026-01-01T00:00:00+00:00"
    assert (entity["deletedBy"], edge["deletedBy"], edge["deletedAt"] is None) == ("pco", "pco", False)
    assert links == {entity_id: "pco" if entity_id == entity["id"] else None for entity_id in ids}
    assert (results[gone].updated, results["edges"].updated) == (1, 1)
    assert (results[gone].row_count, results["edges"].row_count) == (0, 0)

    _set(connection, f"UPDATE pco_people.{gone} SET _deleted_at = NULL")  # noqa: S608
    transform(connection, ORG)
    for table in ("people", "emails", "edges", "externalLinks"):
        assert {(row["deletedAt"], row["deletedBy"]) for row in rows(connection, table, ORG)} == {(None, None)}
    assert ids == {row["id"] for table in ("people", "emails") for row in rows(connection, table, ORG)}


@pytest.mark.parametrize("table", ["people", "edges"])
def test_rows_that_a_person_deleted_stay_deleted(connection: psycopg.Connection[Any], table: str) -> None:
    _set(connection, f'UPDATE openfaith_{table} SET "deletedAt" = %s, "deletedBy" = %s', TIME, USER)  # noqa: S608
    _set(connection, "UPDATE pco_people.people SET name = 'Annie', updated_at = now()")
    transform(connection, ORG)
    row = one(connection, table, ORG)
    assert (row["deletedBy"], row["deletedAt"].year) == (USER, 2026)
    assert one(connection, "people", ORG)["name"] == "Annie"


def test_an_edge_that_is_deleted_by_nobody_is_brought_back(connection: psycopg.Connection[Any]) -> None:
    _set(connection, 'UPDATE openfaith_edges SET "deletedAt" = %s', TIME)
    transform(connection, ORG)
    assert one(connection, "edges", ORG)["deletedAt"] is None


@pytest.mark.parametrize(("gone", "edges"), [("people", 3), ("households", 2)])
def test_no_edge_returns_when_the_row_of_a_deleted_record_goes(
    connection: psycopg.Connection[Any], gone: str, edges: int
) -> None:
    """As retention removes it. The email and the membership still name the record."""
    put_row(connection, "people.households", ORG, "1", primary_contact_id="1")
    put_row(connection, "people.household_memberships", ORG, "1", household_id="1", person_id="1")
    transform(connection, ORG)
    assert numbers_of_edges(connection) == (3, 3)
    _set(connection, f"UPDATE pco_people.{gone} SET _deleted_at = %s", TIME)  # noqa: S608
    transform(connection, ORG)
    assert numbers_of_edges(connection) == (3, 3 - edges)
    _set(connection, f"DELETE FROM pco_people.{gone}")  # noqa: S608
    transform(connection, ORG)
    assert numbers_of_edges(connection) == (3, 3 - edges)
    transform_org(connection, ORG, schema=SCHEMA, sync_id="sync", is_full=True)
    assert numbers_of_edges(connection) == (3, 3 - edges)
    put_row(connection, f"people.{gone}", ORG, "1", **({"primary_contact_id": "1"} if gone == "households" else {}))
    transform(connection, ORG)
    assert numbers_of_edges(connection) == (3, 3)


def numbers_of_edges(connection: psycopg.Connection[Any]) -> tuple[int, int]:
    """How many there are, and how many of them hold."""
    found = rows(connection, "edges", ORG)
    return len(found), sum(edge["deletedAt"] is None for edge in found)


def test_an_edge_follows_its_relationship_and_returns(connection: psycopg.Connection[Any]) -> None:
    put_row(connection, "people.people", ORG, "2", name="Bob")
    people = {}
    for owner in ("2", "1", None):
        _set(connection, "UPDATE pco_people.emails SET person_id = %s", owner)
        transform(connection, ORG)
        people = {person["id"]: person["name"] for person in rows(connection, "people", ORG)}
        live = [people[edge["targetEntityId"]] for edge in rows(connection, "edges", ORG) if not edge["deletedAt"]]
        assert live == {"1": ["Ann"], "2": ["Bob"], None: []}[owner]
    assert len(rows(connection, "edges", ORG)) == 2


def test_edges_of_others_are_left_alone(connection: psycopg.Connection[Any]) -> None:
    for metadata in ('{"source": "openfaith"}', "{}", '{"source": "pco_merging", "relationshipKey": "person"}'):
        _set(connection, "UPDATE openfaith_edges SET metadata = %s", metadata)
        _set(connection, "UPDATE pco_people.emails SET person_id = NULL, updated_at = now()")
        before = rows(connection, "edges", ORG)
        transform(connection, ORG)
        assert rows(connection, "edges", ORG) == before
        _set(connection, "UPDATE pco_people.emails SET person_id = '1', updated_at = now()")
        transform(connection, ORG)
        assert rows(connection, "edges", ORG) == before


def test_an_edge_is_removed_on_evidence_only(connection: psycopg.Connection[Any]) -> None:
    # The email is no longer loaded: that says nothing about whose it is.
    _set(connection, "DELETE FROM pco_people.emails")
    transform(connection, ORG)
    assert one(connection, "edges", ORG)["deletedAt"] is None
    assert one(connection, "emails", ORG)["deletedAt"] is None


def test_a_record_that_was_never_seen_alive_is_a_deleted_row(connection: psycopg.Connection[Any]) -> None:
    put_row(connection, "people.emails", ORG, "2", person_id="99", _deleted_at=TIME)
    transform(connection, ORG)
    assert sorted(str(email["deletedBy"]) for email in rows(connection, "emails", ORG)) == ["None", "pco"]
    assert {link["externalId"] for link in rows(connection, "externalLinks", ORG)} == {"1", "2"}
    assert len(rows(connection, "edges", ORG)) == 1
