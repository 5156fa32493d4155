"""The journal keeps no value of a conflict of an erased person, and every other one."""

from openfaith_pipeline.database import Database
from openfaith_pipeline.privacy.journal_entries import _remove_openfaith
from openfaith_pipeline.privacy.openfaith_rows import PersonEntities
from openfaith_pipeline.review.conflict_policies import Policy
from openfaith_pipeline.review.conflicts import Decision, list_conflicts
from openfaith_pipeline.sync.conflict_decision import decide_conflicts
from openfaith_pipeline_tests.integration.conflicts.things import ORG, Person, choose

NOTES = "SELECT table_name FROM sync.journal WHERE table_name LIKE 'sync.%%' AND org_id = %s"


def test_the_conflicts_of_an_erased_person_leave_the_journal(database: Database) -> None:
    with database.connect() as connection:
        people = [Person(connection, record_id=each) for each in ("1", "2")]
        choose(connection, Policy.ASK)
        for person in people:
            person.here("Annie")
            person.at_source("Anna")
            person.transform()
        ids = [each.id for each in list_conflicts(connection, ORG)]
        connection.commit()
        decide_conflicts(database, ids, Decision.APPROVE, "an operator")
        before = connection.execute(NOTES, (ORG,)).fetchall()
        entities = PersonEntities("public", {"people": {people[0].entity_id}}, {})
        with connection.cursor() as cursor:
            _remove_openfaith(cursor, ORG, entities)
        after = connection.execute(NOTES, (ORG,)).fetchall()
        assert sorted(before) == sorted([*after, *after])
        assert {name for (name,) in after} == {"sync.conflicts", "sync.local_edits"}
