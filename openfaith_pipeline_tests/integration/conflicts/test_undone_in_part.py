"""A value and its edit stay together when a sync is undone although somebody has changed its rows since."""

from collections.abc import Iterator
from itertools import pairwise

import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.load.sync_log import SyncStart, begin_sync, finish_sync
from openfaith_pipeline.review.conflict_policies import Policy
from openfaith_pipeline.review.conflicts import Decision
from openfaith_pipeline.sync.conflict_decision import decide_conflicts
from openfaith_pipeline.sync.rollback import OnConflict
from openfaith_pipeline_tests.integration.conflicts.things import PAST, Person, choose, transform_as, undo

EMPTY = "UPDATE pco_people.people SET first_name = NULL"
TOUCH = 'UPDATE openfaith_people SET "updatedAt" = now()'
DELETE = 'UPDATE openfaith_people SET "deletedAt" = now(), "deletedBy" = \'user_1\''


@pytest.fixture
def ann(database: Database) -> Iterator[Person]:
    with database.connect() as connection:
        yield Person(connection)


def execute(ann: Person, statement: str) -> None:
    ann.connection.execute(statement.encode())
    ann.connection.commit()


def test_the_edit_of_a_field_that_was_empty_is_noted_again(database: Database, ann: Person) -> None:
    execute(ann, EMPTY)
    ann.transform()
    ann.here("Annie")
    ann.at_source("Anna")
    transform_as(ann, "overwriting")
    assert (ann.first_name, ann.edits()) == ("Anna", [])
    undo(database, "overwriting")
    [edit] = ann.edits()
    assert (ann.first_name, edit["base"]) == ("Annie", None)


def test_a_conflict_with_an_empty_value_waits_again(database: Database, ann: Person) -> None:
    choose(ann.connection, Policy.ASK)
    ann.here("Annie")
    execute(ann, EMPTY)
    ann.transform()
    ann.at_source("Anna")
    transform_as(ann, "restating")
    undo(database, "restating")
    assert ann.conflicts() == [("Ann", "Annie", None, None)]


def reject(database: Database, ann: Person) -> str:
    """Returns the decision's sync."""
    [(conflict,)] = ann.conflicts("id")
    return decide_conflicts(database, [conflict], Decision.REJECT, "an operator").sync_id


def reject_before_a_newer_one(database: Database, ann: Person) -> str:
    """Reject a conflict, and have another of the same field found; returns the decision's sync."""
    choose(ann.connection, Policy.ASK)
    ann.here("Annie")
    ann.at_source("Anna")
    ann.transform()
    decision = reject(database, ann)
    ann.at_source("Hannah")
    ann.transform()
    return decision


@pytest.mark.parametrize("on_conflict", OnConflict)
def test_of_two_conflicts_of_a_field_the_one_with_the_newer_value_waits(
    database: Database, ann: Person, on_conflict: OnConflict
) -> None:
    decision = reject_before_a_newer_one(database, ann)
    undo(database, decision, on_conflict=on_conflict, rollback_id="undoing")
    assert ann.conflicts() == [("Ann", "Annie", "Anna", "settled"), ("Anna", "Annie", "Hannah", None)]
    undo(database, "undoing")
    assert ann.conflicts() == [("Ann", "Annie", "Anna", "rejected"), ("Anna", "Annie", "Hannah", None)]


def test_the_newer_one_has_the_base_of_before_the_rejection_that_was_undone(database: Database, ann: Person) -> None:
    decision = reject_before_a_newer_one(database, ann)
    undo(database, decision, rollback_id="undoing")
    ann.transform()
    assert ann.conflicts() == [("Ann", "Annie", "Anna", "settled"), ("Ann", "Annie", "Hannah", None)]
    undo(database, "undoing")
    ann.transform()
    assert ann.conflicts() == [("Ann", "Annie", "Anna", "rejected"), ("Anna", "Annie", "Hannah", None)]


