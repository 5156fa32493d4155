"""Links from records to entities, across orgs, batches and types."""

from datetime import datetime
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from openfaith_pipeline.database import Database
from openfaith_pipeline.transform import workspace
from openfaith_pipeline_tests.integration.raw_rows import put_row
from openfaith_pipeline_tests.integration.transform.tables import entity_ids, one, row_versions, rows, transform

ORG, OTHER = "org_01h455vb4pex5vsknk084sn02q", "org_01h455vb4pex5vsknk084sn02r"
PERSON = "person_01h455vb4pex5vsknk084sn02q"
TIME = "2026-01-01T00:00:00Z"


def test_a_person_and_an_email_of_one_id_are_two_entities(database: Database) -> None:
    with database.connect() as connection:
        put_row(connection, "people.people", ORG, "7", name="Ann")
        put_row(connection, "people.emails", ORG, "7", person_id="7", address="ann@example.org")
        transform(connection, ORG)
        ids = entity_ids(connection, ORG)
        assert ids == {
            ("person", "7"): one(connection, "people", ORG)["id"],
            ("email", "7"): one(connection, "emails", ORG)["id"],
        }


def test_a_record_named_before_it_is_loaded_has_its_id_at_once(database: Database) -> None:
    with database.connect() as connection:
        put_row(connection, "people.emails", ORG, "1", person_id="7")
        transform(connection, ORG)
        promised = entity_ids(connection, ORG)["person", "7"]
        assert one(connection, "edges", ORG)["targetEntityId"] == promised
        assert rows(connection, "people", ORG) == []

        put_row(connection, "people.people", ORG, "7", name="Ann", created_at=TIME)
        transform(connection, ORG)
        assert one(connection, "people", ORG)["id"] == promised


@pytest.mark.parametrize("is_first", [True, False], ids=["whole", "partial"])
def test_an_edge_without_one_of_its_ends_links_nothing(database: Database, *, is_first: bool) -> None:
    with database.connect() as connection:
        if not is_first:
            transform(connection, ORG)
        put_row(connection, "check_ins.location_labels", ORG, "1", label_id="8")
        put_row(connection, "check_ins.location_labels", ORG, "2", location_id="9")
        transform(connection, ORG)
        assert entity_ids(connection, ORG) == {}


def test_records_of_several_batches_are_all_made(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace, "_BATCH", 2)
    with database.connect() as connection:
        for number in range(5):
            put_row(connection, "people.people", ORG, f"{number}", name=f"Ann {number}")
            phone = {"number": f"(415) 555-010{number}", "country_code": "US"}
            put_row(connection, "people.phone_numbers", ORG, f"{number}", person_id=f"{number}", **phone)
        transform(connection, ORG)
        assert len(set(entity_ids(connection, ORG).values())) == 10
        numbers = sorted(row["number"] for row in rows(connection, "phoneNumbers", ORG))
        assert numbers == [f"+1415555010{number}" for number in range(5)]


def test_orgs_that_share_ids_share_nothing_else(database: Database) -> None:
    others = {"Ann": "Bob", "Bob": "Ann"}
    with database.connect() as connection:
        for org, name in ((ORG, "Ann"), (OTHER, "Bob")):
            # A new attribute of one church does not take a name from another's custom fields.
            put_row(connection, "people.people", org, "1", name=name, _extra=Jsonb({f"not_of_{name}": 1}))
            put_row(connection, "people.emails", org, "1", person_id="1")
            put_row(connection, "people.field_definitions", org, "1", slug=f"not_of_{others[name]}", data_type="string")
            answer = {"field_definition_id": "1", "customizable_type": "Person", "customizable_id": "1"}
            put_row(connection, "people.field_data", org, "1", value=name, **answer)
        transform(connection, ORG)
        assert rows(connection, "people", OTHER) == rows(connection, "externalLinks", OTHER) == []
        before = row_versions(connection)
        transform(connection, OTHER)

        assert before < row_versions(connection)
        assert set(entity_ids(connection, ORG).values()).isdisjoint(entity_ids(connection, OTHER).values())
        for org, name in ((ORG, "Ann"), (OTHER, "Bob")):
            person = one(connection, "people", org)
            fields = [item["name"] for item in person["customFields"]]
            assert (person["name"], fields) == (name, [f"pco_not_of_{name}", f"pco_not_of_{others[name]}"])
            assert one(connection, "edges", org)["targetEntityId"] == person["id"]


