"""A database made by OpenFaith and filled by its engine, then upgraded and synced: the doctor finds the leftovers."""

from sqlalchemy.schema import CreateTable

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.alignment import ddl
from openfaith_pipeline.database.canonical_tables import canonical_metadata
from openfaith_pipeline.database.migration import upgrade
from openfaith_pipeline.orgs.registry import new_org_id
from openfaith_pipeline.sync.rollback import RollbackOrder, roll_back
from openfaith_pipeline_tests.integration.doctor.church import Engine, make_church
from openfaith_pipeline_tests.integration.snapshots import differing, snapshot
from openfaith_pipeline_tests.migrations.test_canonical import APPLICATION_LINKS, GUARDS

MEMBERS = """
CREATE TABLE "openfaith_orgUsers" (
    id text PRIMARY KEY, "orgId" text NOT NULL, "userId" text NOT NULL, role text NOT NULL,
    "createdAt" timestamptz NOT NULL, "_tag" char(7) DEFAULT 'orgUser' NOT NULL)
"""
MEMBER = """
INSERT INTO "openfaith_orgUsers" (id, "orgId", "userId", role, "createdAt") VALUES (%s, %s, %s, 'member', now())
"""
LEFT = {"entities_joined", "edges_joined", "deletes_unmarked", "logins_of_other_org"}


def make_tables(database: Database) -> None:
    """The application's, which are ours column by column (test_canonical), but for the key of the links."""
    with database.connect() as connection:
        connection.execute(APPLICATION_LINKS)
        connection.execute(GUARDS["index"])  # type: ignore[arg-type]
        connection.execute(MEMBERS)
        for name in ("people", "emails", "edges"):
            connection.execute(ddl(CreateTable(canonical_metadata("public").tables[f"public.openfaith_{name}"])))


def fill(database: Database, org_id: str) -> tuple[list[str], str]:
    """People and addresses by the engine, with the same ids; returns the joined entities, and one that is gone."""
    with database.connect() as connection:
        engine = Engine(connection, org_id)
        people = [engine.person(str(number)) for number in range(1, 5)]
        addresses = [engine.email(str(number), people[0]) for number in range(1, 5)]
        assert addresses == people
        gone = engine.person("99")
        for user, member_of in (("user_ours", org_id), ("user_theirs", "org_elsewhere")):
            connection.execute(MEMBER, (f"member_{user}", member_of, user))
            engine.edge((people[0], "person"), (user, "user"), "user-is-person", {"linkedAt": "2024"})
    return people, gone


def test_rows_that_the_engine_left_are_found_repaired_and_taken_back(empty_database: Database) -> None:
    org_id = new_org_id()
    make_tables(empty_database)
    people, gone = fill(empty_database, org_id)
    upgrade(empty_database)
    church = make_church(empty_database, org_id)
    assert "deletes_unproven" in church.dead_ends()
    church.read_everything()
    found = church.dead_ends()
    assert found.keys() == LEFT
    assert set(found["entities_joined"].examples) == {f"emails {id}" for id in people}
    assert found["deletes_unmarked"].examples == (f"people {gone}",)
    assert "user_theirs" in found["logins_of_other_org"].examples[0]
    assert {each.org_id for each in found.values()} == {org_id}

    with empty_database.connect() as connection:
        before = snapshot(connection)
    church.repair()
    assert church.dead_ends().keys() == set()
    assert sorted(people) == church.entities("people", 9)
    assert len(church.entities("emails", 9)) == 4
    roll_back(empty_database, RollbackOrder("repair"))
    with empty_database.connect() as connection:
        assert differing(before, snapshot(connection)) == []
    assert church.dead_ends().keys() == LEFT