def test_a_conflict_waits_again_in_place_of_the_one_found_by_the_same_sync(database: Database, ann: Person) -> None:
    choose(ann.connection, Policy.ASK)
    ann.here("Annie")
    ann.at_source("Anna")
    ann.transform()
    begin_sync(ann.connection, SyncStart("both", None, "incremental", "test", {"org": ann.org_id}))
    choose(ann.connection, Policy.LOCAL)
    ann.transform("both", is_full=True)
    choose(ann.connection, Policy.ASK)
    ann.transform("both", is_full=True)
    finish_sync(ann.connection, "both")
    ann.connection.commit()
    assert [decision for (decision,) in ann.conflicts("decision")] == ["settled", None]
    undo(database, "both", rollback_id="undoing")
    assert ann.conflicts() == [("Ann", "Annie", "Anna", None)]
    undo(database, "undoing")
    assert [decision for (decision,) in ann.conflicts("decision")] == ["settled", None]


def test_a_decision_that_is_undone_once_more_counts_as_undone(database: Database, ann: Person) -> None:
    choose(ann.connection, Policy.ASK)
    ann.here("Annie")
    ann.at_source("Anna")
    ann.transform()
    decision = reject(database, ann)
    for undone, rollback in pairwise((decision, "undone", "redone", "undone again")):
        undo(database, undone, rollback_id=rollback)
    assert ann.conflicts() == [("Ann", "Annie", "Anna", None)]
    with pytest.raises(UsageError, match="already rolled back"):
        undo(database, decision)
    undo(database, "undone again")
    assert ann.conflicts() == [("Ann", "Annie", "Anna", "rejected")]
    undo(database, decision)
    assert ann.conflicts() == [("Ann", "Annie", "Anna", None)]


def test_a_conflict_that_waits_again_is_judged_by_the_next_sync(database: Database, ann: Person) -> None:
    choose(ann.connection, Policy.ASK)
    ann.here("Annie")
    ann.at_source("Anna")
    ann.transform()
    choose(ann.connection, Policy.LOCAL)
    transform_as(ann, "settling")
    undo(database, "settling")
    assert ann.conflicts("decision") == [(None,)]
    ann.transform("next")
    assert ann.conflicts("decision, decided_by") == [("settled", "next")]


def test_an_edit_since_is_forgotten_where_it_is_overwritten(database: Database, ann: Person) -> None:
    choose(ann.connection, Policy.LOCAL)
    ann.at_source("Anna")
    transform_as(ann, "second")
    ann.here("Annie")
    undo(database, "second", on_conflict=OnConflict.OVERWRITE, rollback_id="undoing")
    assert (ann.first_name, ann.edits()) == ("Ann", [])
    undo(database, "undoing")
    assert (ann.first_name, [edit["base"] for edit in ann.edits()]) == ("Annie", ["Anna"])
    undo(database, "second", on_conflict=OnConflict.OVERWRITE)
    ann.transform()  # the source still has it
    assert (ann.first_name, ann.edits()) == ("Anna", [])


@pytest.mark.parametrize("on_conflict", [OnConflict.KEEP, OnConflict.OVERWRITE])
def test_an_edit_since_to_the_very_value_that_is_undone_is_forgotten(
    database: Database, ann: Person, on_conflict: OnConflict
) -> None:
    ann.at_source("Anna")
    transform_as(ann, "second")
    ann.at_source("Anja")
    transform_as(ann, "third")
    ann.here("Anna")
    undo(database, "second", on_conflict=on_conflict)
    assert (ann.first_name, ann.edits()) == ("Ann", [])


def test_an_edit_that_the_sync_overwrote_is_not_noted_for_a_row_that_is_kept(database: Database, ann: Person) -> None:
    ann.here("Annie")
    ann.at_source("Anna")
    transform_as(ann, "overwriting")
    execute(ann, TOUCH)
    undo(database, "overwriting", on_conflict=OnConflict.KEEP)
    assert (ann.first_name, ann.edits()) == ("Anna", [])


