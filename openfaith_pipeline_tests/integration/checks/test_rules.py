from typing import Any

import psycopg
from psycopg.types.json import Json

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.checks import Finding, rules_for
from openfaith_pipeline.checks.rules import FEWEST_BLANKED
from openfaith_pipeline.database import Database
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline_tests.integration.raw_rows import put_row

ORG, OTHER = "org_a", "org_b"
EMAILS = STREAMS["people.emails"]


def examine(connection: psycopg.Connection[Any], stream: Stream, name: str) -> Finding:
    [rule] = [rule for rule in rules_for(stream) if rule.name == name]
    return rule.examine(connection, stream, ORG)


def quarantine(connection: psycopg.Connection[Any], org_id: str, stream: str, *, is_resolved: bool = False) -> None:
    connection.execute(
        "INSERT INTO sync.quarantine (org_id, stream, sync_id, reason, resolved_at)"
        " VALUES (%s, %s, 'sync', 'no number', CASE WHEN %s THEN now() END)",
        (org_id, stream, is_resolved),
    )


def test_quarantined_records_of_the_org_and_stream_are_counted(database: Database) -> None:
    with database.connect() as connection:
        quarantine(connection, OTHER, EMAILS.name)
        quarantine(connection, ORG, "people.people")
        quarantine(connection, ORG, EMAILS.name, is_resolved=True)
        assert examine(connection, EMAILS, "nothing_quarantined") == Finding(True, {"quarantined": 0})

        quarantine(connection, ORG, EMAILS.name)
        assert examine(connection, EMAILS, "nothing_quarantined") == Finding(False, {"quarantined": 1})


def test_relationships_that_point_nowhere_are_counted(database: Database) -> None:
    with database.connect() as connection:
        put_row(connection, "people.people", ORG, "1")
        put_row(connection, "people.people", OTHER, "2")
        put_row(connection, EMAILS.name, ORG, "1", person_id="1")
        put_row(connection, EMAILS.name, ORG, "2", person_id=None)
        put_row(connection, EMAILS.name, ORG, "3", person_id="9", _deleted_at="2026-01-01T00:00:00Z")
        put_row(connection, EMAILS.name, OTHER, "4", person_id="9")
        assert examine(connection, EMAILS, "relationships_resolve") == Finding(True, {"person": 0})

        put_row(connection, EMAILS.name, ORG, "5", person_id="2")
        assert examine(connection, EMAILS, "relationships_resolve") == Finding(False, {"person": 1})


def test_a_target_without_synced_rows_reports_nothing(database: Database) -> None:
    with database.connect() as connection:
        put_row(connection, EMAILS.name, ORG, "1", person_id="1")
        assert examine(connection, EMAILS, "relationships_resolve").passed


def test_new_rows_do_not_outweigh_those_that_lost_their_content(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("INSERT INTO sync.syncs (sync_id, mode, trigger) VALUES ('sync', 'test', 'test')")
        connection.execute(
            "INSERT INTO sync.stream_syncs (sync_id, org_id, stream, lead_stream, mode)"
            " VALUES ('sync', %(org)s, %(stream)s, %(stream)s, 'test')",
            {"org": ORG, "stream": EMAILS.name},
        )
        for number in range(3 * FEWEST_BLANKED):
            is_new = number >= FEWEST_BLANKED
            put_row(connection, EMAILS.name, ORG, str(number), **({} if is_new else {"_synced_at": "2026-01-02"}))
        connection.execute(
            "INSERT INTO sync.journal (org_id, table_name, row_key, action, before, after, sync_id, cause)"
            " SELECT org_id, %s, jsonb_build_object('id', id), 'update', %s, '{}', 'sync', 'test'"
            " FROM pco_people.emails WHERE _first_seen_at < _synced_at",
            (EMAILS.raw_table, Json({"address": "ann@example.org"})),
        )
        found = examine(connection, EMAILS, "rows_keep_their_content")
        assert found == Finding(False, {"updated": FEWEST_BLANKED, "blanked": FEWEST_BLANKED})


def test_every_rule_runs_on_every_stream_it_applies_to(database: Database) -> None:
    with database.connect() as connection:
        findings = [rule.examine(connection, stream, ORG) for stream in STREAMS.values() for rule in rules_for(stream)]
    assert all(finding.passed for finding in findings)
    assert len(findings) > len(STREAMS)
