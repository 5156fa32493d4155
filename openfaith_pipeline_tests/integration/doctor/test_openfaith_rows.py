"""Dangling OpenFaith rows and leftovers of OpenFaith's engine are found, repaired, and the repair rolled back."""

from openfaith_pipeline.doctor.repair import STILL_THERE, Order, foresee_repair
from openfaith_pipeline.sync.rollback import RollbackOrder, roll_back
from openfaith_pipeline_tests.integration.doctor.church import Church, Engine, examine
from openfaith_pipeline_tests.integration.snapshots import Snapshot, differing, snapshot

USERS = """
CREATE TABLE "openfaith_orgUsers" (id text PRIMARY KEY, "orgId" text NOT NULL, "userId" text NOT NULL)
"""


def test_a_clean_church_gives_no_finding_and_nothing_is_written(church: Church) -> None:
    before = taken(church)
    report = examine(church.database, is_offline=True)
    assert (report.described()["findings"], report.unexamined, report.status) == ([], [], "well")
    assert report.orgs.keys() == {church.org_id, church.other}
    church.read_everything()
    assert examine(church.database, is_offline=True).status == "well"
    assert differing(before, taken(church)) == []


def plant(church: Church) -> dict[str, str]:
    """Each kind once or more; by the kind's name, an example that names it."""
    people, emails = church.entities("people", 3), church.entities("emails", 2)
    [(record,)] = church.run(
        'SELECT "externalId" FROM "openfaith_externalLinks" WHERE "entityId" = %(id)s AND "entityType" = %(tag)s',
        id=people[1],
        tag="person",
    )
    church.run('DELETE FROM "openfaith_externalLinks" WHERE "entityId" = %(id)s', id=people[0])
    church.run("DELETE FROM openfaith_people WHERE id = %(id)s", id=people[1])
    [(foreign,)] = church.run(
        'SELECT min(id) FROM openfaith_emails WHERE "orgId" = %(other)s AND "deletedAt" IS NULL',
    ) or [("",)]
    [(mine,)] = church.run(
        'UPDATE "openfaith_externalLinks" SET "entityId" = %(foreign)s WHERE "entityId" = %(id)s'
        ' RETURNING "externalId"',
        foreign=foreign,
        id=emails[0],
    )
    with church.database.connect() as connection:
        connection.execute(USERS)
        connection.execute(
            """INSERT INTO "openfaith_orgUsers" VALUES ('1', %s, 'user_theirs'), ('2', %s, 'user_ours')""",
            (church.other, church.org_id),
        )
        engine = Engine(connection, church.org_id)
        gone = engine.person("99000001")
        joined = engine.email("99000001", people[2])
        assert joined == gone
        nobody = ("person_nobody", "person")
        engine.edge((emails[1], "email"), nobody, "email_has_person")
        for user in ("user_theirs", "user_ours"):
            engine.edge((people[2], "person"), (user, "user"), "user-is-person", {"linkedAt": "2024"})
    return {
        "entities_without_link": f"people {people[0]}",
        "links_without_entity": f"externalLinks person {record}",
        "links_of_other_org": f"externalLinks email {mine}",
        "edges_to_nothing": f"edges {emails[1]} email_has_person person_nobody",
        "entities_joined": f"emails {joined}",
        "edges_joined": f"edges {' email_has_person '.join(sorted([joined, people[2]]))}",
        "deletes_unproven": f"people {gone}",
        "logins_of_other_org": f"edges {people[2]} user-is-person user_theirs",
    }