def test_an_edit_that_was_taken_back_since_stays_so(database: Database, ann: Person) -> None:
    choose(ann.connection, Policy.NEWEST)
    ann.at_source("Anna", PAST)
    ann.here("Annie")
    transform_as(ann, "comparing")
    ann.here("Anna")
    assert ann.edits() == []
    undo(database, "comparing", on_conflict=OnConflict.OVERWRITE)
    assert (ann.first_name, ann.edits()) == ("Anna", [])


def test_a_row_that_was_removed_since_is_made_anew_by_the_next_sync(database: Database, ann: Person) -> None:
    ann.at_source("Anna")
    transform_as(ann, "second")
    execute(ann, "DELETE FROM openfaith_people")
    assert undo(database, "second", on_conflict=OnConflict.OVERWRITE).kept == 1
    ann.transform()
    assert ann.first_name == "Anna"


def test_a_row_that_was_removed_stays_so_after_the_sync_that_made_it_anew_is_undone(
    database: Database, ann: Person
) -> None:
    ann.at_source("Anna")
    transform_as(ann, "second")
    execute(ann, "DELETE FROM openfaith_people")
    transform_as(ann, "third")
    undo(database, "third")
    assert undo(database, "second", on_conflict=OnConflict.OVERWRITE).kept == 1
    assert ann.connection.execute("SELECT FROM openfaith_people").fetchall() == []


def test_a_later_change_of_a_row_that_was_made_anew_is_overwritten(database: Database, ann: Person) -> None:
    execute(ann, "UPDATE pco_people.people SET last_name = 'Low'")
    transform_as(ann, "second")
    execute(ann, "DELETE FROM openfaith_people")
    transform_as(ann, "third")
    ann.at_source("Anna")
    transform_as(ann, "fourth")
    undo(database, "second", on_conflict=OnConflict.OVERWRITE)
    assert ann.first_name == "Ann"


def test_a_row_that_somebody_deleted_raises_no_conflict_again_and_again(ann: Person) -> None:
    choose(ann.connection, Policy.ASK)
    ann.here("Annie")
    ann.at_source("Anna")
    ann.transform()
    execute(ann, DELETE)
    for _ in range(2):
        ann.transform(is_full=True)
    assert ann.conflicts() == [("Ann", "Annie", "Anna", "settled")]


DELETED_AT_SOURCE = "UPDATE pco_people.people SET _deleted_at = '2026-0{}-01T00:00:00Z'"
RESTORE = 'UPDATE openfaith_people SET "deletedAt" = NULL, "deletedBy" = NULL'


def deletion(ann: Person) -> tuple[str | None, str | None]:
    """The month of the row's deletion, and who deleted it."""
    statement = """SELECT to_char("deletedAt", 'FMMM'), "deletedBy" FROM openfaith_people"""
    [(month, who)] = ann.connection.execute(statement).fetchall()
    ann.connection.commit()
    return month, who


@pytest.mark.parametrize("act", [DELETE, RESTORE])
def test_a_deletion_is_undone_with_who_deleted_it(database: Database, ann: Person, act: str) -> None:
    """Also where the syncs that are undone changed the moment alone."""
    for month, sync_id in enumerate(("first", "second", "third"), start=1):
        execute(ann, DELETED_AT_SOURCE.format(month))
        transform_as(ann, sync_id)
    undo(database, "second", on_conflict=OnConflict.OVERWRITE, rollback_id="undoing")
    assert deletion(ann) == ("1", "pco")
    execute(ann, act)
    by_hand = deletion(ann)
    undo(database, "undoing", on_conflict=OnConflict.OVERWRITE, rollback_id="again")
    assert deletion(ann) == ("3", "pco")
    undo(database, "again")
    assert deletion(ann) == by_hand
    undo(database, "third", on_conflict=OnConflict.OVERWRITE)
    assert deletion(ann) == ("2", "pco")
