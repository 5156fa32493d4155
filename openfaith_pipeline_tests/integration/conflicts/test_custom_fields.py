"""A custom field of the source is judged, decided and undone as a column is; those of others are never touched."""

from collections.abc import Iterator
from typing import Any, Final

import pytest
from psycopg import Connection
from psycopg.types.json import Jsonb

from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.review.conflict_policies import ANY, Policy, named_field, reset_policy
from openfaith_pipeline.review.conflicts import Decision, list_conflicts
from openfaith_pipeline.review.items import list_items
from openfaith_pipeline.sync.conflict_decision import Decided, decide_conflicts
from openfaith_pipeline.sync.rollback import OnConflict
from openfaith_pipeline.transform import upsert
from openfaith_pipeline_tests.integration.conflicts.things import (
    FUTURE,
    ORG,
    PAST,
    USER,
    Person,
    choose,
    transform_as,
    undo,
)
from openfaith_pipeline_tests.integration.raw_rows import put_row

NICKNAME, ADDRESS = "pco_nickname", "customFields.pco_nickname"
OWN = {"_tag": "string", "name": "shirt", "source": "openfaith", "value": "M"}
NAMESAKE = {"_tag": "string", "name": NICKNAME, "source": "openfaith", "value": "never touched"}


class Custom(Person):
    """A person with two custom fields of the source, between two of OpenFaith's own."""

    def nickname_at_source(self, nickname: str | None, at: str = FUTURE) -> None:
        self.connection.execute(
            "UPDATE pco_people.people SET nickname = %s, updated_at = %s WHERE org_id = %s AND id = %s",
            (nickname, at, self.org_id, self.record_id),
        )
        self.connection.commit()

    def nickname_here(self, nickname: str | None, name: str = NICKNAME) -> None:
        """As OpenFaith writes the whole list; None removes the item."""
        kept = [item for item in self.items() if (item["source"], item["name"]) != ("pco", name)]
        new = {"_tag": "string", "name": name, "source": "pco", "value": nickname}
        self.put([*kept, new] if nickname else kept)

    def put(self, items: list[Any]) -> None:
        self.connection.execute(
            'UPDATE openfaith_people SET "customFields" = %s, "updatedBy" = %s WHERE id = %s',
            (Jsonb(items), USER, self.entity_id),
        )
        self.connection.commit()

    def items(self) -> list[dict[str, Any]]:
        [(items,)] = self.connection.execute(
            'SELECT "customFields" FROM openfaith_people WHERE id = %s', (self.entity_id,)
        ).fetchall()
        return list(items)

    def nickname(self, name: str = NICKNAME) -> Any:
        values = [item["value"] for item in self.items() if (item["source"], item["name"]) == ("pco", name)]
        assert len(values) <= 1
        return values[0] if values else None

    def waiting(self, entity_id: str | None = None) -> list[tuple[Any, ...]]:
        """Of the church, or of one of its people."""
        found = list_conflicts(self.connection, self.org_id, with_decided=True)
        self.connection.commit()
        return [
            (each.field, each.base, each.local, each.source, each.decision)
            for each in found
            if entity_id in (None, each.entity_id)
        ]


def put_customs(connection: Connection[Any], *record_ids: str) -> list[Custom]:
    people = [Custom(connection, record_id=each) for each in record_ids]
    connection.execute("UPDATE pco_people.people SET nickname = 'Nan', grade = 4")
    people[0].transform()
    for each in people:
        each.put([OWN, *each.items(), NAMESAKE])
    people[0].transform()
    for each in people:
        assert others_items(each) == [OWN, NAMESAKE]
    return people


def others_items(person: Custom) -> list[dict[str, Any]]:
    return [item for item in person.items() if item["source"] != "pco"]


@pytest.fixture
def ann(database: Database) -> Iterator[Custom]:
    with database.connect() as connection:
        [ann] = put_customs(connection, "1")
        yield ann


