"""Which value stays: over all policies, whichever side changed the field, and in both orders."""

from collections.abc import Iterator

import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.review.conflict_policies import ANY, Policy, reset_policy
from openfaith_pipeline_tests.integration.conflicts.things import FUTURE, ORG, OTHER, PAST, USER, Person, choose

SOURCE_FIRST, LOCAL_FIRST = "source first", "local first"


@pytest.fixture
def ann(database: Database) -> Iterator[Person]:
    with database.connect() as connection:
        yield Person(connection)


def both_change(ann: Person, order: str, at: str = FUTURE) -> None:
    if order == SOURCE_FIRST:
        ann.at_source("Anna", at)
        ann.here("Annie")
    else:
        ann.here("Annie")
        ann.at_source("Anna", at)


@pytest.mark.parametrize("order", [SOURCE_FIRST, LOCAL_FIRST])
@pytest.mark.parametrize(
    ("policy", "at", "stays", "asks"),
    [
        (None, FUTURE, "Anna", False),
        (Policy.SOURCE, FUTURE, "Anna", False),
        (Policy.LOCAL, FUTURE, "Annie", False),
        (Policy.NEWEST, FUTURE, "Anna", False),
        (Policy.NEWEST, PAST, "Annie", False),
        (Policy.ASK, FUTURE, "Annie", True),
        (Policy.ASK, PAST, "Annie", True),
    ],
)
def test_both_changed(ann: Person, policy: Policy | None, at: str, stays: str, asks: bool, order: str) -> None:
    if policy:
        choose(ann.connection, policy)
    both_change(ann, order, at)
    ann.transform(is_full=order == SOURCE_FIRST)
    assert ann.first_name == stays
    assert ann.conflicts() == ([("Ann", "Annie", "Anna", None)] if asks else [])
    assert bool(ann.edits()) == (stays == "Annie")
    assert [ann.transform(), ann.transform(is_full=order == LOCAL_FIRST)] == [0, 0], "written again without a change"
    assert ann.first_name == stays


@pytest.mark.parametrize("policy", [*Policy])
def test_one_side_changed(ann: Person, policy: Policy) -> None:
    choose(ann.connection, policy)
    ann.at_source("Anna", PAST)
    ann.transform()
    assert (ann.first_name, ann.edits()) == ("Anna", [])
    ann.here("Annie")
    ann.transform()
    assert ann.first_name == ("Anna" if policy is Policy.SOURCE else "Annie")
    assert ann.conflicts() == []
    assert ann.transform() == 0


def test_an_edit_is_noted_with_the_synced_value_and_who_and_taken_back_with_it(ann: Person) -> None:
    ann.here("Annie")
    ann.here("Anne")
    [edit] = ann.edits()
    assert (edit["field"], edit["base"], edit["edited_by"]) == ("firstName", "Ann", USER)
    ann.here("Ann")
    assert ann.edits() == []


def test_rows_of_no_record_and_columns_that_no_sync_writes_are_not_noted(ann: Person) -> None:
    insert = 'INSERT INTO openfaith_people (id, "orgId", "firstName", "createdAt") VALUES (%s, %s, %s, now())'
    ann.connection.execute(insert, ("person_own", ORG, "Bo"))
    ann.connection.execute("UPDATE openfaith_people SET \"firstName\" = 'Bob' WHERE id = 'person_own'")
    ann.connection.execute("UPDATE openfaith_people SET tags = '[\"x\"]'")
    assert ann.edits() == []


def test_the_newer_edit_yields_to_the_next_change_of_that_field_alone(ann: Person) -> None:
    choose(ann.connection, Policy.NEWEST)
    ann.at_source("Anna", PAST)
    ann.here("Annie")
    ann.transform()
    ann.at_source("Anna", FUTURE)  # another field of the record was changed
    ann.transform()
    assert ann.first_name == "Annie"
    ann.at_source("Anja", FUTURE)
    ann.transform()
    assert (ann.first_name, ann.edits()) == ("Anja", [])


@pytest.mark.parametrize(("read_at", "stays"), [(FUTURE, "Anna"), (PAST, "Annie")])
def test_a_record_without_a_time_is_compared_by_when_it_was_read(ann: Person, read_at: str, stays: str) -> None:
    choose(ann.connection, Policy.NEWEST)
    ann.here("Annie")
    ann.connection.execute(
        "UPDATE pco_people.people SET first_name = 'Anna', updated_at = NULL, _synced_at = %s", (read_at,)
    )
    ann.transform()
    assert ann.first_name == stays


def test_the_same_change_on_both_sides_is_no_conflict(ann: Person) -> None:
    choose(ann.connection, Policy.ASK)
    ann.here("Anna")
    ann.at_source("Anna")
    ann.transform()
    assert (ann.first_name, ann.conflicts(), ann.edits()) == ("Anna", [], [])


def test_the_most_specific_policy_applies(ann: Person) -> None:
    choose(ann.connection, Policy.SOURCE, org_id=ANY)
    choose(ann.connection, Policy.SOURCE)
    choose(ann.connection, Policy.ASK, entity="people")
    choose(ann.connection, Policy.LOCAL, entity="people", field="firstName")
    choose(ann.connection, Policy.SOURCE, org_id=OTHER, entity="people", field="firstName")
    ann.here("Annie")
    ann.at_source("Anna")
    ann.transform()
    assert (ann.first_name, ann.conflicts()) == ("Annie", [])
    reset_policy(ann.connection, ORG, "people", "firstName")
    ann.transform()
    assert (ann.first_name, ann.conflicts()) == ("Annie", [("Ann", "Annie", "Anna", None)])
    reset_policy(ann.connection, ORG, "people", ANY)
    ann.transform()
    assert (ann.first_name, ann.conflicts()) == ("Anna", [("Ann", "Annie", "Anna", "settled")])


def test_two_orgs_with_the_same_ids_never_mix(ann: Person) -> None:
    other = Person(ann.connection, OTHER)
    choose(ann.connection, Policy.ASK)
    choose(ann.connection, Policy.LOCAL, org_id=OTHER)
    both_change(ann, LOCAL_FIRST)
    other.here("Bea")
    other.at_source("Beate")
    ann.transform()
    assert (ann.first_name, ann.conflicts()) == ("Annie", [("Ann", "Annie", "Anna", None)])
    assert (other.first_name, other.conflicts()) == ("Bea", [])
    other.transform()
    assert (other.first_name, other.conflicts(), len(other.edits()), len(ann.edits())) == ("Bea", [], 1, 1)
    choose(ann.connection, Policy.SOURCE)
    ann.transform()
    assert (ann.first_name, ann.edits(), other.first_name, len(other.edits())) == ("Anna", [], "Bea", 1)


def test_custom_fields_of_others_and_of_ours_are_as_ever(ann: Person) -> None:
    own = '[{"_tag": "string", "name": "shirt", "source": "openfaith", "value": "M"}]'
    ann.connection.execute('UPDATE openfaith_people SET "customFields" = %s || "customFields"', (own,))
    choose(ann.connection, Policy.ASK)
    both_change(ann, LOCAL_FIRST)
    ann.connection.execute("UPDATE pco_people.people SET nickname = 'Nan'")
    ann.transform()
    [(items,)] = ann.connection.execute('SELECT "customFields" FROM openfaith_people').fetchall()
    assert {"_tag": "string", "name": "shirt", "source": "openfaith", "value": "M"} in items
    assert {"_tag": "string", "name": "pco_nickname", "source": "pco", "value": "Nan"} in items
    assert ann.first_name == "Annie"
