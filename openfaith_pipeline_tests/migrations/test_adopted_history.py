"""The journal follows its table: entries from before a column was added can be read and undone afterwards."""

import threading
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import Connection, sql
from psycopg.types.json import Jsonb

from openfaith_pipeline.catalog.stream import DATE, INTEGER, TEXT
from openfaith_pipeline.database import Database
from openfaith_pipeline.journal import JournaledTable
from openfaith_pipeline.journal.history import read_history
from openfaith_pipeline.journal.undoing import Conflict
from openfaith_pipeline.journal.writing import journaled
from openfaith_pipeline_tests.integration.journal.things import (
    ORG,
    STREAM,
    THINGS,
    WRITE,
    Step,
    align,
    do,
    is_possible,
    rows,
    undo,
)
from openfaith_pipeline_tests.integration.replay import replay_differences
from openfaith_pipeline_tests.waiting import wait_until

NEW = replace(STREAM, attributes={"name": TEXT, "new": INTEGER, "day": DATE}, belongs_to={"author": None})

EXTRAS = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "new": st.sampled_from([7, 8, "9", "nine", None]),
        "day": st.sampled_from(["2024-02-29", "2023-02-29"]),
        "author_id": st.just("5"),
        "other": st.sampled_from([1, 2]),
        "relationships": st.fixed_dictionaries(
            {"author": st.sampled_from([{"type": "Person", "id": "7"}, {"type": "Team", "id": "8"}])},
            optional={"place": st.just({"type": "Place", "id": "1"})},
        ),
    },
).map(lambda extra: extra or None)


STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from(["first", "second"]),
        st.sampled_from(["1", "2"]),
        st.sampled_from(["write", "write", "write", "delete", "remove"]),
        st.sampled_from(["a", "b"]),
        EXTRAS,
    ),
    max_size=8,
).filter(is_possible)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, undone=st.sampled_from(["first", "second"]))
@example(
    steps=[Step("first", "1", extra={"new": 7}), Step("second", "1", extra={"new": 8, "other": 1})], undone="second"
)
@example(steps=[Step("first", "1"), Step("second", "1", extra={"new": "nine", "day": "2024-02-29"})], undone="second")
@example(
    steps=[Step("first", "1"), Step("second", "1", "remove"), Step("first", "1", extra={"new": 7})], undone="second"
)
def test_a_column_added_before_a_rollback_or_after_it_gives_the_same(
    database: Database, steps: list[Step], undone: str
) -> None:
    with database.connect(autocommit=True) as connection, connection.transaction(force_rollback=True):
        align(connection, STREAM)
        for step in steps:
            do(connection, step)
        with connection.transaction(force_rollback=True):
            conflicts_before = undo(connection, undone)
            align(connection, NEW)
            expected = rows(connection)
            assert replay_differences(connection, ORG, [THINGS]) == []
        align(connection, NEW)
        assert replay_differences(connection, ORG, [THINGS]) == []
        conflicts = undo(connection, undone)
        assert rows(connection) == expected
        assert replay_differences(connection, ORG, [THINGS]) == []
        # Values that differ in `_extra` alone ("9" and 9) may be the same in the column, never the other way round.
        assert {tuple(conflict.key.items()) for conflict in conflicts} <= {
            tuple(conflict.key.items()) for conflict in conflicts_before
        }


def test_history_and_past_tables_have_the_column_for_rows_before_it(database: Database) -> None:
    with database.connect(autocommit=True) as connection:
        align(connection, STREAM)
        do(connection, Step("first", "1", extra={"new": 7, "other": 1}))
        [moment] = connection.execute("SELECT clock_timestamp()").fetchone() or ()
        do(connection, Step("second", "1", extra={"new": 8, "other": 1}))
        do(connection, Step("second", "2", extra={"relationships": {"author": {"type": "Person", "id": "7"}}}))
        align(connection, NEW)
        inserted, updated = read_history(connection, ORG, THINGS, ["1"])
        past = connection.execute(
            "SELECT id, new, _extra FROM sync.as_of(NULL::pco_people.things, %s, %s)", (ORG, moment)
        ).fetchall()
        [author] = read_history(connection, ORG, THINGS, ["2"])
    assert inserted.after is not None
    assert (inserted.after["new"], inserted.after["_extra"]) == (7, {"other": 1})
    assert updated.before == {"new": 7, "_sync_id": "first"}
    assert updated.after == {"new": 8, "_sync_id": "second"}
    assert past == [("1", 7, {"other": 1})]
    assert author.after is not None
    assert (author.after["author_id"], author.after["author_type"], author.after["_extra"]) == ("7", "Person", None)


def test_other_tables_of_the_journal_stay_as_they_are(database: Database) -> None:
    others = JournaledTable("pco_people", "others", ("id",), "org_id", "_deleted_at")
    with database.connect(autocommit=True) as connection:
        align(connection, STREAM)
        align(connection, replace(STREAM, type="Other", path="/people/v2/others"))
        into_others = sql.SQL(WRITE.as_string(None).replace("things", "others"))  # type: ignore[arg-type]
        parameters = {"org_id": ORG, "id": "1", "name": None, "extra": Jsonb({"new": 7}), "sync_id": "s", "cause": "t"}
        connection.execute(journaled(others, into_others), parameters)
        align(connection, NEW)
        [inserted] = read_history(connection, ORG, others, ["1"])
    assert inserted.after is not None
    assert inserted.after["_extra"] == {"new": 7}


def test_a_rollback_begun_while_a_column_is_added_waits_for_it(database: Database) -> None:
    found: list[Conflict] = []

    def roll_back() -> None:
        with database.connect() as other:
            found.extend(undo(other, "second"))

    with database.connect(autocommit=True) as connection:
        align(connection, STREAM)
        do(connection, Step("first", "1", extra={"new": 7}))
        do(connection, Step("second", "1", extra={"new": 8}))
        rollback = threading.Thread(target=roll_back)
        with connection.transaction():
            align(connection, NEW)
            rollback.start()
            _wait_until_waiting(connection)
        rollback.join()
        assert connection.execute("SELECT new, _extra FROM pco_people.things").fetchall() == [(7, None)]
    assert found == []


def _wait_until_waiting(connection: Connection[Any]) -> None:
    waiting = "SELECT FROM pg_locks WHERE relation = 'pco_people.things'::regclass AND NOT granted"
    wait_until(lambda: connection.execute(waiting).fetchone() is not None, "something waits for the table")
