"""A waiting conflict follows both sides, ends by itself or by a decision, and is undone with its sync."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import RollbackRefused, UsageError
from openfaith_pipeline.review.conflict_policies import Policy
from openfaith_pipeline.review.conflicts import Decision, forget_decided, list_conflicts
from openfaith_pipeline.sync.conflict_decision import Decided, decide_conflicts
from openfaith_pipeline.sync.rollback import OnConflict
from openfaith_pipeline.transform import upsert
from openfaith_pipeline_tests.integration.conflicts.things import (
    ORG,
    OTHER,
    PAST,
    USER,
    Person,
    choose,
    transform_as,
    undo,
)
from openfaith_pipeline_tests.integration.raw_rows import put_row

EDIT = 'UPDATE openfaith_people SET "firstName" = \'Betty\', "customFields" = %s || "customFields" WHERE id = %s'


@pytest.fixture
def ann(database: Database) -> Iterator[Person]:
    """Annie here, Anna at the source: a conflict that waits, found by the sync `found`."""
    with database.connect() as connection:
        ann = Person(connection)
        choose(connection, Policy.ASK)
        ann.here("Annie")
        ann.at_source("Anna")
        transform_as(ann, "found")
        yield ann


def decide(database: Database, ann: Person, decision: Decision, number: int = 0) -> Decided:
    waiting = list_conflicts(ann.connection, ann.org_id)
    ann.connection.commit()
    return decide_conflicts(database, [waiting[number].id], decision, "an operator")


def test_it_says_who_when_and_since_when(ann: Person) -> None:
    [conflict] = list_conflicts(ann.connection, ORG)
    assert (conflict.base, conflict.local, conflict.source) == ("Ann", "Annie", "Anna")
    assert (conflict.entity, conflict.entity_id, conflict.field) == ("people", ann.entity_id, "firstName")
    assert (conflict.edited_by, conflict.sync_id, conflict.decision) == (USER, "found", None)
    assert conflict.source_changed_at is not None
    assert conflict.source_changed_at.year == 2100
    assert conflict.edited_at <= conflict.since


def test_it_follows_both_sides_while_it_waits(ann: Person) -> None:
    ann.at_source("Anja")
    ann.transform()
    ann.here("Anne")
    ann.transform()
    assert ann.conflicts() == [("Ann", "Anne", "Anja", None)]
    assert ann.first_name == "Anne"


@pytest.mark.parametrize(
    ("side", "name", "stays"), [("here", "Anna", "Anna"), ("here", "Ann", "Anna"), ("source", "Ann", "Annie")]
)
def test_it_ends_by_itself_once_the_sides_agree(ann: Person, side: str, name: str, stays: str) -> None:
    ann.here(name) if side == "here" else ann.at_source(name)
    ann.transform("later")
    assert [row[0] for row in ann.conflicts("decision || decided_by")] == ["settledlater"]
    assert ann.first_name == stays


@pytest.mark.parametrize("end", ["deleted", "merged", "gone"])
def test_it_ends_with_its_row(ann: Person, end: str) -> None:
    ends = {
        "deleted": "UPDATE pco_people.people SET _deleted_at = now()",
        "gone": "DELETE FROM openfaith_people",
    }
    Person(ann.connection, record_id="2")
    if end == "merged":
        put_row(ann.connection, "people.person_mergers", ORG, "9", person_to_keep_id="2", person_to_remove_id="1")
    else:
        ann.connection.execute(ends[end].encode())
    ann.transform()
    assert [row[-1] for row in ann.conflicts()] == ["settled"]


def test_approved_the_sources_value_is_taken(database: Database, ann: Person) -> None:
    decided = decide(database, ann, Decision.APPROVE)
    assert ann.first_name == "Anna"
    assert ann.conflicts("decision, decided_by") == [("approved", "an operator")]
    assert (ann.edits(), ann.transform(), ann.transform(is_full=True)) == ([], 0, 0)
    with pytest.raises(UsageError, match="not waiting for a decision"):
        decide_conflicts(database, [decided.conflicts[0].id], Decision.REJECT, "another")


def test_rejected_the_local_value_stays_until_the_source_has_a_new_one(database: Database, ann: Person) -> None:
    decide(database, ann, Decision.REJECT)
    assert (ann.first_name, ann.transform(is_full=True)) == ("Annie", 0)
    ann.at_source("Anna", PAST)  # another field of the record changed
    ann.transform()
    assert ann.conflicts() == [("Ann", "Annie", "Anna", "rejected")]
    ann.at_source("Anja")
    ann.transform()
    assert ann.conflicts() == [("Ann", "Annie", "Anna", "rejected"), ("Anna", "Annie", "Anja", None)]


def test_a_decided_one_is_kept_as_long_as_the_journal(database: Database, ann: Person) -> None:
    decide(database, ann, Decision.REJECT)
    assert (forget_decided(ann.connection, timedelta(days=1)), len(ann.conflicts())) == (0, 1)
    ann.connection.execute("UPDATE sync.conflicts SET decided_at = now() - interval '2 days'")
    ann.here("Anne")
    ann.at_source("Anja")
    ann.transform()
    assert len(ann.conflicts()) == 2
    assert (forget_decided(ann.connection, timedelta(days=1)), len(ann.conflicts())) == (1, 1)


def test_a_value_that_was_changed_since_it_was_shown_is_not_replaced(database: Database, ann: Person) -> None:
    ann.here("Anne")
    with pytest.raises(UsageError, match="changed in OpenFaith since"):
        decide(database, ann, Decision.APPROVE)
    assert (ann.first_name, ann.conflicts()) == ("Anne", [("Ann", "Annie", "Anna", None)])


@pytest.mark.parametrize("decision", [*Decision])
def test_a_decision_is_undone_and_done_again(database: Database, ann: Person, decision: Decision) -> None:
    sync_id = decide(database, ann, decision).sync_id
    after = (ann.first_name, ann.conflicts(), ann.edits())
    undo(database, sync_id, rollback_id="undoing")
    assert (ann.first_name, ann.conflicts()) == ("Annie", [("Ann", "Annie", "Anna", None)])
    ann.transform()
    assert (ann.first_name, ann.conflicts()) == ("Annie", [("Ann", "Annie", "Anna", None)])
    undo(database, "undoing")
    assert (ann.first_name, ann.conflicts(), ann.edits()) == after
    ann.transform()
    assert (ann.first_name, ann.conflicts(), ann.edits()) == after


def test_the_sync_that_found_it_is_undone_with_it(database: Database, ann: Person) -> None:
    ann.at_source("Ann", PAST)  # as the rollback of its raw rows does
    undo(database, "found")
    assert (ann.first_name, ann.conflicts(), len(ann.edits())) == ("Annie", [], 1)
    ann.transform()
    assert (ann.first_name, ann.conflicts()) == ("Annie", [])
    ann.at_source("Anna")
    ann.transform()
    assert ann.conflicts() == [("Ann", "Annie", "Anna", None)]


def test_a_decision_since_stands_in_the_way_of_undoing_the_sync_that_found_it(database: Database, ann: Person) -> None:
    decide(database, ann, Decision.REJECT)
    with pytest.raises(RollbackRefused, match=r"sync\.conflicts conflict-\d+ \(decision "):
        undo(database, "found")
    undo(database, "found", on_conflict=OnConflict.KEEP)
    assert ann.conflicts() == [("Ann", "Annie", "Anna", "rejected")]


def test_an_overwritten_edit_is_back_with_the_rollback_and_counts_again(database: Database, ann: Person) -> None:
    choose(ann.connection, Policy.NEWEST)
    transform_as(ann, "overwriting")
    assert (ann.first_name, ann.edits(), ann.conflicts()[0][-1]) == ("Anna", [], "settled")
    ann.at_source("Ann", PAST)
    undo(database, "overwriting")
    assert (ann.first_name, ann.conflicts()) == ("Annie", [("Ann", "Annie", "Anna", None)])
    ann.transform()
    assert (ann.first_name, len(ann.edits())) == ("Annie", 1)


def test_several_are_decided_at_once_or_none(database: Database, ann: Person) -> None:
    other = Person(ann.connection, OTHER)
    choose(ann.connection, Policy.ASK, org_id=OTHER)
    other.here("Bea")
    other.at_source("Beate")
    other.transform()
    ids = [each.id for each in list_conflicts(ann.connection)]
    ann.connection.commit()
    with pytest.raises(UsageError, match="conflict-99"):
        decide_conflicts(database, [*ids, "conflict-99"], Decision.APPROVE, "an operator")
    assert (ann.first_name, other.first_name) == ("Annie", "Bea")
    decide_conflicts(database, ids, Decision.APPROVE, "an operator")
    assert (ann.first_name, other.first_name) == ("Anna", "Beate")
    assert ann.conflicts() == [("Ann", "Annie", "Anna", "approved")]


def test_a_crash_leaves_rows_edits_and_conflicts_as_they_were(ann: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (ann.first_name, ann.conflicts(), ann.edits())
    ann.at_source("Anja")

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("openfaith_pipeline.transform.conflicts.count_waiting", crash)
        ann.transform()
    ann.connection.rollback()
    assert (ann.first_name, ann.conflicts(), ann.edits()) == before
    ann.transform()
    assert ann.conflicts() == [("Ann", "Annie", "Anja", None)]


def test_an_edit_in_the_midst_of_a_transform_is_not_lost(
    database: Database, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a field nor a custom field of another source."""
    find, own = upsert._find_changes, '[{"_tag": "string", "name": "shirt", "source": "openfaith", "value": "M"}]'
    beth = Person(ann.connection, record_id="2")
    beth.at_source("Beth")

    def edit_between(workspace: Any, entity: Any, changed: Any) -> None:
        find(workspace, entity, changed)
        if entity.table == "people":
            monkeypatch.setattr(upsert, "_find_changes", find)
            with database.connect(autocommit=True) as person:
                person.execute(EDIT, (own, beth.entity_id))

    monkeypatch.setattr(upsert, "_find_changes", edit_between)
    beth.transform()
    assert beth.first_name == "Betty"
    assert beth.conflicts()[1:] == [("Ann", "Betty", "Beth", None)]
    [(items,)] = ann.connection.execute(
        'SELECT "customFields" FROM openfaith_people WHERE id = %s', (beth.entity_id,)
    ).fetchall()
    assert [item["name"] for item in items if item["source"] == "openfaith"] == ["shirt"]


def test_a_conflict_of_a_moment_is_decided_as_a_moment(database: Database, ann: Person) -> None:
    """Values of other types than text go through JSON and back."""
    edit: psycopg.sql.SQL = psycopg.sql.SQL('UPDATE openfaith_people SET "inactivatedAt" = %s')
    ann.connection.execute("SET timezone = 'Asia/Tokyo'")
    ann.connection.execute(edit, ("2026-02-03T04:05:06.789Z",))
    ann.connection.execute("UPDATE pco_people.people SET inactivated_at = '2026-03-03T04:05:06Z'")
    ann.connection.execute("SET timezone = 'UTC'")
    ann.transform()
    decide(database, ann, Decision.APPROVE, number=1)
    [(inactivated_at,)] = ann.connection.execute('SELECT "inactivatedAt" FROM openfaith_people').fetchall()
    assert inactivated_at.isoformat() == "2026-03-03T04:05:06+00:00"