def decide(database: Database, ann: Custom, decision: Decision) -> Decided:
    ids = [each.id for each in list_conflicts(ann.connection, ann.org_id)]
    ann.connection.commit()
    return decide_conflicts(database, ids, decision, "an operator")


BOTH: Final = {
    "1": ("Anna", "Annie"),
    "2": ("Anna", None),
    "3": (None, "Annie"),
    "4": (None, None),
}
"""People by id, whose nickname was changed there, and here."""


@pytest.mark.parametrize("is_source_first", [True, False])
@pytest.mark.parametrize(
    ("policy", "at", "is_kept"),
    [
        (None, FUTURE, False),
        (Policy.LOCAL, FUTURE, True),
        (Policy.NEWEST, FUTURE, False),
        (Policy.NEWEST, PAST, True),
        (Policy.ASK, FUTURE, True),
    ],
)
def test_both_changed(database: Database, policy: Policy | None, at: str, is_kept: bool, is_source_first: bool) -> None:
    with database.connect() as connection:
        people = put_customs(connection, *BOTH)
        if policy:
            choose(connection, policy)
        for person in people:
            there, here = BOTH[person.record_id]
            if is_source_first:
                person.nickname_at_source(there, at)
            person.nickname_here(here)
            if not is_source_first:
                person.nickname_at_source(there, at)
        transform = people[0].transform
        transform(is_full=is_source_first)
        told = {each.record_id: (each.nickname(), *notes_of(each)) for each in people}
        assert [transform(), transform(is_full=True)] == [0, 0], "written again without a change"
        for person in people:
            assert others_items(person) == [OWN, NAMESAKE]
            assert person.nickname("pco_grade") == 4
    expected: dict[str, Any] = {}
    for record_id, (there, here) in BOTH.items():
        asks = [(ADDRESS, "Nan", here, there, None)] if policy is Policy.ASK and here != there else []
        edits = [ADDRESS] if is_kept and here != there else []
        expected[record_id] = here if is_kept else there, asks, edits
    assert told == expected


def notes_of(person: Custom) -> tuple[list[tuple[Any, ...]], list[str]]:
    """What waits of this person, and the fields that were edited."""
    edited = [edit["field"] for edit in person.edits() if edit["entity_id"] == person.entity_id]
    return person.waiting(person.entity_id), edited


@pytest.mark.parametrize("policy", [*Policy])
def test_a_field_that_the_source_has_no_value_for(ann: Custom, policy: Policy) -> None:
    choose(ann.connection, policy, field=ADDRESS)
    ann.nickname_here("Smith", "pco_given_name")
    ann.nickname_here("odd", "without_our_prefix")
    ann.transform()
    assert ann.nickname("pco_given_name") is None
    choose(ann.connection, policy)
    ann.nickname_here("Smith", "pco_given_name")
    ann.transform()
    assert ann.nickname("pco_given_name") == ("Smith" if policy is not Policy.SOURCE else None)
    assert ann.nickname("without_our_prefix") is None
    assert ann.transform(is_full=True) == 0


def test_an_edit_is_noted_for_the_item_alone_and_taken_back_with_it(ann: Custom) -> None:
    ann.nickname_here("Annie")
    ann.nickname_here("Anne")
    [edit] = ann.edits()
    assert (edit["field"], edit["base"]["value"], edit["edited_by"]) == (ADDRESS, "Nan", USER)
    ann.put([*ann.items(), {**OWN, "name": "shoe"}])
    assert ann.edits() == [edit]
    ann.put([item if item["name"] != NICKNAME or item["source"] != "pco" else edit["base"] for item in ann.items()])
    assert ann.edits() == []


@pytest.mark.parametrize("source", [5, True, {"a": "source"}, None])
def test_an_item_of_an_odd_source_stays(ann: Custom, source: Any) -> None:
    odd = {**OWN, "source": source}
    ann.put([odd, *ann.items()])
    ann.nickname_at_source("Anna")
    ann.transform()
    assert (odd in ann.items(), ann.nickname()) == (True, "Anna")