def test_each_kind_is_found_by_name_repaired_and_rolled_back(church: Church) -> None:
    planted = plant(church)
    found = church.dead_ends()
    for name, example in planted.items():
        assert example in found[name].examples, name
        assert found[name].org_id == church.org_id
        assert church.org_id in found[name].mend
    church.read_everything()
    found = church.dead_ends()
    assert planted["deletes_unproven"] in found["deletes_unmarked"].examples
    assert "deletes_unproven" not in found

    before = taken(church)
    [foreseen] = foresee_repair(church.database, Order([church.org_id]))
    assert differing(before, taken(church)) == []
    done = church.repair()
    assert (done.tables, done.left) == (foreseen.tables, ())
    assert church.dead_ends().keys() == set()
    gone = planted["deletes_unproven"].split()[1]
    linked = church.run('SELECT "deletedBy" FROM "openfaith_externalLinks" WHERE "entityId" = %(gone)s', gone=gone)
    assert linked == [("pco",)]
    after = taken(church)
    church.transform(is_full=True)
    assert differing(after, taken(church)) == []

    roll_back(church.database, RollbackOrder("repair"))
    assert differing(before, taken(church)) == []
    assert church.dead_ends().keys() == planted.keys() - {"deletes_unproven"} | {"deletes_unmarked"}


def test_an_entity_keeps_its_id_when_its_link_is_put_back(church: Church) -> None:
    [person] = church.entities("people", 1)
    [(record,)] = church.run(
        'DELETE FROM "openfaith_externalLinks" WHERE "entityId" = %(id)s RETURNING "externalId"', id=person
    )
    church.repair()
    linked = church.run(
        """SELECT "entityId" FROM "openfaith_externalLinks" WHERE "orgId" = %(org_id)s AND "entityType" = 'person'
        AND "externalId" = %(record)s""",
        record=record,
    )
    assert linked == [(person,)]


def test_a_second_entity_of_a_record_gives_way_to_the_linked_one(church: Church) -> None:
    [person] = church.entities("people", 1)
    church.run('DELETE FROM "openfaith_externalLinks" WHERE "entityId" = %(id)s', id=person)
    church.transform()
    assert church.dead_ends().keys() == {"entities_without_link"}
    done = church.repair()
    assert done.tables["public.openfaith_people"] == {"delete": 1}
    assert church.dead_ends().keys() == set()


def test_streams_with_a_record_that_the_source_still_has_are_left_as_they_are(church: Church) -> None:
    church.read_everything()
    [person] = church.entities("people", 1)
    church.run("DELETE FROM pco_people.people WHERE org_id = %(org_id)s AND id = '1'")
    church.run("DELETE FROM pco_people.emails WHERE org_id = %(org_id)s AND id = '2'")
    found = church.dead_ends()
    assert found.keys() == {"deletes_unmarked"}
    assert found["deletes_unmarked"].count == 2
    assert f"people {person}" in found["deletes_unmarked"].examples
    done = church.repair(people__people=STILL_THERE)
    assert done.tables["public.openfaith_emails"] == {"delete": 1}
    assert "public.openfaith_people" not in done.tables
    assert done.left == (f"people.people: {STILL_THERE}",)


def test_silence_proves_no_record_gone(church: Church) -> None:
    """Planning Center lists nothing and refuses nothing to a user who may not see the records."""
    church.read_everything()
    church.run("DELETE FROM pco_people.emails WHERE org_id = %(org_id)s")
    church.run("UPDATE sync.stream_states SET availability = 'silent', row_count = 0 WHERE stream = 'people.emails'")
    found = church.dead_ends()
    assert found.keys() == {"deletes_unproven"}
    assert found["deletes_unproven"].count == 4
    assert church.repair().rows == 0


def test_a_record_in_quarantine_is_there(church: Church) -> None:
    church.read_everything()
    church.run("DELETE FROM pco_people.people WHERE org_id = %(org_id)s AND id = '1'")
    church.run(
        "INSERT INTO sync.quarantine (org_id, stream, sync_id, record_id, reason, record)"
        " VALUES (%(org_id)s, 'people.people', 'sync', '1', 'it is not an object', '{}')"
    )
    assert "deletes_unmarked" not in church.dead_ends()


def test_a_church_that_was_never_synced_is_left_as_it_is(church: Church) -> None:
    church.run("DELETE FROM sync.stream_states WHERE org_id = %(org_id)s")
    done = church.repair()
    assert (done.rows, done.left) == (0, (f"it was not synced yet: openfaith-pipeline sync {church.org_id}",))


def taken(church: Church) -> Snapshot:
    with church.database.connect() as connection:
        return snapshot(connection)
