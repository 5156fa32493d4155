"""On a database that OpenFaith's migrations have made, a sync of all products leaves rows that OpenFaith reads."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import psycopg
import pytest
from psycopg import sql

from openfaith_pipeline.connections.openfaith_tokens import adopt_openfaith_orgs
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.connection import configured_url, database_at
from openfaith_pipeline.database.migration import upgrade
from openfaith_pipeline.database.owner import OWNER
from openfaith_pipeline.database.server import RunningServer
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline.sources import CANONICAL
from openfaith_pipeline.transform import transform_org
from openfaith_pipeline_tests.conftest import settings_named
from openfaith_pipeline_tests.integration.sync.church import ALL, statuses, sync
from openfaith_pipeline_tests.migrations.openfaith_reading import (
    FORM,
    OpenFaith,
    faults_of_edge,
    faults_of_entity,
    few,
)
from openfaith_pipeline_tests.migrations.test_canonical import (
    GUARDS,
    SCHEMA_FACTS,
    _columns,
    _create_from_facts,
    _facts,
)
from openfaith_pipeline_tests.oauth_grants import grant, with_oauth
from openfaith_pipeline_tests.rates import GENEROUS

CHURCH = made_up_churches(1, people=8)[0]
ORG, USER = CHURCH.org_id, "user_01h455vb4pex5vsknk084sn02q"
NAME = "drop_in"


class Place(NamedTuple):
    database: Database
    simulator: SimulatorClient


@pytest.fixture(scope="module")
def place(postgres: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """OpenFaith's database with a church that one of its users has connected, upgraded and synced."""
    if not SCHEMA_FACTS.exists():
        pytest.skip("the facts about the application's schema are not here")
    settings = settings_named(postgres, NAME, tmp_path_factory.mktemp("drop_in") / "home")
    with (
        psycopg.connect(postgres.administrator_url(), autocommit=True) as administrator,
        running_simulator([CHURCH], rate_limit=GENEROUS) as simulator,
    ):
        name = sql.Identifier(NAME)
        administrator.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, sql.Identifier(OWNER)))
        made = database_at(settings, configured_url(settings))
        database = replace(made, settings=with_oauth(settings, simulator.url))
        _make_by_openfaith(database)
        upgrade(database)
        _connect_in_openfaith(database, simulator)
        with database.connect() as connection:
            assert adopt_openfaith_orgs(connection, "public", adapter="pco") == [ORG]
        assert statuses(sync(database, ORG, ALL, sync_id="drop-in")) == {}
        with database.connect() as connection:
            transform_org(connection, ORG, schema="public", sync_id="drop-in", is_full=True)
        yield Place(database, simulator)
        administrator.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def _make_by_openfaith(database: Database) -> None:
    with database.connect() as connection:
        _create_from_facts(connection, _facts())
        connection.execute(GUARDS["index"])  # type: ignore[arg-type]


def _connect_in_openfaith(database: Database, simulator: SimulatorClient) -> None:
    """As OpenFaith leaves its tables after a user's approval in Planning Center."""
    token = grant(simulator, ORG)
    assert token.refresh_token
    with database.connect() as connection:
        connection.execute(
            'INSERT INTO openfaith_orgs (id, name, "createdAt") VALUES (%s, %s, now())', (ORG, CHURCH.name)
        )
        connection.execute(
            'INSERT INTO "openfaith_adapterDetails" (adapter, "createdAt", enabled, "orgId", "syncStatus")'
            " VALUES ('pco', now(), true, %s, '{}')",
            (ORG,),
        )
        connection.execute(
            'INSERT INTO "openfaith_adapterTokens" ("userId", "orgId", adapter, "accessToken", "refreshToken",'
            ' "createdAt", "expiresIn") VALUES (%s, %s, \'pco\', %s, %s, now(), 7200)',
            (USER, ORG, token.access_token.get_secret_value(), token.refresh_token.get_secret_value()),
        )


