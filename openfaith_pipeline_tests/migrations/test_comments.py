"""Comments in Postgres are the words of the declarations; only those that differ are set."""

from dataclasses import replace

import psycopg
import pytest
from sqlalchemy import MetaData

from openfaith_pipeline.catalog.stream import INTEGER, Stream
from openfaith_pipeline.catalog.words import describe_columns, describe_links, describe_table
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.alignment import align_raw_tables
from openfaith_pipeline.database.canonical_tables import canonical_metadata
from openfaith_pipeline.database.comments import align_comments
from openfaith_pipeline.database.fingerprint import catalog_fingerprint
from openfaith_pipeline.database.raw_tables import raw_table
from openfaith_pipeline.database.server import RunningServer
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.sources import STREAMS

COMMENTS = """
SELECT attname, col_description(attrelid, attnum) FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
"""
BARE = """
SELECT attrelid::regclass::text, attname FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid
WHERE c.relnamespace::regnamespace::text = ANY(%s) AND c.relkind = 'r' AND attnum > 0 AND NOT attisdropped
    AND col_description(attrelid, attnum) IS NULL
"""
EMAILS = STREAMS["people.emails"]


def comments(connection: psycopg.Connection[tuple[object, ...]], table: str) -> dict[object, object]:
    return dict(connection.execute(COMMENTS, (table,)).fetchall())  # type: ignore[arg-type]


def test_every_raw_and_canonical_column_has_its_words(database: Database) -> None:
    events = STREAMS["calendar.events"]
    with database.connect() as connection:
        schemas = sorted({stream.schema for stream in STREAMS.values()})
        assert connection.execute(BARE, (schemas,)).fetchall() == []
        bare = connection.execute(BARE, (["public"],)).fetchall()
        assert [row for row in bare if "openfaith_" in str(row[0])] == []
        assert comments(connection, EMAILS.raw_table) == {
            name: words.comment for name, words in describe_columns(EMAILS).items()
        }
        assert comments(connection, "pco_calendar.events_tags") == {
            name: words.comment for name, words in describe_links(events, "tags").items()
        }
        assert comments(connection, 'public."openfaith_people"')["birthdate"] == (
            "Date of birth; from `birthdate` as YYYY-MM-DD [personal]"
        )
        assert comments(connection, 'public."openfaith_people"')["customFields"] == (
            "Values that have no column, each with its name, type and source [health]"
        )
        table = connection.execute("SELECT obj_description('pco_people.emails'::regclass)").fetchone()
    assert table == (describe_table(EMAILS),)


def test_only_different_comments_are_set(database: Database) -> None:
    tables = [raw_table(EMAILS), raw_table(STREAMS["people.people"])]
    with database.connect() as connection:
        assert align_comments(connection, tables) == 0
        connection.execute("COMMENT ON COLUMN pco_people.emails.address IS 'Something else'")
        connection.execute("COMMENT ON TABLE pco_people.people IS NULL")
        assert align_comments(connection, tables) == 2
        assert comments(connection, EMAILS.raw_table)["address"] == "The email address [personal]"
        assert align_comments(connection, tables) == 0


def test_new_words_reach_a_database_at_its_upgrade(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = replace(EMAILS, words={"blocked": "Whether it bounced"})
    before = catalog_fingerprint()
    with database.connect() as connection:
        assert align_raw_tables(connection, [changed], MetaData()) == []
        assert comments(connection, EMAILS.raw_table)["blocked"] == "Whether it bounced"
    monkeypatch.setattr("openfaith_pipeline.database.fingerprint.STREAMS", {**STREAMS, EMAILS.name: changed})
    assert catalog_fingerprint.__wrapped__() != before


def test_a_table_of_another_owner_keeps_its_comments_and_holds_up_no_other(
    database: Database, postgres: RunningServer
) -> None:
    metadata = canonical_metadata("public")
    tables = [metadata.tables["public.openfaith_people"], metadata.tables["public.openfaith_emails"]]
    name = database.settings.db_name
    with psycopg.connect(postgres.administrator_url(), dbname=name, autocommit=True) as administrator:
        for table in ("people", "emails"):
            administrator.execute(f"COMMENT ON COLUMN \"openfaith_{table}\".id IS 'Theirs'")  # type: ignore[arg-type]
        administrator.execute('ALTER TABLE "openfaith_people" OWNER TO CURRENT_USER')
        administrator.execute(f'GRANT SELECT ON "openfaith_people" TO "{_owner(administrator)}"')  # type: ignore[arg-type]
    with database.connect() as connection:
        assert align_comments(connection, tables) == 1
        assert comments(connection, 'public."openfaith_people"')["id"] == "Theirs"
        assert comments(connection, 'public."openfaith_emails"')["id"] == "TypeID of the entity"


def _owner(connection: psycopg.Connection[tuple[object, ...]]) -> object:
    row = connection.execute(
        "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = '\"openfaith_emails\"'::regclass"
    ).fetchone()
    assert row is not None
    return row[0]


def test_a_stream_without_words_has_no_comment(database: Database) -> None:
    stream = Stream(product=Product.PEOPLE, type="Thing", path="/people/v2/things", attributes={"legs": INTEGER})
    with database.connect() as connection:
        align_raw_tables(connection, [stream], MetaData())
        found = comments(connection, "pco_people.things")
    assert found["legs"] is None
    assert found["org_id"] == "The org; with the id, the key"
