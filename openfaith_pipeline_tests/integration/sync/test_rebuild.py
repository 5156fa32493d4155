"""`rebuild` repairs and keeps the right rows, refuses when it must, and can be undone."""

import signal
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.load.leases import LEASE_TTL
from openfaith_pipeline.load.sync_leases import end_expired
from openfaith_pipeline.settings import environment_with
from openfaith_pipeline.sync.rebuild import OrgRebuild, RebuildOrder, foresee_rebuild, rebuild
from openfaith_pipeline.sync.rollback import RollbackOrder, roll_back
from openfaith_pipeline.transform import ENTITIES
from openfaith_pipeline_tests.forking import fork_program
from openfaith_pipeline_tests.integration.raw_rows import put_row
from openfaith_pipeline_tests.integration.transform.histories import read, snapshot
from openfaith_pipeline_tests.integration.transform.tables import entity_ids, transform

ORG = "org_01h455vb4pex5vsknk084sn02q"
OTHER = "org_01h455vb4pex5vsknk084sn02r"

Connection = psycopg.Connection[Any]


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """Two churches with the same records, transformed."""
    with database.connect() as opened:
        for org_id in (ORG, OTHER):
            for number in ("1", "2", "3"):
                put_row(opened, "people.people", org_id, number, first_name=f"Number {number}")
                put_row(opened, "people.emails", org_id, number, address="a@b.example", person_id=number)
            transform(opened, org_id)
        yield opened


def rebuilt(database: Database, *org_ids: str, ignores_guards: bool = False) -> list[OrgRebuild]:
    return rebuild(database, RebuildOrder(org_ids or (ORG,), ignores_guards=ignores_guards))


def written(done: OrgRebuild) -> dict[str, tuple[int, int, int]]:
    return {name: (each.inserted, each.updated, each.ended) for name, each in done.tables.items() if each.written}


def execute(connection: Connection, statement: str, **values: str) -> None:
    assert connection.execute(statement.encode(), {"org": ORG, **values}).rowcount
    connection.commit()


def test_a_row_without_a_record_is_ended_and_a_rollback_brings_it_back(
    database: Database, connection: Connection
) -> None:
    ids = entity_ids(connection, ORG)
    execute(connection, "DELETE FROM pco_people.emails WHERE org_id = %(org)s AND id = '1'")
    execute(
        connection,
        """INSERT INTO openfaith_edges ("orgId", "sourceEntityId", "targetEntityId", "relationshipType",
            "sourceEntityTypeTag", "targetEntityTypeTag", "createdAt", metadata)
        VALUES (%(org)s, %(source)s, %(target)s, 'email_was_person', 'email', 'person', now(),
            '{"source": "pco_direct", "relationshipKey": "was"}')""",
        source=ids["email", "2"],
        target=ids["person", "3"],
    )
    transform(connection, ORG)
    before = snapshot(connection, ORG, ENTITIES)
    [done] = rebuilt(database)
    # The edge of the lost email, and one of a relationship that no declaration has.
    assert written(done) == {"emails": (0, 0, 1), "edges": (0, 0, 2)}
    [ended] = [row for row in read(connection, "emails", ORG) if row["deletedAt"]]
    assert (ended["id"], ended["deletedBy"]) == (ids["email", "1"], "pco")
    assert done.tables["emails"].row_count == 2
    connection.commit()
    [(sync_id, mode, status)] = connection.execute(
        "SELECT sync_id, mode, status FROM sync.syncs WHERE mode = 'rebuild'"
    ).fetchall()
    assert (mode, status) == ("rebuild", "succeeded")
    connection.commit()
    roll_back(database, RollbackOrder(sync_id))
    assert snapshot(connection, ORG, ENTITIES) == before


def test_a_lost_link_is_found_by_the_id_in_the_row(database: Database, connection: Connection) -> None:
    ids, before = entity_ids(connection, ORG), snapshot(connection, ORG, ENTITIES)
    execute(connection, 'DELETE FROM "openfaith_externalLinks" WHERE "orgId" = %(org)s')
    [done] = rebuilt(database)
    assert entity_ids(connection, ORG) == ids
    assert snapshot(connection, ORG, ENTITIES) == before
    assert written(done) == {"externalLinks": (6, 0, 0)}
    assert done.tables["externalLinks"].unchanged == 0


