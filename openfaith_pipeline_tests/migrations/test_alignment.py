"""Raw tables that follow a changing catalog: columns are added, kept values move in, nothing goes."""

import json
from dataclasses import replace
from typing import Any, LiteralString

import pytest
from psycopg import Connection, sql
from sqlalchemy import MetaData

from openfaith_pipeline.catalog.stream import BOOLEAN, DATE, FLOAT, INTEGER, JSON, TEXT, TIMESTAMP, Stream
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.alignment import align_raw_tables, find_gaps
from openfaith_pipeline.planning_center.products import Product

OLD = Stream(product=Product.PEOPLE, type="Thing", path="/people/v2/things", attributes={"name": TEXT})
ROW = (
    "INSERT INTO pco_people.things (org_id, id, _extra, _content_hash, _first_seen_at, _synced_at, _sync_id)"
    " VALUES ('org', %s, %s, '', now(), now(), 's')"
)


def _align(connection: Connection[Any], stream: Stream) -> list[str]:
    return align_raw_tables(connection, [stream], MetaData())


def _keep(connection: Connection[Any], *extras: dict[str, Any]) -> None:
    for number, extra in enumerate(extras):
        connection.execute(ROW, (str(number), json.dumps(extra)))


def _read(connection: Connection[Any], columns: LiteralString) -> list[Any]:
    statement = sql.SQL("SELECT {}, _extra FROM pco_people.things ORDER BY id").format(sql.SQL(columns))
    return connection.execute(statement).fetchall()


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (TEXT, "a word", "a word"),
        (TEXT, 5, "5"),
        (TEXT, True, "true"),
        (INTEGER, 7, "7"),
        (INTEGER, "7", "7"),
        (INTEGER, 7.0, "7"),
        (INTEGER, 9007199254740993, "9007199254740993"),
        (FLOAT, 1.5, "1.5"),
        (FLOAT, "1.5", "1.5"),
        (FLOAT, -2, "-2"),
        (BOOLEAN, False, "false"),
        (DATE, "2024-02-29", "2024-02-29"),
        (TIMESTAMP, "2024-02-29T23:59:58Z", "2024-02-29 23:59:58+00"),
        (TIMESTAMP, "2024-02-29T23:59:58+02:00", "2024-02-29 21:59:58+00"),
        (JSON, {"a": [1]}, '{"a": [1]}'),
        (JSON, [], "[]"),
    ],
)
def test_a_kept_value_moves_into_its_new_column(database: Database, kind: Any, value: Any, expected: str) -> None:
    with database.connect() as connection:
        _align(connection, OLD)
        _keep(connection, {"new": value}, {"new": value, "other": 1}, {"new": None}, {"other": 1})
        _align(connection, replace(OLD, attributes={"name": TEXT, "new": kind}))
        other = {"other": 1}
        assert _read(connection, "new::text") == [(expected, None), (expected, other), (None, None), (None, other)]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (TEXT, {"a": 1}),
        (TEXT, ["a"]),
        (INTEGER, "seven"),
        (INTEGER, 7.5),
        (INTEGER, True),
        (INTEGER, 2**63),
        (FLOAT, "1.5 m"),
        (FLOAT, "NaN"),
        (FLOAT, "-inf"),
        (FLOAT, True),
        (BOOLEAN, "true"),
        (BOOLEAN, 1),
        (DATE, "2023-02-29"),
        (DATE, "29 February 2024"),
        (DATE, 20240229),
        (TIMESTAMP, "yesterday"),
        (TIMESTAMP, "2024-13-01T00:00:00Z"),
        (TIMESTAMP, "infinity"),
    ],
)
def test_a_value_that_does_not_fit_stays_where_it_is(database: Database, kind: Any, value: Any) -> None:
    with database.connect() as connection:
        _align(connection, OLD)
        _keep(connection, {"new": value})
        _align(connection, replace(OLD, attributes={"name": TEXT, "new": kind}))
        assert _read(connection, "new") == [(None, {"new": value})]


def test_a_kept_relationship_moves_too(database: Database) -> None:
    author = {"type": "Person", "id": "7"}
    with database.connect() as connection:
        _align(connection, OLD)
        _keep(
            connection,
            {"relationships": {"author": author}},
            {"relationships": {"author": author, "x": author}, "a": 1},
        )
        _align(connection, replace(OLD, belongs_to={"author": None}))
        assert _read(connection, "author_id, author_type") == [
            ("7", "Person", None),
            ("7", "Person", {"relationships": {"x": author}, "a": 1}),
        ]


def test_an_attribute_that_becomes_a_relationship_keeps_its_id(database: Database) -> None:
    with database.connect() as connection:
        _align(connection, OLD)
        _keep(connection, {"author_id": 7})
        _align(connection, replace(OLD, belongs_to={"author": "people.people"}))
        assert _read(connection, "author_id") == [("7", None)]


def test_pages_staged_before_the_change_are_moved_as_well(database: Database) -> None:
    with database.connect() as connection:
        _align(connection, OLD)
        connection.execute(
            "INSERT INTO staging.people__things (_stream_sync_id, _page, _position, id, _extra, _content_hash)"
            """ VALUES (1, 1, 1, '1', '{"new": 5}', '')"""
        )
        _align(connection, replace(OLD, attributes={"name": TEXT, "new": INTEGER}))
        assert connection.execute("SELECT new, _extra FROM staging.people__things").fetchall() == [(5, None)]


def test_a_new_stream_gets_its_tables_and_a_new_relationship_its_index(database: Database) -> None:
    related = replace(OLD, belongs_to={"author": "people.people"})
    with database.connect() as connection:
        assert _align(connection, OLD) == ["pco_people.things", "staging.people__things"]
        assert _align(connection, OLD) == []
        assert _align(connection, related) == ["pco_people.things", "staging.people__things"]
        found = connection.execute(
            "SELECT indexdef FROM pg_indexes WHERE indexname = 'things_author_id_idx'"
        ).fetchone()
        assert find_gaps(connection, [related], MetaData()) == []
    assert found is not None
    assert found[0].endswith("(org_id, author_id)")


def test_a_column_the_catalog_no_longer_has_stays_with_its_values(database: Database) -> None:
    with database.connect() as connection:
        _align(connection, replace(OLD, attributes={"name": TEXT, "gone": TEXT}))
        _keep(connection, {})
        connection.execute("UPDATE pco_people.things SET gone = 'kept'")
        assert _align(connection, OLD) == []
        assert connection.execute("SELECT gone FROM pco_people.things").fetchall() == [("kept",)]


def test_a_failure_leaves_column_and_values_as_they_were(database: Database) -> None:
    with database.connect(autocommit=True) as connection:
        _align(connection, OLD)
        _keep(connection, {"new": 5})
        connection.execute("CREATE TABLE pco_people.things_author_id_idx ()")
        changed = replace(OLD, attributes={"name": TEXT, "new": INTEGER}, belongs_to={"author": "people.people"})
        with pytest.raises(Exception, match="things_author_id_idx"):
            _align(connection, changed)
        assert _read(connection, "name") == [(None, {"new": 5})]
        names = connection.execute("SELECT column_name FROM information_schema.columns WHERE table_name = 'things'")
        assert ("new",) not in names.fetchall()
