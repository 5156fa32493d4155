"""Erased records in Dagster's events, and in deliveries that come after the erasure."""

from collections.abc import Collection

import dagster as dg
from psycopg.rows import dict_row

from openfaith_pipeline.catalog.events import Incoming
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.dagster_previews import remove_from_previews
from openfaith_pipeline.database.dagster_removal import remove_partition
from openfaith_pipeline.database.server import RunningServer
from openfaith_pipeline.defs.asset_metadata import preview_table
from openfaith_pipeline.defs.instance import open_instance
from openfaith_pipeline.load.erased import mark_of
from openfaith_pipeline.webhooks.deliveries import claim, keep_deliveries
from openfaith_pipeline_tests.integration.privacy.planting import files_with

KEY = dg.AssetKey(["pco_people", "emails"])


def _ids(instance: dg.DagsterInstance, partition: str) -> list[str]:
    found = instance.fetch_materializations(dg.AssetRecordsFilter(KEY, asset_partitions=[partition]), limit=9).records
    return [
        str(record.data["id"])
        for each in found
        if each.asset_materialization
        for record in each.asset_materialization.metadata["preview"].records  # type: ignore[attr-defined]
    ]


def test_previews_lose_the_erased_and_partitions_go_whole(database: Database) -> None:
    rows = [{"id": "1", "person_id": "7"}, {"id": "2", "person_id": "8"}, {"id": "3", "person_id": "8"}]
    with open_instance(database.settings, database) as instance:
        for partition in ("org_a", "org_b"):
            metadata = {"preview": preview_table(rows)}
            instance.report_runless_asset_event(dg.AssetMaterialization(KEY, partition=partition, metadata=metadata))
        erased: dict[tuple[str, ...], dict[str, Collection[str]]] = {
            ("pco_people", "emails"): {"id": {"3"}, "person_id": {"7"}}
        }
        with database.connect() as connection:
            assert remove_from_previews(connection, "org_a", erased) == 1
        assert (_ids(instance, "org_a"), _ids(instance, "org_b")) == (["2"], ["1", "2", "3"])
        with database.connect() as connection:
            assert remove_from_previews(connection, "org_b", erased) == 2, "the event, and the asset's newest"
            assert connection.execute(
                'SELECT count(*) FROM dagster.asset_keys WHERE last_materialization LIKE \'%"person_id": "7"%\''
            ).fetchone() == (0,)
        with database.connect() as connection:
            assert remove_partition(connection, "org_a")["dagster.event_logs"] == 1
        assert (_ids(instance, "org_a"), _ids(instance, "org_b")) == ([], ["2"])


async def test_a_later_delivery_about_the_erased_is_never_in_the_tables_file(
    database: Database, postgres: RunningServer
) -> None:
    mark_one(database)
    sent = [
        Incoming("org", person, "people.v2.events.email.created", "people.emails", f"{person}5", None, document(person))
        for person in ("1", "2")
    ]
    async with database.pool(size=1, autocommit=True) as pool, pool.connection() as connection:
        await keep_deliveries(connection, sent)
        await keep_deliveries(connection, sent)
        cursor = await connection.execute(
            "SELECT event_id, status, settled_at IS NULL, record_id, payload FROM sync.webhook_deliveries ORDER BY 1"
        )
        assert await cursor.fetchall() == [
            ("1", "ignored", False, None, b"{}"),
            ("2", "pending", True, "25", document("2")),
        ]
    assert files_with(postgres, database, "address of 2") == ["sync.webhook_deliveries"]
    assert files_with(postgres, database, "address of 1") == []


def document(person: str) -> bytes:
    named = f'{{"person": {{"data": {{"type": "Person", "id": "{person}"}}}}}}'
    shown = f'{{"address": "address of {person}"}}'
    mail = f'{{"type": "Email", "id": "{person}5", "attributes": {shown}, "relationships": {named}}}'
    return f'{{"data": {mail}}}'.encode()


def mark_one(database: Database) -> None:
    """Person 1 of the org is erased."""
    with database.connect() as connection:
        connection.execute("INSERT INTO sync.orgs (org_id, name) VALUES ('org', 'a church')")
        connection.execute("INSERT INTO sync.erasure_salts (org_id, salt) VALUES ('org', 'salt')")
        connection.execute(
            "INSERT INTO sync.erasures (erasure_id, org_id, subject, erased_by, counts)"
            " VALUES ('e', 'org', 'person', 'me', '{}')"
        )
        connection.execute(
            "INSERT INTO sync.erased_records (org_id, stream, record_hash, erasure_id)"
            " VALUES ('org', 'people.people', %s, 'e')",
            (mark_of(b"salt", "people.people", "1"),),
        )


async def test_deliveries_kept_before_the_erasure_are_not_claimed(database: Database) -> None:
    mark_one(database)
    with database.connect() as connection:
        for person in ("1", "2"):
            connection.execute(
                "INSERT INTO sync.webhook_deliveries (org_id, event_id, event, stream, record_id, payload)"
                " VALUES ('org', %s, 'people.v2.events.email.created', 'people.emails', %s, %s)",
                (person, f"{person}5", document(person)),
            )
    async with database.pool(size=1, row_factory=dict_row) as pool, pool.connection() as connection:
        assert [delivery.event_id for delivery in await claim(connection, "me:1:x", [])] == ["2"]
        await connection.execute("UPDATE sync.webhook_deliveries SET status = 'pending' WHERE event_id = '1'")
        again = await claim(connection, "me:1:y", ["me:1:x"])
        assert [delivery.event_id for delivery in again] == ["2"], "the other was replayed"
        cursor = await connection.execute(
            "SELECT status, record_id, convert_from(payload, 'UTF8') AS payload FROM sync.webhook_deliveries"
            " WHERE event_id = '1'"
        )
        [left] = await cursor.fetchall()
    assert dict(left) == {"status": "ignored", "record_id": None, "payload": "{}"}