def test_a_second_entity_made_after_a_lost_link_is_the_records_and_the_first_is_ended(
    database: Database, connection: Connection
) -> None:
    first = entity_ids(connection, ORG)["person", "1"]
    execute(
        connection, 'DELETE FROM "openfaith_externalLinks" WHERE "orgId" = %(org)s AND "entityId" = %(id)s', id=first
    )
    transform(connection, ORG)
    second = entity_ids(connection, ORG)["person", "1"]
    connection.commit()
    [done] = rebuilt(database)
    assert written(done)["people"] == (0, 0, 1)
    assert entity_ids(connection, ORG)["person", "1"] == second != first
    assert {row["id"] for row in read(connection, "people", ORG) if row["deletedAt"]} == {first}


def test_rows_of_people_and_of_others_stay(database: Database, connection: Connection) -> None:
    person = entity_ids(connection, ORG)["person", "1"]
    execute(
        connection,
        """INSERT INTO openfaith_people (id, "orgId", "firstName", "createdAt", "externalIds")
        VALUES ('person_own', %(org)s, 'Bo', now(), '[{"id": "7", "type": "breeze"}]')""",
    )
    execute(
        connection,
        """INSERT INTO openfaith_edges ("orgId", "sourceEntityId", "targetEntityId", "relationshipType",
            "sourceEntityTypeTag", "targetEntityTypeTag", "createdAt")
        VALUES (%(org)s, %(person)s, 'user_1', 'user-is-person', 'person', 'user', now())""",
        person=person,
    )
    execute(
        connection,
        """UPDATE openfaith_people SET tags = '["x"]', "deletedAt" = now(), "deletedBy" = 'user_1',
            "customFields" = '[{"_tag": "string", "name": "shirt", "source": "openfaith", "value": "M"}]'
        WHERE id = %(person)s""",
        person=person,
    )
    transform(connection, ORG)
    before = snapshot(connection, ORG, ENTITIES)
    [done] = rebuilt(database)
    assert (written(done), snapshot(connection, ORG, ENTITIES)) == ({}, before)
    assert "shirt" in "".join(before["people"])


def test_a_dry_run_says_exactly_the_same_and_changes_nothing(database: Database, connection: Connection) -> None:
    execute(connection, 'DELETE FROM openfaith_emails WHERE "orgId" = %(org)s')
    execute(connection, 'UPDATE openfaith_people SET "lastName" = \'odd\' WHERE "orgId" = %(org)s')
    before = snapshot(connection, ORG, ENTITIES)
    connection.commit()
    [foreseen] = foresee_rebuild(database, RebuildOrder([ORG]))
    assert snapshot(connection, ORG, ENTITIES) == before
    assert connection.execute("SELECT count(*) FROM sync.syncs WHERE mode = 'rebuild'").fetchone() == (0,)
    connection.commit()
    [done] = rebuilt(database)
    assert written(foreseen) == written(done)
    assert written(done)["emails"] == (3, 0, 0) and written(done)["people"] == (0, 3, 0)


def test_lost_raw_rows_are_not_taken_for_deleted_records(database: Database, connection: Connection) -> None:
    for number in range(10, 100):
        put_row(connection, "people.people", ORG, str(number))
    transform(connection, ORG)
    execute(connection, "DELETE FROM pco_people.people WHERE org_id = %(org)s AND id <> '1'")
    before = snapshot(connection, ORG, ENTITIES)
    connection.commit()
    [refused, fine] = rebuilt(database, ORG, OTHER)
    assert refused.error and "92 of people" in refused.error and "full_refresh" in refused.error
    assert (fine.org_id, fine.error, fine.written) == (OTHER, None, 0)
    assert snapshot(connection, ORG, ENTITIES) == before
    [(status, error)] = connection.execute("SELECT status, error FROM sync.syncs WHERE mode = 'rebuild'").fetchall()
    assert (status, error) == ("failed", f"not rebuilt: {ORG}: {refused.error}")
    connection.commit()
    [done] = rebuilt(database, ignores_guards=True)
    assert (done.error, done.tables["people"].ended) == (None, 92)


def test_an_org_that_is_being_synced_is_refused_and_the_others_are_rebuilt(
    database: Database, connection: Connection
) -> None:
    hold = """INSERT INTO sync.stream_states (org_id, stream, holder, lease_expires_at)
        VALUES (%(org)s, 'people.emails', 'elsewhere:1:x', now() + %(ttl)s)"""
    connection.execute(hold, {"org": ORG, "ttl": LEASE_TTL + timedelta(minutes=5)})
    for org_id in (ORG, OTHER):
        connection.execute('DELETE FROM openfaith_emails WHERE "orgId" = %s', (org_id,))
    connection.commit()
    busy, done = rebuilt(database, ORG, OTHER)
    assert busy.error == f"people.emails of {ORG} is being synced by elsewhere:1"
    assert (busy.tables, done.error, done.tables["emails"].inserted) == ({}, None, 3)
    assert (len(read(connection, "emails", ORG)), len(read(connection, "emails", OTHER))) == (0, 3)


