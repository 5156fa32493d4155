"""Each mapped type of People, Groups and Check-Ins against rules written by hand: rows, edges and fields."""

from typing import Any

import psycopg
import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.sources import CANONICAL
from openfaith_pipeline_tests.integration.transform.product_oracle import (
    Ids,
    Products,
    attribute_fields,
    expected_columns,
    expected_edges,
    expected_fields,
    external_id,
    named_records,
)
from openfaith_pipeline_tests.integration.transform.product_rules import EDGES, FIELDS, ROWS, SAME_RECORDS
from openfaith_pipeline_tests.integration.transform.tables import entity_ids, rows, transform

ORG = "org_01h455vb4pex5vsknk084sn02q"
OF_THE_FIRST_ORACLE = {"people.emails", "people.phone_numbers", "people.addresses", "people.field_definitions"}
PRODUCTS = ("people", "groups", "check_ins")


def test_the_rules_know_every_declared_type() -> None:
    def of_products(streams: Any) -> set[str]:
        return {name for name in streams if name.partition(".")[0] in PRODUCTS}

    assert of_products(CANONICAL.entities) == ROWS.keys() | OF_THE_FIRST_ORACLE
    assert of_products(CANONICAL.edges) == EDGES.keys()
    assert of_products(each.stream.name for each in CANONICAL.fields) == {each.of for each in FIELDS}
    assert of_products(CANONICAL.aliases) == SAME_RECORDS.keys()


@pytest.mark.parametrize("seed", range(2))
def test_rows_edges_and_fields_follow_the_rules(database: Database, seed: int) -> None:
    church = Products(ORG, seed)
    church.fill(people=9)
    with database.connect() as connection:
        for _ in range(3):
            church.store(connection)
            transform(connection, ORG)
            _check(connection, church)
            again = transform(connection, ORG)
            assert {(result.inserted, result.updated) for result in again.values()} == {(0, 0)}
            church.change()


def _check(connection: psycopg.Connection[Any], church: Products) -> None:
    links = entity_ids(connection, ORG)
    # A record once named keeps its link, whatever names it now.
    known = {(name, str(number)) for name in ROWS for number in range(1, 20)}
    named = {(name, key): (ROWS[name].tag, external_id(name, key)) for name, key in known}
    ids = {record: links[link] for record, link in named.items() if link in links}
    assert len({*ids.values()}) == len(ids) == len(links)
    assert named_records(church) <= ids.keys()
    found = {table: {row["id"]: row for row in rows(connection, table, ORG)} for table in _tables()}
    for table, every in found.items():
        wanted = {ids[name, key] for name in _streams_of(table) for key in church.rows[name]}
        assert every.keys() == wanted, table
    for name in ROWS:
        for key, raw in church.rows[name].items():
            _check_row(church, name, raw, found[ROWS[name].table][ids[name, key]], ids)
    _check_edges(connection, church, ids)


def _check_row(church: Products, name: str, raw: dict[str, Any], row: dict[str, Any], ids: Ids) -> None:
    items = {item["name"]: item["value"] for item in row["customFields"]}
    given = expected_fields(church, name, raw["id"])
    assert {key: items.get(key) for key in given} == given, name
    if name in {"people.people", "people.campuses", "people.field_definitions"}:
        return  # their own columns are the other oracle's
    wanted = expected_columns(name, raw, ids)
    assert {column: row[column] for column in wanted} == wanted, name
    extras = {f"pco_{key}" for key, value in (raw["_extra"] or {}).items() if value is not None}
    assert items.keys() == given.keys() | extras | attribute_fields(name, raw), name


def _check_edges(connection: psycopg.Connection[Any], church: Products, ids: Ids) -> None:
    wanted = expected_edges(church, ids)
    live = {
        (edge["sourceEntityId"], edge["targetEntityId"], edge["relationshipType"]): edge
        for edge in rows(connection, "edges", ORG)
        if edge["deletedAt"] is None
    }
    assert live.keys() == wanted.keys()
    for key, edge in wanted.items():
        assert {name: live[key][name] for name in edge} == edge, key[2]


def _tables() -> set[str]:
    return {rule.table for rule in ROWS.values()}


def _streams_of(table: str) -> list[str]:
    return [name for name, rule in ROWS.items() if rule.table == table]
