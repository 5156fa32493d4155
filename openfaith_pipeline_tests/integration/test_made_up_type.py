"""One declaration of a made-up type yields everything: table, asset, checks, endpoint of the simulator, docs."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date
from types import MappingProxyType
from typing import Any

import dagster as dg
import httpx
import pytest
from psycopg import sql
from psycopg.rows import dict_row
from pydantic import SecretStr
from sqlalchemy import MetaData

from openfaith_pipeline.catalog.document import render_pages
from openfaith_pipeline.catalog.stream import DATE, INTEGER, JSON, TEXT, Population, Stream
from openfaith_pipeline.checks import rules_for
from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.registry import add_org
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.alignment import align_raw_tables
from openfaith_pipeline.database.raw_tables import RAW_METADATA, tables_of
from openfaith_pipeline.defs.raw_assets import asset_spec, check_specs
from openfaith_pipeline.load.sync_log import SyncStart, begin_sync
from openfaith_pipeline.planning_center import PersonalAccessToken, PlanningCenterClient
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.planning_center.streams.not_synced import NOT_SYNCED
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.attempt import sync_streams
from openfaith_pipeline.sync.results import StreamResult, SyncMode
from openfaith_pipeline_tests.unit.simulator.api import Api

PETS = Stream(
    product=Product.PEOPLE,
    type="Pet",
    path="/people/v2/people/{person_id}/pets",
    attributes={"name": TEXT, "legs": INTEGER, "adopted_on": DATE},
    belongs_to={"person": "people.people", "campus": "people.campuses"},
    has_many={"carers": "people.people"},
    population=Population(0.3, per="people.people"),
)
REGISTRY = MappingProxyType({**STREAMS, PETS.name: PETS})
ORG = "org_01jd0000000000000000000000"
PEOPLE = STREAMS["people.people"]


@pytest.fixture(autouse=True)
def _not_declared_for_others() -> Iterator[None]:
    """The type's tables are not among those that other tests of this process compare a database with."""
    yield
    for table in tables_of(PETS):
        RAW_METADATA.remove(table)


@pytest.fixture(scope="module")
def api() -> Api:
    return Api(people=20, streams=REGISTRY)


@pytest.fixture
def tables(database: Database) -> dict[str, list[str]]:
    """The columns of the tables that the declaration makes, by table; the org is connected."""
    with database.connect() as connection:
        made = align_raw_tables(connection, [PETS], MetaData())
        token = PersonalAccessToken("app", SecretStr("made-up"))
        add_org(connection, cipher_from(database.settings), ORG, "A church", token, adapter="pco")
        rows = connection.execute(
            "SELECT table_schema || '.' || table_name, column_name FROM information_schema.columns"
            " WHERE table_schema || '.' || table_name = ANY(%s) ORDER BY ordinal_position",
            (made,),
        ).fetchall()
    columns: dict[str, list[str]] = {name: [] for name in made}
    for name, column in rows:
        columns[name].append(column)
    return columns


def sync(database: Database, api: Api, *streams: Stream, sync_id: str = "sync_pets") -> dict[str, StreamResult]:
    async def answer(request: httpx.Request) -> httpx.Response:
        given = api.send(request.url.raw_path.decode())
        return httpx.Response(given.status, content=given.body, headers=given.headers)

    @asynccontextmanager
    async def client(_: Database, org_id: str, _adapter: str) -> AsyncIterator[PlanningCenterClient]:
        token = PersonalAccessToken(org_id, SecretStr("made-up"))
        async with PlanningCenterClient(
            "http://planning.center", token, transport=httpx.MockTransport(answer)
        ) as connected:
            yield connected

    with database.connect() as connection:
        begin_sync(connection, SyncStart(sync_id, None, SyncMode.INCREMENTAL.value, "test", {}))
    return asyncio.run(
        sync_streams(database, ORG, streams, mode=SyncMode.INCREMENTAL, sync_id=sync_id, client_factory=client)
    )


def read(database: Database, table: str) -> list[dict[str, Any]]:
    with database.connect(row_factory=dict_row) as connection:
        return connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier("pco_people", table))).fetchall()


def test_its_tables(tables: dict[str, list[str]]) -> None:
    typed = ["person_id", "campus_id", "name", "legs", "adopted_on"]
    assert set(tables) == {"pco_people.pets", "staging.people__pets", "pco_people.pets_carers"}
    assert tables["pco_people.pets"][:7] == ["org_id", "id", *typed]
    assert [column for column in tables["staging.people__pets"] if not column.startswith("_")] == ["id", *typed]
    assert tables["pco_people.pets_carers"] == ["org_id", "id", "related_id", "position"]


def _register(monkeypatch: pytest.MonkeyPatch, streams: Mapping[str, Stream]) -> None:
    for module in ("attempt", "checked"):
        monkeypatch.setattr(f"openfaith_pipeline.sync.{module}.STREAMS", streams)


