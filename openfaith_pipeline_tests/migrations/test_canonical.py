"""The canonical tables in a database that is the OpenFaith application's own, and in one that is not."""

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection, sql

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.canonical_tables import EXTERNAL_LINK_KEY, canonical_metadata
from openfaith_pipeline.database.connection import database_at
from openfaith_pipeline.database.migration import is_current, upgrade
from openfaith_pipeline.sources import CANONICAL

SEEDED = {"openfaith_sacraments"}
"""The application's too, but of those that no sync touches, which the facts leave out."""

DECLARED = {f"openfaith_{name}" for name in CANONICAL.tables}
"""Tables of entities; those that the application does not have are of the same form."""

SCHEMA_FACTS = Path(__file__).parents[3] / "shared" / "openfaith-model" / "schema.json"

# As the application's migrations leave it: the key and a second guard, both without the type of the entity.
APPLICATION_LINKS = """
CREATE TABLE "openfaith_externalLinks" (
    "_tag" char(12) DEFAULT 'externalLink' NOT NULL,
    "adapter" text NOT NULL,
    "createdAt" timestamptz NOT NULL,
    "entityId" text NOT NULL,
    "entityType" text NOT NULL,
    "externalId" text NOT NULL,
    "lastProcessedAt" timestamptz NOT NULL,
    "orgId" text NOT NULL,
    "updatedAt" timestamptz,
    "deletedAt" timestamptz,
    "deletedBy" text,
    "syncing" boolean DEFAULT false NOT NULL,
    CONSTRAINT "externalLinksPk" PRIMARY KEY ("orgId", "adapter", "externalId")
);
CREATE INDEX "adapterExternalIdIdx" ON "openfaith_externalLinks" (adapter, "externalId");
"""
GUARDS = {
    "constraint": 'ALTER TABLE "openfaith_externalLinks" ADD CONSTRAINT "uniqueExternalLink"'
    ' UNIQUE ("orgId", "adapter", "externalId")',
    "index": 'CREATE UNIQUE INDEX "uniqueExternalLink" ON "openfaith_externalLinks" ("orgId", "adapter", "externalId")',
    "none": "SELECT 1",
}
LINK = (
    'INSERT INTO "openfaith_externalLinks"'
    ' ("orgId", adapter, "externalId", "entityType", "entityId", "createdAt", "lastProcessedAt")'
    " VALUES ('org', 'pco', '7', %s, %s, now(), now())"
)


def _unique_columns(connection: Connection[Any]) -> list[set[str]]:
    rows = connection.execute(
        "SELECT array_agg(a.attname::text) FROM pg_index i JOIN pg_attribute a"
        " ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)"
        """ WHERE i.indrelid = '"openfaith_externalLinks"'::regclass AND i.indisunique GROUP BY i.indexrelid"""
    ).fetchall()
    return [set(row[0]) for row in rows]


@pytest.mark.parametrize("guard", GUARDS)
def test_the_applications_links_get_the_wider_key_and_keep_their_rows(empty_database: Database, guard: str) -> None:
    with empty_database.connect() as connection:
        connection.execute(APPLICATION_LINKS)
        connection.execute(GUARDS[guard])  # type: ignore[arg-type]
        connection.execute(LINK, ("person", "person_1"))
    upgrade(empty_database)
    with empty_database.connect() as connection:
        connection.execute(LINK, ("email", "email_1"))
        links = connection.execute('SELECT "entityId" FROM "openfaith_externalLinks" ORDER BY 1').fetchall()
        assert links == [("email_1",), ("person_1",)]
        assert _unique_columns(connection) == [set(EXTERNAL_LINK_KEY)] * 2
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute(LINK, ("email", "email_2"))


def test_a_fresh_database_keeps_types_apart(database: Database) -> None:
    with database.connect() as connection:
        for kind in ("person", "email"):
            connection.execute(LINK, (kind, f"{kind}_1"))
        assert _unique_columns(connection) == [set(EXTERNAL_LINK_KEY)] * 2


def test_another_schema_holds_the_tables_when_it_is_set(empty_database: Database) -> None:
    settings = empty_database.settings.model_copy(update={"canonical_schema": "church"})
    database = database_at(settings, empty_database.url)
    upgrade(database)
    assert is_current(database)
    with database.connect() as connection:
        assert connection.execute('SELECT count(*) FROM church."openfaith_phoneNumbers"').fetchone() == (0,)
        assert connection.execute("SELECT to_regclass('public.openfaith_people')").fetchone() == (None,)


def _facts() -> dict[str, Any]:
    if not SCHEMA_FACTS.exists():
        pytest.skip("the facts about the application's schema are not here")
    tables: dict[str, Any] = json.loads(SCHEMA_FACTS.read_text())["tables"]
    return tables


def _create_from_facts(connection: Connection[Any], tables: dict[str, Any]) -> None:
    for name, facts in tables.items():
        columns = [
            sql.SQL("{} {} {} {}").format(
                sql.Identifier(column["name"]),
                sql.SQL(column["type"]),
                sql.SQL(f"DEFAULT {column['default']}" if column.get("default") else ""),
                sql.SQL("" if column["nullable"] else "NOT NULL"),
            )
            for column in facts["columns"]
        ]
        key = sql.SQL("PRIMARY KEY ({})").format(sql.SQL(", ").join(map(sql.Identifier, facts["primary_key"])))
        statement = sql.SQL("CREATE TABLE {} ({})").format(sql.Identifier(name), sql.SQL(", ").join([*columns, key]))
        connection.execute(statement)


def _columns(connection: Connection[Any]) -> dict[str, set[Any]]:
    rows = connection.execute(
        "SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default"
        " FROM information_schema.columns WHERE table_schema = 'public'"
    ).fetchall()
    return {name: {row[1:] for row in rows if row[0] == name} for name in {row[0] for row in rows}}


def test_our_tables_equal_the_applications_column_by_column(empty_database: Database, database: Database) -> None:
    with empty_database.connect() as connection:
        _create_from_facts(connection, _facts())
        theirs = _columns(connection)
    with database.connect() as connection:
        ours = _columns(connection)
    assert set(ours) == {table.name for table in canonical_metadata("public").tables.values()}
    assert set(ours) - set(theirs) <= SEEDED | DECLARED, "a table that is not the application's"
    for name in set(ours) & set(theirs):
        assert ours[name] == theirs[name], name


def test_the_applications_database_is_upgraded_around_its_own_tables(empty_database: Database) -> None:
    with empty_database.connect() as connection:
        _create_from_facts(connection, _facts())
        before = _columns(connection)
    upgrade(empty_database)
    assert is_current(empty_database)
    with empty_database.connect() as connection:
        after = _columns(connection)
        assert {name: after[name] for name in before} == before
        assert set(after) - set(before) <= SEEDED | DECLARED
        assert set(EXTERNAL_LINK_KEY) in _unique_columns(connection)