def test_a_link_that_openfaith_made_is_kept(database: Database) -> None:
    with database.connect() as connection:
        _link(connection, "1")
        put_row(connection, "people.people", ORG, "1", name="Ann")
        transform(connection, ORG)
        assert one(connection, "people", ORG)["id"] == PERSON


def test_two_records_of_one_entity_are_one_row_that_keeps_still(database: Database) -> None:
    with database.connect() as connection:
        for record_id, name, deleted_at in (("1", "Removed", TIME), ("2", "Kept", None), ("3", "Later", None)):
            _link(connection, record_id)
            put_row(connection, "people.people", ORG, record_id, name=name, _deleted_at=deleted_at)
        result = transform(connection, ORG)["people"]
        assert (result.inserted, result.updated, result.unchanged) == (1, 0, 0)
        person = one(connection, "people", ORG)
        assert (person["name"], person["deletedAt"]) == ("Kept", None)

        before = row_versions(connection)
        transform(connection, ORG)
        assert row_versions(connection) == before


def test_an_entity_of_another_org_is_left_to_it(database: Database) -> None:
    with database.connect() as connection:
        connection.execute(
            'INSERT INTO openfaith_people (id, "orgId", name, "createdAt") VALUES (%s, %s, %s, now())',
            [PERSON, OTHER, "Bob"],
        )
        _link(connection, "1")
        put_row(connection, "people.people", ORG, "1", name="Ann")
        put_row(connection, "people.people", ORG, "2", name="Cid")
        transform(connection, ORG)
        assert one(connection, "people", OTHER)["name"] == "Bob"
        assert one(connection, "people", ORG)["name"] == "Cid"


def test_last_processed_moves_with_a_change_of_the_record_or_its_fields(database: Database) -> None:
    with database.connect() as connection:
        put_row(connection, "people.people", ORG, "1", name="Ann")
        put_row(connection, "people.people", ORG, "2", name="Bob")
        put_row(connection, "people.people", ORG, "3", name="Cid")
        transform(connection, ORG)
        before = _processed(connection)

        # Neither change moves the record's own updated_at.
        connection.execute("UPDATE pco_people.people SET name = 'Annie' WHERE id = '1'")
        put_row(connection, "people.field_definitions", ORG, "1", slug="shirt", data_type="string")
        answer = {"field_definition_id": "1", "customizable_type": "Person", "customizable_id": "2"}
        put_row(connection, "people.field_data", ORG, "1", value="L", **answer)
        connection.commit()
        result = transform(connection, ORG)["externalLinks"]

        after = _processed(connection)
        assert {record_id for record_id in after if after[record_id] > before[record_id]} == {"1", "2"}
        # The one inserted is the field definition's.
        assert (result.inserted, result.updated, result.unchanged) == (1, 2, 1)


def _processed(connection: psycopg.Connection[Any]) -> dict[str, datetime]:
    links = [link for link in rows(connection, "externalLinks", ORG) if link["entityType"] == "person"]
    return {link["externalId"]: link["lastProcessedAt"] for link in links}


def _link(connection: psycopg.Connection[Any], record_id: str) -> None:
    connection.execute(
        'INSERT INTO "openfaith_externalLinks" ("orgId", adapter, "externalId", "entityId", "entityType", "createdAt",'
        " \"lastProcessedAt\") VALUES (%s, 'pco', %s, %s, 'person', %s, %s)",
        [ORG, record_id, PERSON, TIME, TIME],
    )
