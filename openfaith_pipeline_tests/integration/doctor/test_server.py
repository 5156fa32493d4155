"""Faults of the database itself: each is named, and the remaining checks still run."""

from typing import LiteralString

import psycopg
import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.connection import configured_url, database_at
from openfaith_pipeline.database.server import RunningServer
from openfaith_pipeline.doctor.kinds import Area
from openfaith_pipeline.doctor.server import examine_schema, examine_server
from openfaith_pipeline_tests.integration.doctor.church import Church, examine, kinds

FAULTS: dict[str, LiteralString] = {
    "schema_behind": "ALTER TABLE pco_people.emails DROP COLUMN location CASCADE",
    "links_key_narrow": 'CREATE UNIQUE INDEX narrow ON "openfaith_externalLinks" ("orgId", adapter, "externalId")',
    "changes_unnoted": "ALTER TABLE pco_people.emails DISABLE TRIGGER USER",
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_of_the_tables_is_found_by_name(database: Database, kind: str) -> None:
    with database.connect(autocommit=True) as connection:
        assert list(examine_schema(database, connection)) == []
        connection.execute(FAULTS[kind])
        assert [each.kind.name for each in examine_schema(database, connection)] == [kind]


def test_a_superuser_and_another_encoding_are_found_by_name(database: Database, postgres: RunningServer) -> None:
    with database.connect(autocommit=True) as connection:
        assert list(examine_server(connection)) == []
    with psycopg.connect(postgres.administrator_url(), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS doctor_latin")
        connection.execute("CREATE DATABASE doctor_latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    with psycopg.connect(postgres.administrator_url("doctor_latin"), autocommit=True) as connection:
        found = {each.kind.name: each.detail for each in examine_server(connection)}
    with psycopg.connect(postgres.administrator_url(), autocommit=True) as connection:
        connection.execute("DROP DATABASE doctor_latin")
    assert found == {"role_superuser": "openfaith", "encoding_narrow": "LATIN1"}


def test_a_database_that_is_half_there_is_looked_at_as_far_as_it_is(church: Church) -> None:
    church.run("DROP TABLE sync.webhook_deliveries CASCADE")
    church.run('DROP TABLE "openfaith_emails" CASCADE')
    church.run("UPDATE sync.source_connections SET state = 'needs_reconnect' WHERE org_id = %(org_id)s")
    report = examine(church.database, is_offline=True)
    assert {"schema_behind", "needs_reconnect"} <= kinds(report)
    missing = {each.area for each in report.unexamined}
    assert missing == {Area.DELIVERIES, Area.OPENFAITH}
    assert all("is missing (42P01): openfaith-pipeline db upgrade" in each.reason for each in report.unexamined)


def test_a_database_without_tables_says_so(database: Database, postgres: RunningServer) -> None:
    with psycopg.connect(postgres.administrator_url(), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS doctor_empty")
        connection.execute("CREATE DATABASE doctor_empty ENCODING 'UTF8' TEMPLATE template0 OWNER openfaith_owner")
    settings = database.settings.model_copy(update={"db_name": "doctor_empty"})
    empty = database_at(settings, configured_url(settings))
    with empty.connect(autocommit=True) as connection:
        found = [each.kind.name for each in examine_schema(empty, connection)]
    with psycopg.connect(postgres.administrator_url(), autocommit=True) as connection:
        connection.execute("DROP DATABASE doctor_empty WITH (FORCE)")
    assert found == ["schema_behind"]