def test_its_rows(database: Database, tables: dict[str, list[str]], api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tables
    _register(monkeypatch, REGISTRY)
    results = sync(database, api, PEOPLE, PETS)
    truth = {row["id"]: row for row in api.church.truth(PETS.name)}
    rows = {row["id"]: row for row in read(database, "pets")}
    assert {result.status for result in results.values()} == {"succeeded"}
    assert rows.keys() == truth.keys()
    for id, row in rows.items():
        attributes, relationships = truth[id]["attributes"], truth[id]["relationships"]
        adopted_on = attributes["adopted_on"] and date.fromisoformat(attributes["adopted_on"])
        assert (row["name"], row["legs"], row["adopted_on"]) == (attributes["name"], attributes["legs"], adopted_on)
        assert row["person_id"] == relationships["person"]["data"]["id"]
        assert row["campus_id"] == (relationships["campus"]["data"] or {}).get("id")
    named = {(id, each["id"]) for id, row in truth.items() for each in row["relationships"]["carers"]["data"]}
    assert {(row["id"], row["related_id"]) for row in read(database, "pets_carers")} == named
    assert named

    with database.connect() as connection:
        findings = {rule.name: rule.examine(connection, PETS, ORG) for rule in rules_for(PETS)}
    assert {name for name, finding in findings.items() if finding.passed} >= {
        "nothing_quarantined",
        "relationships_resolve",
    }


def test_an_upgrade_that_widens_and_adds_columns_writes_no_row_anew(
    database: Database, tables: dict[str, list[str]], api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tables
    _register(monkeypatch, REGISTRY)
    sync(database, api, PEOPLE, PETS)
    before = _versions(database)
    newer = replace(PETS, attributes={"name": JSON, "legs": TEXT, "adopted_on": TEXT, "chip": TEXT})
    with database.connect() as connection:
        align_raw_tables(connection, [newer], MetaData())
    written = _versions(database)
    _register(monkeypatch, {**REGISTRY, PETS.name: newer})
    result = sync(database, api, PEOPLE, newer, sync_id="sync_again")[PETS.name]
    assert (result.status, result.inserted, result.updated) == ("succeeded", 0, 0)
    assert result.fetched == len(before) > 0
    assert _versions(database) == written
    assert {row["name"] for row in read(database, "pets")} == {
        row["attributes"]["name"] for row in api.church.truth(PETS.name)
    }
    with database.connect() as connection:
        connection.execute("DELETE FROM pco_people.pets_carers WHERE id = (SELECT min(id) FROM pco_people.pets_carers)")
    assert sync(database, api, PEOPLE, newer, sync_id="sync_links")[PETS.name].updated == 1


def _versions(database: Database) -> list[tuple[str, str]]:
    with database.connect() as connection:
        return connection.execute("SELECT id, xmin::text FROM pco_people.pets ORDER BY id").fetchall()


@pytest.mark.filterwarnings("ignore::dagster.PreviewWarning")
def test_its_asset_and_checks() -> None:
    spec = asset_spec(PETS)
    assert spec.key == dg.AssetKey(["pco_people", "pets"])
    assert spec.group_name == "pco_people"
    assert [dep.asset_key for dep in spec.deps] == [dg.AssetKey(["pco_people", "people"])]
    assert PETS.reference_url in (spec.description or "")
    columns = [column.name for column in spec.metadata["dagster/column_schema"].columns]
    assert columns[:7] == ["org_id", "id", *PETS.columns]
    assert {check.name for check in check_specs(PETS)} == {rule.name for rule in rules_for(PETS)}
    assert {"nothing_quarantined", "relationships_resolve"} <= {check.name for check in check_specs(PETS)}


def test_its_endpoint_in_the_simulator(api: Api) -> None:
    people = api.ids("/people/v2/people?per_page=100")
    listed = [row for person in people for row in api.get(f"/people/v2/people/{person}/pets?per_page=100")["data"]]
    truth = {row["id"]: row for row in api.church.truth(PETS.name)}
    assert {row["id"]: row["attributes"] for row in listed} == {id: row["attributes"] for id, row in truth.items()}
    assert len(truth) == pytest.approx(0.3 * len(people), abs=1)


def test_its_section_in_the_documentation() -> None:
    document, before = (render_pages(streams.values(), NOT_SYNCED) for streams in (REGISTRY, STREAMS))
    assert "Of the 256 types that Planning Center documents, 216 are synced" in document["README.md"]
    assert {name for name in document if document[name] != before[name]} == {"README.md", "people.md"}
    section = document["people.md"].partition("\n## pets\n")[2].partition("\n## ")[0]
    assert "Pets of Planning Center People. Type [Pet](" in section
    assert "- Read as: child of `people.people`: full\n" in section
    assert "| `person_id` | text |  | Id of the person, in pco_people.people |" in section
    assert "`pco_people.pets_carers`. `related_id`: id of one of its carers, in pco_people.people." in section
