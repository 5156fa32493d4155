"""The tables of each product against its rules written again in Python, while its raw rows change."""

from typing import Any

import psycopg
import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline_tests.integration.transform.products import (
    calendar,
    giving,
    publishing,
    registrations,
    services,
)
from openfaith_pipeline_tests.integration.transform.products.rules import Edges, Oracle
from openfaith_pipeline_tests.integration.transform.products.world import DIRECTORY, World
from openfaith_pipeline_tests.integration.transform.tables import entity_ids, row_versions, rows, transform

ORG = "org_01h455vb4pex5vsknk084sn02q"
TURNS = 3
PRODUCTS: dict[str, tuple[Oracle, dict[str, tuple[str, ...]]]] = {
    "giving": (giving.ORACLE, {}),
    "calendar": (calendar.ORACLE, {}),
    "registrations": (registrations.ORACLE, {}),
    "publishing": (publishing.ORACLE, publishing.KINDS),
    "services": (services.ORACLE, services.KINDS),
}


@pytest.mark.parametrize("product", PRODUCTS)
def test_tables_follow_the_source_by_the_rules(database: Database, product: str) -> None:
    oracle, kinds = PRODUCTS[product]
    world = World(ORG, product, seed=7, kinds=kinds)
    with database.connect() as connection:
        for _ in range(TURNS):
            world.store(connection)
            transform(connection, ORG)
            world.ids = entity_ids(connection, ORG)
            for stream in oracle.rows:
                _check_rows(connection, oracle, world, stream)
            _check_edges(connection, oracle, world)
            before = row_versions(connection)
            transform(connection, ORG)
            assert row_versions(connection) == before, "nothing changed"
            world.change()


def _check_rows(connection: psycopg.Connection[Any], oracle: Oracle, world: World, stream: str) -> None:
    table = oracle.rows[stream].table
    found = {row["id"]: row for row in rows(connection, table, ORG)}
    wanted = oracle.expected_rows(world, stream)
    assert "" not in wanted, "a loaded record without a link"
    streams = [name for name, rule in oracle.rows.items() if rule.table == table]
    assert found.keys() == {entity_id for name in streams for entity_id in _ids(oracle, world, name)}
    for entity_id, row in wanted.items():
        fields = {item["name"]: item for item in found[entity_id]["customFields"]}
        assert len(fields) == len(found[entity_id]["customFields"])
        if stream in DIRECTORY:
            names = {f"pco_{name}" for name in oracle.fields_on(world, stream)}
            assert {name: fields.get(name) for name in names} == {name: row["customFields"].get(name) for name in names}
            continue
        assert {name: found[entity_id][name] for name in row} | {"customFields": fields} == row, stream


def _ids(oracle: Oracle, world: World, stream: str) -> list[str | None]:
    return [oracle.entity_id(world, stream, record_id) for record_id in world.rows[stream]]


def _check_edges(connection: psycopg.Connection[Any], oracle: Oracle, world: World) -> None:
    tags = {row.tag for row in oracle.rows.values()}
    wanted = oracle.expected_edges(world)
    found = {
        (edge["sourceEntityId"], edge["targetEntityId"], edge["relationshipType"]): edge
        for edge in rows(connection, "edges", ORG)
        if edge["deletedAt"] is None and {edge["sourceEntityTypeTag"], edge["targetEntityTypeTag"]} <= tags
    }
    assert found.keys() == wanted.keys()
    for key, edge in found.items():
        _check_edge(edge, key, wanted)
    joined = {join.key for join in oracle.joins.values()}
    assert joined <= {edge["metadata"]["relationshipKey"] for edge in found.values()}, "each kind occurs"


def _check_edge(edge: dict[str, Any], key: tuple[str, str, str], wanted: Edges) -> None:
    rule = wanted[key]
    metadata = dict(edge["metadata"])
    assert metadata.pop("source") == "pco_direct"
    assert metadata.pop("relationshipKey") == min(rule["keys"]), key
    assert metadata == rule.get("metadata", {}), key
    assert edge["createdAt"] == min(rule["created"])
    assert edge["updatedAt"] == max((moment for moment in rule["updated"] if moment), default=None)
