"""A value and its edit stay together when a sync is undone although somebody has changed its rows since."""

from collections.abc import Iterator

import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.review.conflict_policies import Policy
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


def test_a_row_that_somebody_deleted_raises_no_conflict_again_and_again(ann: Person) -> None:
    choose(ann.connection, Policy.ASK)
    ann.here("Annie")
    ann.at_source("Anna")
    ann.transform()
    execute(ann, DELETE)
    for _ in range(2):
        ann.transform(is_full=True)
    assert ann.conflicts() == [("Ann", "Annie", "Anna", "settled")]
