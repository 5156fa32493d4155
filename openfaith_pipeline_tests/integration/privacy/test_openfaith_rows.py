"""OpenFaith's rows of an erased person that no raw row leads to any more, or that several people of the source are."""

from typing import Any
from uuid import uuid4

import pytest
from psycopg import Connection

from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.privacy.person_erasure import _erase
from openfaith_pipeline.transform import transform_org
from openfaith_pipeline_tests.integration.raw_rows import put_row

ORG = "org_01h455vb4pex5vsknk084sn02q"
ROWS = """
SELECT "firstName" FROM openfaith_people UNION ALL SELECT address FROM openfaith_emails
"""


def put(connection: Connection[Any]) -> None:
    """Two people, each with an e-mail address that they have and one that was deleted."""
    for number in "12":
        put_row(connection, "people.people", ORG, number, first_name=f"Ann{number}")
        for place, deleted_at in (("a", None), ("b", "2026-01-01T00:00:00Z")):
            address = f"{place}{number}@example.net"
            put_row(connection, "people.emails", ORG, f"{place}{number}", person_id=number, address=address)
            transform(connection)
            connection.execute(
                "UPDATE pco_people.emails SET _deleted_at = %s WHERE address = %s", (deleted_at, address)
            )
            transform(connection)


def transform(connection: Connection[Any]) -> None:
    with connection.transaction():
        transform_org(connection, ORG, schema="public", sync_id=str(uuid4()))


def erase(connection: Connection[Any], name: str) -> tuple[str, ...]:
    with connection.transaction():
        return _erase(connection, "public", ORG, name, "somebody", lambda _: None)[0].person_ids


def rows(connection: Connection[Any]) -> list[str]:
    return sorted(value for (value,) in connection.execute(ROWS).fetchall())


def entity_of(connection: Connection[Any], person_id: str) -> str:
    [(entity_id,)] = connection.execute(
        'SELECT "entityId" FROM "openfaith_externalLinks" WHERE "entityType" = %s AND "externalId" = %s',
        ("person", person_id),
    ).fetchall()
    return str(entity_id)


@pytest.mark.parametrize("forgotten", ["WHERE _deleted_at IS NOT NULL", ""])
@pytest.mark.parametrize("is_ours", [False, True])
def test_an_entity_without_its_row_which_maintenance_removed_is_erased(
    database: Database, forgotten: str, is_ours: bool
) -> None:
    """As maintenance removes the rows, or as after the person themselves was deleted with everything of theirs."""
    with database.connect(autocommit=True) as connection:
        put(connection)
        name = entity_of(connection, "1") if is_ours else "1"
        for table in ("people", "emails"):
            connection.execute(f"DELETE FROM pco_people.{table} {forgotten}".encode())  # noqa: S608
        connection.execute("DELETE FROM sync.journal")
        assert rows(connection) == ["Ann1", "Ann2", *(f"{each}@example.net" for each in ("a1", "a2", "b1", "b2"))]

        assert erase(connection, name) == ("1",)

        assert rows(connection) == ["Ann2", "a2@example.net", "b2@example.net"]
        transform(connection)
        assert rows(connection) == ["Ann2", "a2@example.net", "b2@example.net"]
        with pytest.raises(UsageError, match="nothing is stored"):
            erase(connection, "1")


def test_all_that_openfaith_made_one_person_are_erased_by_its_id_there(database: Database) -> None:
    with database.connect(autocommit=True) as connection:
        put(connection)
        first, second = entity_of(connection, "1"), entity_of(connection, "2")
        connection.execute(
            'UPDATE "openfaith_externalLinks" SET "entityId" = %s WHERE "entityId" = %s', (first, second)
        )
        transform(connection)

        assert erase(connection, first) == ("1", "2")

        assert (
            connection.execute("SELECT id FROM pco_people.people UNION ALL SELECT id FROM pco_people.emails").fetchall()
            == []
        )
        transform(connection)
        left = connection.execute('SELECT count(*) FROM openfaith_people WHERE "deletedAt" IS NULL').fetchall()
        assert left == [(0,)]