@pytest.mark.parametrize("items", [[1, "text", None, [OWN]], {"an": "object"}, "text"])
def test_a_list_that_is_none_or_has_no_items_stands_in_nobodys_way(ann: Custom, items: Any) -> None:
    choose(ann.connection, Policy.LOCAL)
    ann.put(items)
    assert {edit["field"] for edit in ann.edits()} >= {ADDRESS}
    ann.nickname_at_source("Anna")
    ann.transform()
    assert NICKNAME not in str(ann.items())
    assert ann.transform(is_full=True) == 0


def test_the_most_specific_policy_applies(ann: Custom) -> None:
    choose(ann.connection, Policy.SOURCE)
    choose(ann.connection, Policy.ASK, field="customFields")
    choose(ann.connection, Policy.LOCAL, field=named_field(ANY, NICKNAME))
    for name in (NICKNAME, "pco_grade"):
        ann.nickname_here("Annie", name)
    ann.here("Anna")
    ann.connection.execute("UPDATE pco_people.people SET nickname = 'Nancy', grade = 5, first_name = 'Anja'")
    ann.transform()
    assert (ann.first_name, ann.nickname()) == ("Anja", "Annie")
    assert ann.waiting() == [("customFields.pco_grade", 4, "Annie", 5, None)]
    reset_policy(ann.connection, ORG, ANY, ADDRESS)
    ann.transform()
    assert [field for field, *_ in ann.waiting()] == ["customFields.pco_grade", ADDRESS]
    reset_policy(ann.connection, ORG, ANY, "customFields")
    ann.transform()
    assert (ann.nickname(), ann.nickname("pco_grade"), ann.edits()) == ("Nancy", 5, [])


def test_names_of_custom_fields() -> None:
    assert {
        named_field(table, f"{prefix}{NICKNAME}") for table in ("people", ANY) for prefix in ("", "customFields.")
    } == {ADDRESS}
    assert named_field("people", "custom_fields") == "customFields"
    with pytest.raises(UsageError, match="nickname"):
        named_field("people", "openfaith_nickname")


@pytest.fixture
def asked(ann: Custom) -> Custom:
    """Two fields of one row wait, one of which was removed here."""
    choose(ann.connection, Policy.ASK)
    ann.nickname_here("Annie")
    ann.nickname_here(None, "pco_grade")
    ann.connection.execute("UPDATE pco_people.people SET nickname = 'Anna', grade = 5")
    transform_as(ann, "found")
    return ann


def test_it_is_shown_with_its_values(asked: Custom) -> None:
    [nickname, grade] = sorted(list_items(asked.connection, ORG), key=lambda item: item.about, reverse=True)
    assert nickname.about == f"custom field pco_nickname of people {asked.entity_id}"
    assert [nickname.details[name] for name in ("base", "local", "source")] == ["Nan", "Annie", "Anna"]
    assert [grade.details[name] for name in ("base", "local", "source")] == [4, None, 5]


def test_approved_the_sources_items_are_taken(database: Database, asked: Custom) -> None:
    decide(database, asked, Decision.APPROVE)
    assert (asked.nickname(), asked.nickname("pco_grade"), asked.edits()) == ("Anna", 5, [])
    assert others_items(asked) == [OWN, NAMESAKE]
    assert {item["_tag"] for item in asked.items() if item["name"] == "pco_grade"} == {"number"}
    asked.transform(is_full=True)
    assert [asked.transform(), asked.transform(is_full=True)] == [0, 0]


def test_rejected_they_stay_until_the_source_has_new_ones(database: Database, asked: Custom) -> None:
    decide(database, asked, Decision.REJECT)
    assert (asked.nickname(), asked.nickname("pco_grade"), asked.transform(is_full=True)) == ("Annie", None, 0)
    asked.nickname_at_source("Anja")
    asked.transform()
    assert asked.waiting()[2:] == [(ADDRESS, "Anna", "Annie", "Anja", None)]


