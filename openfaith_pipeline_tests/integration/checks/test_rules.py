from typing import Any

import psycopg

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.checks import Finding, rules_for
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


def test_every_rule_runs_on_every_stream_it_applies_to(database: Database) -> None:
    with database.connect() as connection:
        findings = [rule.examine(connection, stream, ORG) for stream in STREAMS.values() for rule in rules_for(stream)]
    assert all(finding.passed for finding in findings)
    assert len(findings) > len(STREAMS)
