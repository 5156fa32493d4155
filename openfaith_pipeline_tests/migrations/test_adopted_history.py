"""The journal follows its table: what was journaled before a column was added can be read and taken back after it."""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import Connection, sql
from psycopg.types.json import Jsonb
from sqlalchemy import MetaData

from openfaith_pipeline.catalog import Product, Stream
from openfaith_pipeline.catalog.stream import DATE, INTEGER, TEXT
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.alignment import align_raw_tables
from openfaith_pipeline.journal import JournaledTable
from openfaith_pipeline.journal.history import read_history
from openfaith_pipeline.journal.undoing import Conflict, Undoing
from openfaith_pipeline.journal.writing import Write, journaled
from openfaith_pipeline_tests.integration.replay import replay_differences

OLD = Stream(product=Product.PEOPLE, type="Thing", path="/people/v2/things", attributes={"name": TEXT})
NEW = replace(OLD, attributes={"name": TEXT, "new": INTEGER, "day": DATE}, belongs_to={"author": None})
THINGS = JournaledTable("pco_people", "things", ("id",), "org_id", "_deleted_at")
ORG: Final = "org"

_WRITE = sql.SQL("""
INSERT INTO pco_people.things AS target (org_id, id, name, _extra, _content_hash, _first_seen_at, _synced_at, _sync_id)
VALUES (%(org_id)s, %(id)s, %(name)s, %(extra)s, '', now(), now(), %(sync_id)s)
ON CONFLICT (org_id, id) DO UPDATE
SET name = EXCLUDED.name, _extra = EXCLUDED._extra, _deleted_at = NULL, _sync_id = EXCLUDED._sync_id""")
_DELETE = sql.SQL(
    "UPDATE pco_people.things AS target SET _deleted_at = now() WHERE org_id = %(org_id)s AND id = %(id)s"
    " AND _deleted_at IS NULL"
)
_REMOVE = sql.SQL("DELETE FROM pco_people.things AS target WHERE org_id = %(org_id)s AND id = %(id)s")


class Step(NamedTuple):
    """What a sync does to a record: write it with this in `_extra`, mark it as deleted, or remove it."""

    sync_id: str
    id: str
    does: str = "write"
    name: str | None = None
    extra: Mapping[str, Any] | None = None


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
)


def _align(connection: Connection[Any], stream: Stream) -> None:
    align_raw_tables(connection, [stream], MetaData())


def _do(connection: Connection[Any], step: Step) -> None:
    statement, does = {
        "write": (_WRITE, Write.CHANGE),
        "delete": (_DELETE, Write.CHANGE),
        "remove": (_REMOVE, Write.REMOVE),
    }[step.does]
    extra = None if step.extra is None else Jsonb(step.extra)
    parameters = {**step._asdict(), "extra": extra, "org_id": ORG, "cause": "test"}
    connection.execute(journaled(THINGS, statement, does), parameters)


def _undo(connection: Connection[Any], sync_id: str) -> Sequence[Conflict]:
    """Take back the sync, whatever came after it; the rows that others changed since."""
    parameters = {"org_id": ORG, "undone": sync_id, "sync_id": "undoing", "cause": "rollback"}
    undoing = Undoing(connection.cursor(), THINGS, 0, parameters)
    undoing.find()
    _, conflicts = undoing.conflicts(100)
    undoing.apply(overwrite=True)
    return conflicts


def _rows(connection: Connection[Any]) -> list[Any]:
    return connection.execute("SELECT to_jsonb(thing) FROM pco_people.things AS thing ORDER BY id").fetchall()


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, undone=st.sampled_from(["first", "second"]))
@example(
    steps=[Step("first", "1", extra={"new": 7}), Step("second", "1", extra={"new": 8, "other": 1})], undone="second"
)
@example(steps=[Step("first", "1"), Step("second", "1", extra={"new": "nine", "day": "2024-02-29"})], undone="second")
def test_a_column_added_before_a_rollback_or_after_it_gives_the_same(
    database: Database, steps: list[Step], undone: str
) -> None:
    with database.connect(autocommit=True) as connection, connection.transaction(force_rollback=True):
        _align(connection, OLD)
        for step in steps:
            _do(connection, step)
        with connection.transaction(force_rollback=True):
            conflicts_before = _undo(connection, undone)
            _align(connection, NEW)
            expected = _rows(connection)
            assert replay_differences(connection, ORG, [THINGS]) == []
        _align(connection, NEW)
        assert replay_differences(connection, ORG, [THINGS]) == []
        conflicts = _undo(connection, undone)
        assert _rows(connection) == expected
        assert replay_differences(connection, ORG, [THINGS]) == []
        # Values that differ in `_extra` alone ("9" and 9) may be the same in the column, never the other way round.
        assert {tuple(conflict.key.items()) for conflict in conflicts} <= {
            tuple(conflict.key.items()) for conflict in conflicts_before
        }


def test_history_and_past_tables_tell_the_column_of_what_was_before_it(database: Database) -> None:
    with database.connect(autocommit=True) as connection:
        _align(connection, OLD)
        _do(connection, Step("first", "1", extra={"new": 7, "other": 1}))
        [moment] = connection.execute("SELECT clock_timestamp()").fetchone() or ()
        _do(connection, Step("second", "1", extra={"new": 8, "other": 1}))
        _do(connection, Step("second", "2", extra={"relationships": {"author": {"type": "Person", "id": "7"}}}))
        _align(connection, NEW)
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
        _align(connection, OLD)
        _align(connection, replace(OLD, type="Other", path="/people/v2/others"))
        into_others = sql.SQL(_WRITE.as_string(None).replace("things", "others"))  # type: ignore[arg-type]
        parameters = {"org_id": ORG, "id": "1", "name": None, "extra": Jsonb({"new": 7}), "sync_id": "s", "cause": "t"}
        connection.execute(journaled(others, into_others), parameters)
        _align(connection, NEW)
        [inserted] = read_history(connection, ORG, others, ["1"])
    assert inserted.after is not None
    assert inserted.after["_extra"] == {"new": 7}


def test_a_rollback_begun_while_a_column_is_added_waits_for_it(database: Database) -> None:
    found: list[Conflict] = []

    def undo() -> None:
        with database.connect() as other:
            found.extend(_undo(other, "second"))

    with database.connect(autocommit=True) as connection:
        _align(connection, OLD)
        _do(connection, Step("first", "1", extra={"new": 7}))
        _do(connection, Step("second", "1", extra={"new": 8}))
        rollback = threading.Thread(target=undo)
        with connection.transaction():
            _align(connection, NEW)
            rollback.start()
            _wait_until_waiting(connection)
        rollback.join()
        assert connection.execute("SELECT new, _extra FROM pco_people.things").fetchall() == [(7, None)]
    assert found == []


def _wait_until_waiting(connection: Connection[Any]) -> None:
    waiting = "SELECT FROM pg_locks WHERE relation = 'pco_people.things'::regclass AND NOT granted"
    for _ in range(1000):
        if connection.execute(waiting).fetchone() is not None:
            return
        time.sleep(0.01)
    raise AssertionError("nothing waits for the table")
