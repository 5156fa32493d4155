from openfaith_pipeline.database import Database
from openfaith_pipeline.load.preview import preview_columns, preview_rows
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.text.printable import plain_or_hash
from openfaith_pipeline_tests.integration.raw_rows import put_row

ORG, OTHER = "org_a", "org_b"


def test_a_preview_shows_the_orgs_own_rows_without_deleted_ones(database: Database) -> None:
    emails = STREAMS["people.emails"]
    with database.connect() as connection:
        put_row(connection, emails.name, OTHER, "0", address="anna@example.org")
        put_row(connection, emails.name, ORG, "1", person_id="7", address="anna@example.org")
        put_row(connection, emails.name, ORG, "2", _deleted_at="2026-01-01T00:00:00Z")
        put_row(connection, emails.name, ORG, "3", person_id="8", address="bert@example.org")
        put_row(connection, emails.name, ORG, "4")
        rows = preview_rows(connection, emails, ORG, limit=2)

    assert [(row["id"], row["person_id"]) for row in rows] == [("1", "7"), ("3", "8")]
    assert "example.org" not in str(rows)
    assert list(rows[0]) == list(preview_columns(emails))


def test_an_id_that_may_be_anything_is_not_shown(database: Database) -> None:
    emails = STREAMS["people.emails"]
    with database.connect() as connection:
        put_row(connection, emails.name, ORG, "anna@example.org", person_id="\x1b[2J Anna Example")
        [row] = preview_rows(connection, emails, ORG, limit=2)

    assert row["id"] == plain_or_hash("anna@example.org")
    assert row["person_id"] == plain_or_hash("\x1b[2J Anna Example")
    assert "nna" not in str(row)


def test_every_stream_has_a_preview(database: Database) -> None:
    with database.connect() as connection:
        for stream in STREAMS.values():
            put_row(connection, stream.name, ORG, "1")
            assert len(preview_rows(connection, stream, ORG, limit=5)) == 1
