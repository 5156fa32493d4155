"""Rows whose parent is lost are found in the table of every stream that has parents."""

import pytest

from openfaith_pipeline.checks.orphans import Orphans, find_orphaned, find_parentless
from openfaith_pipeline.database import Database
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline_tests.integration.raw_rows import put_row

ORG = "org_a"
EMAILS = STREAMS["people.emails"]


def test_every_table_can_be_searched(database: Database) -> None:
    with database.connect() as connection:
        found = {
            stream.name: (
                find_parentless(connection, ORG, stream, 3).number,
                find_orphaned(connection, ORG, stream, 3).number,
            )
            for stream in STREAMS.values()
        }
    assert len(found) == len(STREAMS)
    assert set(found.values()) == {(0, 0)}


@pytest.mark.parametrize("name", ["services.item_notes", "people.emails"])
def test_a_row_without_a_parent_is_named(database: Database, name: str) -> None:
    with database.connect() as connection:
        put_row(connection, name, ORG, "7")
        assert find_parentless(connection, ORG, STREAMS[name], 3) == Orphans(1, ["7"])


def test_a_row_whose_parent_is_gone_is_named(database: Database) -> None:
    with database.connect() as connection:
        put_row(connection, "people.people", ORG, "1")
        for email, person in (("7", "1"), ("8", "2")):
            put_row(connection, EMAILS.name, ORG, email, person_id=person)
        assert find_orphaned(connection, ORG, EMAILS, 3) == Orphans(1, ["8"])
