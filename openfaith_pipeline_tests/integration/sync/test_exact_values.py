"""Values are stored exactly, to the last digit and for any text, in rows, `_extra` and quarantine."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from psycopg.rows import dict_row
from pydantic import SecretStr

from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.registry import add_org
from openfaith_pipeline.database import Database
from openfaith_pipeline.load.sync_log import SyncStart, begin_sync
from openfaith_pipeline.planning_center import PersonalAccessToken, PlanningCenterClient
from openfaith_pipeline.planning_center.streams import people
from openfaith_pipeline.sync.attempt import sync_streams
from openfaith_pipeline.sync.results import StreamResult, SyncMode

ORG = "org_01jd0000000000000000000000"
TOKEN = PersonalAccessToken("app", SecretStr("made-up"))


def sync_pages(database: Database, body: bytes) -> StreamResult:
    """A reconcile of the campuses, all in one page."""

    async def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=body, headers={"content-type": "application/vnd.api+json"})

    @asynccontextmanager
    async def client(_: Database, org_id: str, _adapter: str) -> AsyncIterator[PlanningCenterClient]:
        assert org_id == ORG
        async with PlanningCenterClient("http://planning.center", TOKEN, transport=httpx.MockTransport(answer)) as one:
            yield one

    with database.connect() as connection:
        add_org(connection, cipher_from(database.settings), ORG, "A church", TOKEN, adapter="pco")
        begin_sync(connection, SyncStart("sync_exact", None, SyncMode.RECONCILE.value, "test", {}))
    results = asyncio.run(
        sync_streams(
            database, ORG, [people.CAMPUSES], mode=SyncMode.RECONCILE, sync_id="sync_exact", client_factory=client
        )
    )
    return results["people.campuses"]


def campus(identifier: str, attributes: str) -> str:
    return f'{{"type": "Campus", "id": "{identifier}", "attributes": {{{attributes}}}, "relationships": {{}}}}'


def page(*records: str) -> bytes:
    return f'{{"data": [{", ".join(records)}], "meta": {{"total_count": {len(records)}}}, "links": {{}}}}'.encode()


def rows(database: Database) -> dict[str, dict[str, Any]]:
    with database.connect(row_factory=dict_row) as connection:
        found = connection.execute(
            "SELECT id, name, zip, latitude::text, description, _extra, _extra::text AS extra FROM pco_people.campuses"
        ).fetchall()
    return {row["id"]: row for row in found}


def test_digits_are_stored_as_they_were_sent(database: Database) -> None:
    numbers = '"name": 12345678901234567890123, "zip": 98765432109876543210987, "latitude": 10.1234567890123456789'
    unknown = '"size": 98765432109876543210987, "share": 0.12345678901234567890'
    unknown += ', "church_center_enabled": 12345678901234567890'
    result = sync_pages(database, page(campus("1", f"{numbers}, {unknown}"), campus("2", '"latitude": 45.5')))
    assert result.status == "succeeded"
    row = rows(database)["1"]
    assert (row["name"], row["zip"], row["latitude"]) == (
        "12345678901234567890123",
        "98765432109876543210987",
        "10.1234567890123456789",
    )
    assert '"size": 98765432109876543210987' in row["extra"]
    assert '"share": 0.12345678901234567890' in row["extra"]
    assert '"church_center_enabled": 12345678901234567890' in row["extra"]
    assert rows(database)["2"]["latitude"] == "45.5"
    with database.connect() as connection:
        [(field, record)] = connection.execute("SELECT field, record::text FROM sync.quarantine").fetchall()
    assert field == "church_center_enabled"
    assert '"church_center_enabled": 12345678901234567890' in record and "98765432109876543210987" in record


def test_half_a_surrogate_pair_costs_its_value_and_nothing_else(database: Database) -> None:
    broken = campus("1", r'"name": "Main", "description": "Meet us at nine \ud83d", "size": "small \ud83d"')
    result = sync_pages(database, page(broken, campus("2", '"name": "North"')))
    assert (result.status, result.inserted, result.quarantined) == ("succeeded", 2, 1)
    found = rows(database)
    assert (found["1"]["name"], found["1"]["description"], found["2"]["name"]) == ("Main", None, "North")
    assert found["1"]["_extra"] == {"description": "Meet us at nine \ufffd", "size": "small \ufffd"}
    with database.connect() as connection:
        entries = connection.execute(
            "SELECT field, record #>> '{attributes,description}' FROM sync.quarantine ORDER BY field"
        ).fetchall()
    assert entries == [("description", "Meet us at nine \ufffd"), ("size", "Meet us at nine \ufffd")]


def test_a_record_with_an_id_too_long_for_an_index_is_set_aside_and_the_others_go_on(database: Database) -> None:
    result = sync_pages(database, page(campus("x" * 3200, '"name": "Long"'), campus("2", '"name": "North"')))
    assert (result.inserted, result.quarantined, result.error) == (1, 1, result.error)
    assert list(rows(database)) == ["2"]
    with database.connect() as connection:
        [(reason,)] = connection.execute("SELECT reason FROM sync.quarantine").fetchall()
    assert "255 characters" in reason