def test_a_value_that_was_changed_since_it_was_shown_is_not_replaced(database: Database, asked: Custom) -> None:
    asked.put([*asked.items(), {**OWN, "name": "shoe"}])
    asked.nickname_here("Anne")
    with pytest.raises(UsageError, match="changed in OpenFaith since"):
        decide(database, asked, Decision.APPROVE)
    assert asked.nickname() == "Anne"


@pytest.mark.parametrize("decision", [*Decision])
def test_a_decision_is_undone_and_done_again(database: Database, asked: Custom, decision: Decision) -> None:
    before = (asked.items(), asked.waiting(), asked.edits())
    sync_id = decide(database, asked, decision).sync_id
    after = (asked.items(), asked.waiting(), asked.edits())
    undo(database, sync_id, rollback_id="undoing")
    assert (asked.items(), asked.waiting(), asked.edits()) == before
    asked.transform()
    assert (asked.items(), asked.waiting(), asked.edits()) == before
    undo(database, "undoing")
    assert (asked.items(), asked.waiting(), asked.edits()) == after


def test_an_edit_since_is_forgotten_where_its_value_is_overwritten(database: Database, ann: Custom) -> None:
    choose(ann.connection, Policy.LOCAL)
    ann.nickname_here("5", "pco_grade")
    ann.nickname_at_source("Anna")
    transform_as(ann, "second")
    ann.nickname_here("Annie")
    undo(database, "second", on_conflict=OnConflict.OVERWRITE)
    assert (ann.nickname(), ann.nickname("pco_grade")) == ("Nan", "5")
    assert [edit["field"] for edit in ann.edits()] == ["customFields.pco_grade"]


def test_an_edit_that_the_sync_overwrote_is_not_noted_for_a_row_that_is_kept(database: Database, ann: Custom) -> None:
    ann.nickname_here("Annie")
    ann.nickname_at_source("Anna")
    transform_as(ann, "overwriting")
    ann.put([*ann.items(), {**OWN, "name": "shoe"}])
    undo(database, "overwriting", on_conflict=OnConflict.KEEP)
    assert (ann.nickname(), ann.edits()) == ("Anna", [])


@pytest.mark.parametrize("before", ["judge", "_find_changes"])
def test_an_edit_in_the_midst_of_a_transform_is_kept(
    database: Database, ann: Custom, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    choose(ann.connection, Policy.LOCAL)
    ann.nickname_here("Annie")
    ann.nickname_at_source("Anna")
    step = getattr(upsert, before)

    def edit_before(workspace: Any, entity: Any, *arguments: Any) -> None:
        if entity.table == "people":
            monkeypatch.setattr(upsert, before, step)
            with database.connect() as connection:
                person = Custom.__new__(Custom)
                person.connection, person.org_id, person.record_id = connection, ORG, "1"
                person.nickname_here("Anne")
        step(workspace, entity, *arguments)

    monkeypatch.setattr(upsert, before, edit_before)
    ann.transform()
    assert (ann.nickname(), len(ann.edits())) == ("Anne", 1)


@pytest.mark.parametrize(("at", "stays"), [(FUTURE, "2011-01-02"), (PAST, "2012-01-02")])
def test_an_answer_is_compared_by_its_own_time(ann: Custom, at: str, stays: str) -> None:
    """A church's own field is an answer, which is a record of its own."""
    name = "pco_baptized_on"
    put_row(ann.connection, "people.field_definitions", ORG, "7", slug="baptized_on", name="Baptized", data_type="date")
    answer = {"customizable_id": "1", "customizable_type": "Person", "field_definition_id": "7"}
    put_row(ann.connection, "people.field_data", ORG, "70", value="2010-01-02", updated_at=PAST, **answer)
    ann.transform()
    choose(ann.connection, Policy.NEWEST, field="customFields")
    ann.put([{**item, "value": "2012-01-02"} if item["name"] == name else item for item in ann.items()])
    ann.connection.execute("UPDATE pco_people.field_data SET value = '2011-01-02', updated_at = %s", (at,))
    ann.transform()
    assert [(item["_tag"], item["value"]) for item in ann.items() if item["name"] == name] == [("date", stays)]
    assert ann.waiting() == []
