"""A column whose type changes in the catalog: no value is lost, neither in rows and `_extra` nor by a rollback."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import Connection, sql
from psycopg.types.json import Jsonb
from sqlalchemy import MetaData

from openfaith_pipeline.catalog.stream import BOOLEAN, DATE, FLOAT, INTEGER, JSON, TEXT, TIMESTAMP, Stream
from openfaith_pipeline.catalog.walk import Record
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.alignment import find_gaps
from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.load.rows import RowEncoder
from openfaith_pipeline_tests.integration.journal.things import (
    ORG,
    STREAM,
    THINGS,
    Step,
    align,
    do,
    is_possible,
    rows,
    undo,
)
from openfaith_pipeline_tests.integration.replay import replay_differences

VALUES: dict[Any, list[str]] = {
    TEXT: ["a", "5", "2024-02-29", "true", '{"a": 1}'],
    INTEGER: ["5", "-7", "20240229"],
    FLOAT: ["1.5", "5", "10.12345678901234567890"],
    BOOLEAN: ["true", "false"],
    DATE: ["2024-02-29", "2023-12-31"],
    TIMESTAMP: ["2024-02-29T00:00:00Z", "2024-02-29T23:59:58Z", "2024-02-29T23:59:58.5Z"],
    JSON: ['"a"', "5", '{"a": [1]}', "[]"],
}
UNFIT: list[Any] = [{"a": 1}, ["b"], "%m/%d/%Y", "7", 8, "2024-03-01", 12345678901234567890123]


def _declared(kind: Any) -> Stream:
    return replace(STREAM, attributes={"name": kind})


def _steps(kind: Any) -> st.SearchStrategy[list[Step]]:
    """Syncs that write rows as load does: a value that fits is in the column, one that does not in `_extra`."""
    other = st.none() | st.just({"other": 1})
    fits = st.tuples(st.none() | st.sampled_from(VALUES[kind]), other)
    unfit = st.tuples(
        st.none(), st.tuples(st.sampled_from(UNFIT), other).map(lambda pair: {"name": pair[0], **(pair[1] or {})})
    )
    step = st.builds(
        lambda sync_id, id_, does, what: Step(sync_id, id_, does, what[0], what[1]),
        st.sampled_from(["first", "second"]),
        st.sampled_from(["1", "2"]),
        st.sampled_from(["write", "write", "write", "delete", "remove"]),
        fits | unfit,
    )
    return st.lists(step, max_size=7).filter(is_possible)


KINDS = list(VALUES)
CASES = st.tuples(st.sampled_from(KINDS), st.sampled_from(KINDS)).flatmap(
    lambda pair: st.tuples(st.just(pair[0]), st.just(pair[1]), _steps(pair[0]))
)


@settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(case=CASES, undone=st.sampled_from(["first", "second"]))
@example(
    case=(TEXT, JSON, [Step("first", "1", name="a"), Step("second", "1", extra={"name": {"a": 1}})]), undone="second"
)
@example(
    case=(
        TIMESTAMP,
        DATE,
        [
            Step("first", "1", name="2024-02-29T00:00:00Z", extra={"other": 1}),
            Step("second", "1", name="2024-02-29T23:59:58Z", extra={"other": 1}),
        ],
    ),
    undone="second",
)
@example(
    case=(
        TEXT,
        INTEGER,
        [
            Step("first", "1", name="5", extra={"other": 1}),
            Step("second", "1", name="a", extra={"other": 1}),
            Step("second", "1", name="true"),
        ],
    ),
    undone="second",
)
def test_a_type_changed_before_a_rollback_or_after_it_gives_the_same(
    database: Database, case: tuple[Any, Any, list[Step]], undone: str
) -> None:
    was, becomes, steps = case
    with database.connect(autocommit=True) as connection, connection.transaction(force_rollback=True):
        align(connection, _declared(was))
        for step in steps:
            do(connection, step)
        said = _said(connection)
        with connection.transaction(force_rollback=True):
            conflicts_before = undo(connection, undone)
            align(connection, _declared(becomes))
            expected = rows(connection)
            assert replay_differences(connection, ORG, [THINGS]) == []
        align(connection, _declared(becomes))
        assert find_gaps(connection, [_declared(becomes)], MetaData()) == []
        assert replay_differences(connection, ORG, [THINGS]) == []
        _assert_nothing_lost(said, _said(connection))
        conflicts = undo(connection, undone)
        assert rows(connection) == expected
        assert replay_differences(connection, ORG, [THINGS]) == []
        assert {tuple(conflict.key.items()) for conflict in conflicts} <= {
            tuple(conflict.key.items()) for conflict in conflicts_before
        }


def _said(connection: Connection[Any]) -> dict[str, Any]:
    """Id -> name, from its column or from `_extra`."""
    return {
        id_: row["name"] if row["name"] is not None else (row["_extra"] or {}).get("name")
        for id_, row in rows(connection).items()
    }


def _assert_nothing_lost(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert before.keys() == after.keys()
    for id_, value in before.items():
        assert (value is None) == (after[id_] is None)


@pytest.mark.parametrize(
    ("was", "value", "becomes", "expected"),
    [
        (TEXT, "a word", JSON, '"a word"'),
        (TEXT, "5", INTEGER, "5"),
        (INTEGER, 5, TEXT, "5"),
        (INTEGER, 5, JSON, "5"),
        (DATE, "2024-02-29", TEXT, "2024-02-29"),
        (TIMESTAMP, "2024-02-29T00:00:00Z", DATE, "2024-02-29"),
        (TIMESTAMP, "2024-02-29T23:59:58Z", TEXT, "2024-02-29T23:59:58Z"),
        (BOOLEAN, True, TEXT, "true"),
        (FLOAT, 1.5, TEXT, "1.5"),
        (JSON, {"a": 1}, TEXT, None),
        (TEXT, "a word", DATE, None),
        (TIMESTAMP, "2024-02-29T23:59:58Z", DATE, None),
        (INTEGER, "%m/%d/%Y", TEXT, "%m/%d/%Y"),
        (TEXT, {"url": None}, JSON, '{"url": null}'),
        (DATE, "12/2027", TEXT, "12/2027"),
    ],
)
def test_stored_values_are_afterwards_as_load_would_store_them(
    database: Database, was: Any, value: Any, becomes: Any, expected: str | None
) -> None:
    with database.connect() as connection:
        align(connection, _declared(was))
        _load(connection, _declared(was), value)
        align(connection, _declared(becomes))
        stored = connection.execute("SELECT name::text, _extra FROM pco_people.things").fetchone()
        connection.execute("TRUNCATE pco_people.things")
        _load(connection, _declared(becomes), value)
        loaded = connection.execute("SELECT name::text, _extra FROM pco_people.things").fetchone()
    assert stored == loaded == (expected, None if expected is not None else {"name": value})


def _load(connection: Connection[Any], stream: Stream, value: Any) -> None:
    resource = {"type": "Thing", "id": "1", "attributes": {"name": value}, "relationships": {}}
    [line] = RowEncoder(stream).encode([Record(resource, {})]).lines
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY staging.people__things"
            " (_position, id, name, _extra, _content_hash, _stream_sync_id, _page) FROM STDIN"
        ) as copy,
    ):
        copy.write(line.rstrip("\n") + "\t1\t1\n")
    connection.execute(
        "INSERT INTO pco_people.things (org_id, id, name, _extra, _content_hash, _first_seen_at, _synced_at, _sync_id)"
        " SELECT 'org', id, name, _extra, _content_hash, now(), now(), 's' FROM staging.people__things"
    )
    connection.execute("TRUNCATE staging.people__things")


def test_pages_staged_before_the_change_are_typed_anew(database: Database) -> None:
    with database.connect() as connection:
        align(connection, _declared(TEXT))
        for name, extra in (("a", None), (None, {"name": {"b": 1}})):
            connection.execute(
                "INSERT INTO staging.people__things"
                " (_stream_sync_id, _page, _position, id, name, _extra, _content_hash)"
                " VALUES (1, 1, 1, '1', %s, %s, '')",
                (name, extra and Jsonb(extra)),
            )
        align(connection, _declared(JSON))
        assert connection.execute("SELECT name, _extra FROM staging.people__things").fetchall() == [
            ("a", None),
            ({"b": 1}, None),
        ]


def test_a_double_keeps_every_digit_that_it_had(database: Database) -> None:
    with database.connect() as connection:
        align(connection, _declared(FLOAT))
        connection.execute("ALTER TABLE pco_people.things ALTER COLUMN name TYPE double precision")
        do(connection, Step("first", "1", name="45.12345678901234"))
        do(connection, Step("first", "2", name="0.1"))
        align(connection, _declared(FLOAT))
        assert connection.execute("SELECT name::text FROM pco_people.things ORDER BY id").fetchall() == [
            ("45.12345678901234",),
            ("0.1",),
        ]


def test_fitting_values_leave_the_quarantine_and_empty_ones_are_read_again(database: Database) -> None:
    with database.connect() as connection:
        align(connection, _declared(TEXT))
        connection.execute(
            "INSERT INTO sync.stream_states (org_id, stream, last_full_at)"
            " VALUES ('org', 'people.things', now()), ('other', 'people.things', now())"
        )
        connection.execute("INSERT INTO sync.syncs (sync_id, mode, trigger) VALUES ('first', 'reconcile', 'cli')")
        connection.execute(
            "INSERT INTO sync.stream_syncs (sync_id, org_id, stream, lead_stream, mode, status)"
            " VALUES ('first', 'org', 'people.things', 'people.things', 'reconcile', 'succeeded')"
        )
        do(connection, Step("first", "kept", extra={"name": {"a": 1}}))
        do(connection, Step("first", "blanked"))
        for record_id in ("kept", "blanked"):
            record = {"id": record_id, "attributes": {"name": {"a": 1}}}
            connection.execute(
                "INSERT INTO sync.quarantine (org_id, stream, sync_id, record_id, field, reason, record)"
                " VALUES ('org', 'people.things', 'first', %s, 'name', 'is an object', %s)",
                (record_id, Jsonb(record)),
            )
        align(connection, _declared(JSON))
        assert rows(connection)["kept"]["name"] == {"a": 1}
        still_open = connection.execute("SELECT record_id FROM sync.quarantine WHERE resolved_at IS NULL").fetchall()
        assert still_open == [("blanked",)]
        assert connection.execute(
            "SELECT org_id, last_full_at IS NULL FROM sync.stream_states ORDER BY org_id"
        ).fetchall() == [("org", True), ("other", False)]


def test_a_column_of_ours_needs_a_migration_file(database: Database) -> None:
    with database.connect() as connection:
        align(connection, _declared(TEXT))
        connection.execute("ALTER TABLE pco_people.things ALTER COLUMN _sync_id TYPE bigint USING 1")
        with pytest.raises(
            ConfigurationError, match=r"pco_people\.things\._sync_id is bigint in the database and text"
        ):
            align(connection, _declared(TEXT))


@pytest.mark.parametrize("name", ["seen", "households"], ids=["theirs", "named as one of ours"])
def test_a_failure_leaves_type_and_values_as_they_were(database: Database, name: str) -> None:
    view = sql.Identifier("reports", name)
    with database.connect(autocommit=True) as connection:
        align(connection, _declared(TEXT))
        do(connection, Step("first", "1", name="5"))
        # A view of theirs that cannot be made again on the new type.
        connection.execute("CREATE SCHEMA reports")
        definition = sql.SQL("SELECT upper(name) AS name FROM pco_people.things")
        connection.execute(sql.SQL("CREATE VIEW {} AS {}").format(view, definition))
        with pytest.raises(ConfigurationError, match=f"reports.{name}"):
            align(connection, _declared(INTEGER))
        assert connection.execute("SELECT name FROM pco_people.things").fetchall() == [("5",)]
        assert connection.execute("SELECT after ->> 'name' FROM sync.journal").fetchall() == [("5",)]
        assert connection.execute(sql.SQL("SELECT name FROM {}").format(view)).fetchall() == [("5",)]
