"""Custom fields that the random churches do not cover."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from openfaith_pipeline.canonical.model import Entity
from openfaith_pipeline.catalog.stream import BOOLEAN, DATE, FLOAT, INTEGER, JSON, TEXT, TIMESTAMP, Stream
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.table_names import raw_name
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.transform.custom_fields import custom_fields
from openfaith_pipeline_tests.integration.raw_rows import put_row
from openfaith_pipeline_tests.integration.transform.tables import one, transform

ORG = "org_01h455vb4pex5vsknk084sn02q"
SHIRT = {"_tag": "string", "name": "shirt", "source": "openfaith", "value": "L"}
NO_SOURCE = {"_tag": "number", "name": "age", "value": 3}
STALE = {"_tag": "string", "name": "pco_gone", "source": "pco", "value": "x"}
FRESH = {"_tag": "string", "name": "pco_nickname", "source": "pco", "value": "Annie"}


def test_every_column_type_has_its_item(database: Database) -> None:
    kinds = {"a": TEXT, "b": INTEGER, "c": FLOAT, "d": BOOLEAN, "e": DATE, "f": TIMESTAMP, "g": JSON, "h": TEXT}
    made_up = Stream(product=Product.PEOPLE, type="Thing", path="/people/v2/things", attributes=kinds)
    entity = Entity(table="things", tag="thing", stream=made_up, columns={})
    statement = sql.SQL(
        "SELECT {} FROM (SELECT 'x' AS a, 2::bigint AS b, 1.5::float8 AS c, true AS d, %(day)s AS e,"
        " %(time)s AS f, %(json)s AS g, NULL::text AS h, NULL::jsonb AS _extra) r,"
        ' (SELECT NULL::text AS id, NULL::jsonb AS "customFields") e'
    ).format(custom_fields(entity))
    values = {
        "day": date(2026, 2, 3),
        "time": datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC),
        "json": Jsonb({"k": [1]}),
    }
    with database.connect() as connection:
        connection.execute("SET TimeZone = 'Asia/Tokyo'")
        connection.execute("SET DateStyle = 'German'")
        (items,) = connection.execute(statement, values).fetchone() or ([],)
    assert [(item["name"], item["_tag"], item["value"]) for item in items] == [
        ("pco_a", "string", "x"),
        ("pco_b", "number", 2),
        ("pco_c", "number", 1.5),
        ("pco_d", "boolean", True),
        ("pco_e", "date", "2026-02-03"),
        ("pco_f", "date", "2026-02-03T04:05:06Z"),
        ("pco_g", "string", '{"k": [1]}'),
    ]


def test_days_are_iso_whatever_the_session_says(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("SET DateStyle = 'German'")
        put_row(connection, "people.people", ORG, "1", birthdate="1990-02-03", anniversary="0900-01-02")
        transform(connection, ORG)
        days = connection.execute("SELECT birthdate, anniversary FROM openfaith_people").fetchone()
    assert days == ("1990-02-03", "0900-01-02")


@pytest.mark.parametrize(
    ("present", "kept"),
    [
        ([STALE, SHIRT, NO_SOURCE], [SHIRT, NO_SOURCE]),
        (["odd", 1, None], ["odd", 1, None]),
        ({}, [{}]),
        (7, [7]),
    ],
)
def test_items_of_others_stay_in_their_order(database: Database, present: Any, kept: list[Any]) -> None:
    with database.connect() as connection:
        put_row(connection, "people.people", ORG, "1", nickname="Annie")
        transform(connection, ORG)
        connection.execute('UPDATE openfaith_people SET "customFields" = %s', [Jsonb(present)])
        transform(connection, ORG)
        assert one(connection, "people", ORG)["customFields"] == [*kept, FRESH]


def test_ids_of_other_systems_stay(database: Database) -> None:
    others = {"id": "9", "type": "ccb"}
    with database.connect() as connection:
        put_row(connection, "people.people", ORG, "1")
        transform(connection, ORG)
        connection.execute('UPDATE openfaith_people SET "externalIds" = %s', [Jsonb([others])])
        transform(connection, ORG)
        assert one(connection, "people", ORG)["externalIds"] == [others, {"id": "1", "type": "pco"}]


@pytest.mark.parametrize("extra", [[], "text", 5, {"k": {"deep": [1, "ü"]}}])
def test_any_extra_is_taken(database: Database, extra: Any) -> None:
    with database.connect() as connection:
        put_row(connection, "people.emails", ORG, "1", _extra=Jsonb(extra))
        put_row(connection, "people.people", ORG, "1", _extra=Jsonb(extra))
        transform(connection, ORG)
        names = [item["name"] for item in one(connection, "emails", ORG)["customFields"]]
        assert names == (["pco_k"] if isinstance(extra, dict) else [])


def test_every_stream_of_the_catalog_could_become_an_entity(database: Database) -> None:
    with database.connect() as connection:
        for stream in STREAMS.values():
            put_row(connection, stream.name, ORG, "1")
            entity = Entity(table="things", tag="thing", stream=stream, columns={})
            statement = sql.SQL('SELECT {} FROM {} r, (SELECT NULL::text AS id, NULL::jsonb AS "customFields") e')
            table = raw_name(stream)
            assert connection.execute(statement.format(custom_fields(entity), table)).fetchone() == ([],)
