"""The status of an org's syncs comes from the bookkeeping, and from that org's rows alone."""

import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import UnknownOrg
from openfaith_pipeline.orgs.registry import new_org_id
from openfaith_pipeline.orgs.status import read_status
from openfaith_pipeline_tests.tenants import add_orgs

ORG, OTHER = new_org_id(), new_org_id()


@pytest.fixture
def database(database: Database) -> Database:
    add_orgs(database, {ORG: "Amber Hill", OTHER: "Birch Lane"})
    with database.connect() as connection:
        connection.execute("INSERT INTO sync.syncs (sync_id, mode, trigger) VALUES ('s1', 'incremental', 'cli')")
        for org_id, stream, availability, rows in (
            (ORG, "people.emails", "available", 7),
            (ORG, "people.lists", "forbidden", None),
            (ORG, "people.tabs", "available", 3),
            (OTHER, "people.emails", "available", 99),
        ):
            connection.execute(
                "INSERT INTO sync.stream_states (org_id, stream, availability, availability_reason, row_count)"
                " VALUES (%s, %s, %s, 'because', %s)",
                (org_id, stream, availability, rows),
            )
        for org_id, stream, status in (
            (ORG, "people.emails", "succeeded"),
            (ORG, "people.emails", "failed"),
            (ORG, "people.tabs", "running"),
            (OTHER, "people.emails", "succeeded"),
        ):
            connection.execute(
                "INSERT INTO sync.stream_syncs (sync_id, org_id, stream, lead_stream, mode, status)"
                " VALUES ('s1', %s, %s, %s, 'incremental', %s)",
                (org_id, stream, stream, status),
            )
        for org_id, resolved in ((ORG, None), (ORG, "2030-01-01"), (OTHER, None)):
            connection.execute(
                "INSERT INTO sync.quarantine (org_id, stream, sync_id, reason, resolved_at)"
                " VALUES (%s, 'people.emails', 's1', 'does not fit', %s)",
                (org_id, resolved),
            )
    return database


def test_one_org_is_described_stream_by_stream(database: Database) -> None:
    (status,) = read_status(database, ORG, adapter="pco")

    assert (status.org.name, status.running, status.failing) == ("Amber Hill", ("people.tabs",), ("people.emails",))
    told = {stream.stream: stream for stream in status.streams}
    emails = told["people.emails"]
    assert (emails.status, emails.row_count, emails.quarantined, emails.sync_id) == ("failed", 7, 1, "s1")
    lists = told["people.lists"]
    assert (lists.status, lists.availability, lists.availability_reason) == (None, "forbidden", "because")


def test_the_status_of_all_orgs_distinguishes_them(database: Database) -> None:
    amber, birch = read_status(database, adapter="pco")

    assert [stream.row_count for stream in birch.streams] == [99]
    assert len(amber.streams) == 3


def test_an_org_that_is_not_there_is_refused(database: Database) -> None:
    with pytest.raises(UnknownOrg):
        read_status(database, new_org_id(), adapter="pco")
