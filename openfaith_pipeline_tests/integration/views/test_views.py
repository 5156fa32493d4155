"""The views agree with the source, and the queries of docs/questions.md return the right answers."""

from collections import Counter
from datetime import date
from typing import Any, LiteralString, cast

import pytest
from psycopg.rows import dict_row

from openfaith_pipeline.cli.demo_questions import print_answers
from openfaith_pipeline.orgs.registry import get_org
from openfaith_pipeline.planning_center.views import questions
from openfaith_pipeline.sources import QUESTIONS, VIEWS
from openfaith_pipeline.sync.rollback import RollbackOrder, roll_back
from openfaith_pipeline_tests.integration.views.conftest import IN_GROUPS, LISTED, Synced
from openfaith_pipeline_tests.integration.views.truth import Truth, named, related


def select(synced: Synced, query: str, org_id: str | None = None) -> list[dict[str, Any]]:
    with synced.database.connect() as connection:
        cursor = connection.cursor(row_factory=dict_row)
        text = cast(LiteralString, query.format(schema="openfaith"))
        return cursor.execute(text, {"org_id": org_id or synced.orgs[0]}).fetchall()


@pytest.fixture(params=[0, 1], ids=["first church", "second church"])
def org(synced: Synced, request: pytest.FixtureRequest) -> str:
    return synced.orgs[int(request.param)]


def test_giving_is_that_of_the_source(synced: Synced, org: str) -> None:
    truth = Truth(synced.simulator, org)

    rows = select(synced, "SELECT * FROM {schema}.giving_by_fund_month WHERE org_id = %(org_id)s", org)
    assert {
        (row["fund"], row["month_begins_on"]): (row["amount_cents"], row["refunded_cents"], row["pending_cents"])
        for row in rows
    } == truth.giving_by_fund()
    assert all(row["net"] * 100 == row["amount_cents"] - row["refunded_cents"] for row in rows)

    rows = select(synced, "SELECT * FROM {schema}.giving_by_person_year WHERE org_id = %(org_id)s", org)
    assert {(row["person_id"], row["year"]): row["net"] for row in rows} == truth.giving_by_person()
    received = {(row["person_id"], row["year"]): row["last_received_at_local"] for row in rows}
    assert {key: at for key, at in received.items() if at} == truth.last_received()
    names = truth.names()
    assert all(row["person"] == names[row["person_id"]] for row in rows if row["person_id"])


def test_attendance_is_that_of_the_source(synced: Synced, org: str) -> None:
    rows = select(synced, "SELECT * FROM {schema}.attendance_by_event_week WHERE org_id = %(org_id)s", org)

    counted = {(row["event"], row["week_begins_on"]): (row["check_ins"], row["headcount"]) for row in rows}
    assert counted == Truth(synced.simulator, org).attendance()
    assert all(row["regulars"] + row["guests"] + row["volunteers"] == row["check_ins"] for row in rows)


def test_people_and_households_are_those_of_the_source(synced: Synced, org: str) -> None:
    truth = Truth(synced.simulator, org)
    rows = select(synced, "SELECT * FROM {schema}.people_with_contacts WHERE org_id = %(org_id)s", org)
    assert Counter(row["name"] for row in rows) == Counter(named(truth.records("people.people")))
    addresses = {
        (related(email, "person"), email["attributes"]["address"])
        for email in truth.records("people.emails")
        if email["attributes"]["primary"]
    }
    assert addresses
    assert addresses <= {(row["person_id"], row["email"]) for row in rows}
    assert {row["created_at_local"] for row in rows} == {
        truth.local(person["attributes"]["created_at"]) for person in truth.records("people.people")
    }

    addressed = {row["person_id"]: row for row in rows if row["street"] is not None}
    assert addressed and "" not in {row["street"] for row in rows}
    assert addressed.keys() <= {related(address, "person") for address in truth.records("people.addresses")}

    homes = select(synced, "SELECT * FROM {schema}.households WHERE org_id = %(org_id)s", org)
    names = {row["household_id"]: row["household"] for row in homes}
    assert {row["person_id"]: Counter(row["households"] or ()) for row in rows} == {
        row["person_id"]: Counter(
            names[home["household_id"]] for home in homes if row["person_id"] in (home["member_ids"] or ())
        )
        for row in rows
    }
    members = Counter(
        related(member, "household")
        for member in truth.records("people.household_memberships")
        if not member["attributes"]["pending"]
    )
    households = truth.by_id("people.households")
    assert {row["household_id"]: row["people"] for row in homes} == {id: members[id] for id in households}
    assert all(len(row["members"] or []) == row["people"] for row in homes)


def test_groups_serving_and_registrations_are_those_of_the_source(synced: Synced, org: str) -> None:
    truth = Truth(synced.simulator, org)
    groups, names = truth.by_id("groups.groups"), truth.names()

    rows = select(synced, "SELECT * FROM {schema}.group_rosters WHERE org_id = %(org_id)s", org)
    assert Counter((row["group"], row["person"], row["is_archived"]) for row in rows) == Counter(
        (
            groups[str(related(member, "group"))]["attributes"]["name"],
            names.get(str(related(member, "person"))),
            groups[str(related(member, "group"))]["attributes"]["archived_at"] is not None,
        )
        for member in truth.records(IN_GROUPS)
    )

    rows = select(synced, "SELECT * FROM {schema}.serving_schedule WHERE org_id = %(org_id)s", org)
    scheduled = [member for member in truth.records("services.plan_people") if related(member, "plan")]
    words = {"C": "confirmed", "U": "unconfirmed", "D": "declined"}
    assert Counter((row["plan_id"], row["person_id"], row["status"]) for row in rows) == Counter(
        (related(member, "plan"), related(member, "person"), words[member["attributes"]["status"]])
        for member in scheduled
    )

    rows = select(synced, "SELECT * FROM {schema}.registrations WHERE org_id = %(org_id)s", org)
    signups = truth.by_id("registrations.signups")
    assert Counter((row["signup"], row["person_id"], row["is_canceled"]) for row in rows) == Counter(
        (
            signups[str(related(attendee, "signup"))]["attributes"]["name"],
            related(attendee, "person"),
            attendee["attributes"]["canceled"],
        )
        for attendee in truth.records("registrations.attendees")
    )