def test_syncs_wait_and_readers_see_the_rows_as_they_were(database: Database, connection: Connection) -> None:
    execute(connection, 'DELETE FROM openfaith_emails WHERE "orgId" = %(org)s')

    looking = Looking(connection)
    rebuild(database, RebuildOrder([ORG]), watching=looking)
    assert looking.seen == {("people.emails", 0, True), ("entityRelationships", 0, True)}
    assert (len(read(connection, "emails", ORG)), is_kept_from_syncs(connection)) == (3, False)


class Looking:
    """Another session, which looks while the tables are rebuilt."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.seen = set[tuple[str, int, bool]]()

    def began(self, stage: str, steps: int) -> None: ...

    def step(self, place: str) -> None:
        if place in {"people.emails", "entityRelationships"}:
            emails = len(read(self.connection, "emails", ORG))
            self.seen.add((place, emails, is_kept_from_syncs(self.connection)))


def is_kept_from_syncs(connection: Connection) -> bool:
    """Whether the state row of a stream is locked, so that a sync that began now would wait."""
    connection.commit()
    try:
        connection.execute("SET LOCAL lock_timeout = '50ms'")
        connection.execute(
            "INSERT INTO sync.stream_states (org_id, stream) VALUES (%s, 'people.emails') ON CONFLICT DO NOTHING",
            (ORG,),
        )
        connection.execute("SELECT FROM sync.stream_states WHERE org_id = %s FOR UPDATE", (ORG,))
    except psycopg.errors.LockNotAvailable:
        return True
    finally:
        connection.rollback()
    return False


KILLED = """
import os, signal, sys
from openfaith_pipeline.database import open_database
from openfaith_pipeline.load import sync_log
from openfaith_pipeline.settings import load_settings
from openfaith_pipeline.sync import rebuild as rebuilding

def die(*_arguments, **_named):
    os.kill(os.getpid(), signal.SIGKILL)

class Dying:
    def __init__(self, place):
        self.place = place
    def began(self, stage, steps):
        self.step("began")
    def step(self, place):
        if place == self.place:
            die()

sync_log.LEASE_TTL = sync_log.LEASE_TTL * 0
for place in ("began", "people.emails", "entityRelationships", "compared", "committed"):
    if os.fork() == 0:
        if place == "compared":
            rebuilding._check_guards = die
        if place == "committed":
            rebuilding.finish_sync = die
        with open_database(load_settings()) as database:
            rebuilding.rebuild(database, rebuilding.RebuildOrder([sys.argv[1]]), watching=Dying(place))
        os._exit(0)
    _, status = os.wait()
    with open_database(load_settings()) as database, database.connect() as connection:
        emails = connection.execute("SELECT count(*) FROM openfaith_emails").fetchone()[0]
    print(place, status, emails, flush=True)
"""


@pytest.mark.slow
def test_killed_at_any_moment_the_tables_are_the_old_or_the_new_ones(
    database: Database, connection: Connection, environment: dict[str, str]
) -> None:
    before = snapshot(connection, ORG, ENTITIES)
    execute(connection, 'DELETE FROM openfaith_emails WHERE "orgId" = %(org)s')
    execute(connection, 'UPDATE openfaith_people SET "lastName" = \'odd\' WHERE "orgId" = %(org)s')
    killed = fork_program(KILLED, ORG, environment=environment_with(**environment))
    lines = killed.finish(120).decode().splitlines()
    assert killed.poll() == 0
    # Three emails are the other church's.
    old, new = [str(int(signal.SIGKILL)), "3"], [str(int(signal.SIGKILL)), "6"]
    moments = {line.split()[0]: line.split()[1:] for line in lines}
    assert moments == {
        "began": old,
        "people.emails": old,
        "entityRelationships": old,
        "compared": old,
        "committed": new,
    }
    assert snapshot(connection, ORG, ENTITIES) == before
    end_expired(connection)
    ends = connection.execute("SELECT DISTINCT status FROM sync.syncs WHERE mode = 'rebuild'").fetchall()
    assert ends == [("interrupted",)]
    connection.commit()
    [done] = rebuilt(database)
    assert (done.error, done.written) == (None, 0)