@pytest.fixture
def openfaith(place: Place) -> Iterator[OpenFaith]:
    tables = {table.tag: f"openfaith_{name}" for name, table in CANONICAL.tables.items()}
    with place.database.connect() as connection:
        yield OpenFaith(connection, ORG, tables)


def test_every_list_of_entities_is_readable_and_none_is_empty(openfaith: OpenFaith) -> None:
    faults = []
    for tag, table in openfaith.tables.items():
        found = openfaith.listed(tag)
        if not found:
            faults.append(f"{table} is empty")
        faults += [f"{table}: {fault}" for row in found for fault in faults_of_entity(tag, ORG, row)]
    assert few(faults) == []


def test_tables_that_openfaith_lacks_have_the_form_of_its_own(openfaith: OpenFaith) -> None:
    facts, found = _facts(), _columns(openfaith.connection)

    def form(table: str) -> dict[str, Any]:
        return {name: tuple(rest) for name, *rest in found[table] if name in FORM and name != "_tag"}

    theirs = form("openfaith_people")
    assert theirs.keys() == {*FORM} - {"_tag"}
    for table in openfaith.tables.values():
        if table not in facts:
            assert form(table) == theirs, table


def test_edges_of_every_entity_lead_to_entities_by_the_rules(openfaith: OpenFaith) -> None:
    edges = {
        (row["sourceEntityId"], row["targetEntityId"], row["relationshipType"]): row
        for entity_id in openfaith.entities
        for row in openfaith.edges(entity_id)
    }
    assert len(edges) > 1000
    assert few([fault for row in edges.values() for fault in faults_of_edge(row, openfaith.entities)]) == []
    for source, target in {(row["sourceEntityTypeTag"], row["targetEntityTypeTag"]) for row in edges.values()}:
        assert target in openfaith.targets_of(source), (source, target)
        assert source in openfaith.targets_of(target), (target, source)


def test_links_are_found_both_ways_and_stand_for_one_entity(openfaith: OpenFaith) -> None:
    assert openfaith.entities
    merged = openfaith.connection.execute("SELECT person_to_remove_id FROM pco_people.person_mergers").fetchall()
    for entity_id, (tag, row) in openfaith.entities.items():
        links = openfaith.links_of(entity_id)
        assert {(link["orgId"], link["adapter"], link["entityType"], link["_tag"]) for link in links} == {
            (ORG, "pco", tag, "externalLink")
        }, entity_id
        known = {link["externalId"] for link in links}
        for external_id in known:
            assert openfaith.entity_of(tag, external_id) == entity_id
        names = {f"{item['stream']}:{item['id']}" if "stream" in item else item["id"] for item in row["externalIds"]}
        assert names <= known, entity_id
        assert known - names <= {id for (id,) in merged if tag == "person"}, "those of a merged person"


def test_folders_are_reached_from_the_top(openfaith: OpenFaith) -> None:
    reached, waiting = {}, [None]
    while waiting:
        for row in openfaith.folders(waiting.pop()):
            assert row["id"] not in reached
            reached[row["id"]] = row
            waiting.append(row["id"])
    assert reached.keys() == {row["id"] for row in openfaith.listed("folder")}
    assert [row["id"] for row in reached.values() if not row["name"] or not row["folderType"]] == []


def test_fields_are_found_by_their_key_and_by_their_entity(openfaith: OpenFaith) -> None:
    fields = openfaith.listed("field")
    assert {row["id"] for row in openfaith.fields_of("person")} == {row["id"] for row in fields}
    for row in fields:
        assert row["key"] and row["label"] and row["source"] == "pco"
        assert row["id"] in {found["id"] for found in openfaith.field(row["key"])}


def test_every_option_is_offered_by_its_field(openfaith: OpenFaith) -> None:
    offered = {row["id"]: row for field in openfaith.listed("field") for row in openfaith.options_of(field["id"])}
    assert offered.keys() == {row["id"] for row in openfaith.listed("fieldOption")}
    assert all(row["label"] and row["label"] == row["value"] for row in offered.values())
    assert len({row["order"] for row in offered.values()}) > 1
