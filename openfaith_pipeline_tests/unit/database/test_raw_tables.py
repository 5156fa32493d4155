"""Tables made from a declaration."""

from dataclasses import replace

import pytest
from sqlalchemy import MetaData

from openfaith_pipeline.catalog.stream import BOOLEAN, DATE, FLOAT, INTEGER, JSON, TEXT, TIMESTAMP, Stream
from openfaith_pipeline.database.raw_tables import raw_metadata, raw_table, staging_table, type_name
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.sources import STREAMS

STREAM = Stream(
    product=Product.CHECK_INS,
    type="Thing",
    path="/check-ins/v2/things",
    attributes={
        "position": INTEGER,
        "a": TEXT,
        "b": INTEGER,
        "c": FLOAT,
        "d": BOOLEAN,
        "e": DATE,
        "f": TIMESTAMP,
        "g": JSON,
    },
    belongs_to={"person": "people.people", "owner": None},
)
TYPED = {
    "person_id": "text",
    "owner_id": "text",
    "owner_type": "text",
    "position": "bigint",
    "a": "text",
    "b": "bigint",
    "c": "numeric",
    "d": "boolean",
    "e": "date",
    "f": "timestamp with time zone",
    "g": "jsonb",
}


def test_a_raw_table_is_keyed_by_org_and_id_and_typed_by_the_declaration() -> None:
    table = raw_table(STREAM, MetaData())
    assert table.fullname == "pco_check_ins.things"
    assert [column.name for column in table.primary_key] == ["org_id", "id"]
    moment = "timestamp with time zone"
    assert {column.name: type_name(column.type) for column in table.columns} == {
        "org_id": "text",
        "id": "text",
        **TYPED,
        "_extra": "jsonb",
        "_content_hash": "bytea",
        "_first_seen_at": moment,
        "_synced_at": moment,
        "_deleted_at": moment,
        "_sync_id": "text",
    }
    required = {column.name for column in table.columns if not column.nullable}
    assert required == {"org_id", "id", "_content_hash", "_first_seen_at", "_synced_at", "_sync_id"}
    indexed = {tuple(column.name for column in index.columns) for index in table.indexes}
    assert indexed == {("org_id", "person_id"), ("org_id", "owner_id")}


def test_a_staging_table_takes_a_record_twice() -> None:
    table = staging_table(STREAM, MetaData())
    assert table.fullname == "staging.check_ins__things"
    assert not table.primary_key.columns
    names = [column.name for column in table.columns]
    assert names == ["_stream_sync_id", "_page", "_position", "id", *TYPED, "_extra", "_content_hash"]


def test_long_index_names_are_cut_and_stay_apart() -> None:
    long = "a_relationship_with_a_name_that_goes_on_and_on_and_on_for_ever"
    stream = replace(STREAM, belongs_to={f"{long}_{suffix}": None for suffix in "xy"})
    names = {str(index.name) for index in raw_table(stream, MetaData()).indexes}
    assert len(names) == 2
    assert all(len(name) == 63 for name in names)


def test_a_second_call_gives_the_same_table() -> None:
    metadata = MetaData()
    assert raw_table(STREAM, metadata) is raw_table(STREAM, metadata)
    assert staging_table(STREAM, metadata) is staging_table(STREAM, metadata)


@pytest.mark.parametrize("name", STREAMS)
def test_the_whole_catalog_has_its_tables(name: str) -> None:
    stream = STREAMS[name]
    assert raw_table(stream).fullname == f"{stream.schema}.{stream.short_name}"
    assert {raw_table(stream), staging_table(stream)} <= set(raw_metadata().tables.values())