def test_who_joined_and_left_is_known_and_who_was_there_first_is_not_new(synced: Synced) -> None:
    rows = select(synced, "SELECT * FROM {schema}.membership_changes WHERE org_id = %(org_id)s AND NOT is_first_sync")

    assert Counter((row["kind"], row["change"]) for row in rows) == {
        ("list", "joined"): 3,
        ("list", "left"): 1,
        ("group", "joined"): 1,
        ("group", "left"): 1,
    }
    truth = Truth(synced.simulator, synced.orgs[0])
    names, results = truth.names(), truth.by_id(LISTED)
    new = {names[str(related(results[id], "person"))] for stream, id in synced.joined if stream == LISTED}
    assert {row["person"] for row in rows if (row["kind"], row["change"]) == ("list", "joined")} == new
    first = select(synced, "SELECT * FROM {schema}.membership_changes WHERE org_id = %(org_id)s AND is_first_sync")
    still = len(truth.records(LISTED)) + len(truth.records(IN_GROUPS))
    assert len(first) == still - len(synced.joined) + len(synced.left)
    assert {row["change"] for row in first} == {"joined"}


def test_nobody_joined_or_left_by_a_sync_that_was_rolled_back(synced: Synced) -> None:
    query = (
        "SELECT * FROM {schema}.membership_changes WHERE org_id = %(org_id)s"
        " ORDER BY changed_at, kind, group_or_list_id, person_id"
    )
    before = select(synced, query)
    with synced.database.connect() as connection:
        [(sync_id,)] = connection.execute("SELECT sync_id FROM sync.syncs WHERE mode = 'reconcile'").fetchall()

    rollback = RollbackOrder(sync_id)
    roll_back(synced.database, rollback)
    rolled_back = select(synced, query)
    roll_back(synced.database, RollbackOrder(rollback.rollback_id))

    assert rolled_back == [row for row in before if row["is_first_sync"]] != before
    assert select(synced, query) == before, "the rollback was rolled back"


def test_questions_are_answered_rightly(synced: Synced) -> None:
    truth = Truth(synced.simulator, synced.orgs[0])
    answers = {question: select(synced, question.sql) for question in QUESTIONS}

    assert [question.title for question, rows in answers.items() if not rows] == []
    given = truth.giving_by_fund()
    assert all(
        row["net"] * 100
        == given[row["fund"], row["month_begins_on"]][0] - given[row["fund"], row["month_begins_on"]][1]
        for row in answers[questions.GIVING_BY_FUND]
    )
    weeks: Counter[date] = Counter()
    for (_, monday), (check_ins, headcount) in truth.attendance().items():
        weeks[monday] += check_ins + headcount
    newest = sorted(weeks.items(), reverse=True)[:8]
    assert [(row["week_begins_on"], row["attendance"]) for row in answers[questions.ATTENDANCE_BY_WEEK]] == newest
    stopped = {tuple(row.values()) for row in answers[questions.STOPPED_ATTENDING]}
    assert stopped <= truth.stopped_attending()
    assert len(stopped) == min(10, len(truth.stopped_attending()))
    results, names = truth.by_id(LISTED), truth.names()
    new = {names[str(related(results[id], "person"))] for stream, id in synced.joined if stream == LISTED}
    assert {row["person"] for row in answers[questions.NEW_ON_LIST]} == new


_DECLARED = """
SELECT c.relname AS name, c.reloptions AS options, obj_description(c.oid, 'pg_class') AS comment,
    json_object_agg(a.attname, col_description(c.oid, a.attnum) ORDER BY a.attnum) AS columns
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relnamespace = 'openfaith'::regnamespace GROUP BY c.oid, c.relname, c.reloptions
"""


def test_views_are_as_declared_and_show_nobody_more_than_their_tables(synced: Synced) -> None:
    found = {row["name"]: row for row in select(synced, _DECLARED)}

    assert found.keys() == VIEWS.keys()
    for name, view in VIEWS.items():
        assert list(found[name]["columns"].items()) == [
            (column, words.comment) for column, words in view.words.items()
        ], name
        assert next(iter(view.columns)) == "org_id"
        assert (found[name]["comment"], found[name]["options"]) == (view.comment, ["security_invoker=true"])


def test_the_demo_ends_with_answers(synced: Synced, capsys: pytest.CaptureFixture[str]) -> None:
    with synced.database.connect() as connection:
        first = get_org(connection, synced.orgs[0])

    print_answers(synced.database, first)

    shown = capsys.readouterr().out
    assert [f"{first.name}: {question.title}" in shown for question in QUESTIONS] == [True] * 3 + [False] * 6
    assert select(synced, questions.STOPPED_ATTENDING.sql)[0]["person"] in shown
    newest = select(synced, questions.ATTENDANCE_BY_WEEK.sql)[0]
    assert f"{newest['week_begins_on']}" in shown
