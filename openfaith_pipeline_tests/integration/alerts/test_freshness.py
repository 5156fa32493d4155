"""An org whose streams have not succeeded for too long is an incident, until they have."""

from datetime import timedelta

import pytest

from openfaith_pipeline.alerts.freshness import watch_freshness
from openfaith_pipeline.alerts.incidents import list_alerts
from openfaith_pipeline.connections.registry import set_connection_state
from openfaith_pipeline.database import Database
from openfaith_pipeline.orgs.org_settings import SettingsChange, change_settings
from openfaith_pipeline.orgs.registry import new_org_id, pause_org, resume_org
from openfaith_pipeline_tests.tenants import add_orgs

ORG, OTHER = new_org_id(), new_org_id()
DAY = timedelta(days=1)


@pytest.fixture
def database(database: Database) -> Database:
    add_orgs(database, {ORG: ORG, OTHER: OTHER})
    _stream(database, "people.emails", "1 hour")
    return database


def _stream(database: Database, stream: str, ago: str | None, availability: str = "available") -> None:
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO sync.stream_states (org_id, stream, last_succeeded_at, availability)"
            " VALUES (%s, %s, now() - %s::interval, %s)",
            (ORG, stream, ago, availability),
        )


def _watch(database: Database) -> list[str]:
    with database.connect() as connection:
        return watch_freshness(connection, DAY, "pco")


def test_fresh_and_withheld_streams_are_no_incident(database: Database) -> None:
    _stream(database, "people.tabs", "30 days", "forbidden")
    assert _watch(database) == []


def test_a_stale_stream_is_one_incident_of_its_org_until_it_succeeds(database: Database) -> None:
    _stream(database, "people.people", "25 hours")
    _stream(database, "people.tabs", "30 hours")
    assert (_watch(database), _watch(database)) == ([ORG], [])
    with database.connect() as connection:
        [alert] = list_alerts(connection)
        assert (alert.org_id, alert.kind, alert.count) == (ORG, "freshness_missed", 1)
        assert alert.message.startswith("2 streams, people.tabs among them, have not been synced for 24 hours")
        connection.execute("UPDATE sync.stream_states SET last_succeeded_at = now()")
    _watch(database)
    with database.connect() as connection:
        assert list_alerts(connection) == []


def test_a_stream_is_given_time_from_its_first_sync(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("UPDATE sync.orgs SET created_at = now() - interval '1 year' WHERE org_id = %s", (ORG,))
        connection.execute("INSERT INTO sync.syncs (sync_id, mode, trigger) VALUES ('s', 'incremental', 'cli')")
        connection.execute(
            "INSERT INTO sync.stream_syncs (sync_id, org_id, stream, lead_stream, mode, started_at)"
            " VALUES ('s', %s, 'people.tabs', 'people.tabs', 'incremental', now())",
            (ORG,),
        )
    _stream(database, "people.tabs", None)
    assert _watch(database) == []
    with database.connect() as connection:
        connection.execute("UPDATE sync.stream_syncs SET started_at = now() - interval '2 days'")
    assert _watch(database) == [ORG]


def test_an_org_that_was_never_synced_is_an_incident_unless_it_cannot_or_must_not_be(
    database: Database,
) -> None:
    with database.connect() as connection:
        connection.execute("UPDATE sync.orgs SET created_at = now() - interval '2 days'")
        pause_org(connection, OTHER)
    assert _watch(database) == []
    with database.connect() as connection:
        connection.execute("UPDATE sync.orgs SET paused_at = NULL")
        set_connection_state(connection, OTHER, "needs_reconnect", "refused", adapter="pco")
    assert _watch(database) == []
    with database.connect() as connection:
        set_connection_state(connection, OTHER, "connected", adapter="pco")
        connection.execute("UPDATE sync.source_connections SET revived_at = now() - interval '2 days'")
    assert _watch(database) == [OTHER]
    with database.connect() as connection:
        assert "nothing has been synced" in list_alerts(connection, org_id=OTHER)[0].message


def test_an_org_is_not_late_for_the_time_in_which_it_was_paused_or_could_not_be_reached(database: Database) -> None:
    _stream(database, "people.people", "3 days")
    with database.connect() as connection:
        pause_org(connection, ORG)
        resume_org(connection, ORG)
    assert _watch(database) == []
    with database.connect() as connection:
        connection.execute("UPDATE sync.orgs SET resumed_at = now() - interval '2 days'")
        resume_org(connection, ORG)  # it was not paused, so this changes nothing
        set_connection_state(connection, ORG, "needs_reconnect", "refused", adapter="pco")
        set_connection_state(connection, ORG, "connected", adapter="pco")
    assert _watch(database) == []
    with database.connect() as connection:
        connection.execute("UPDATE sync.source_connections SET revived_at = now() - interval '2 days'")
    assert _watch(database) == [ORG]


def test_a_stream_that_the_org_no_longer_syncs_is_not_late(database: Database) -> None:
    _stream(database, "giving.funds", "30 hours")
    _stream(database, "groups.groups", "30 hours")
    for chosen, late in ((["people"], []), (["people", "groups.groups"], [ORG])):
        with database.connect() as connection:
            change_settings(connection, ORG, SettingsChange(streams=chosen))
        assert _watch(database) == late
    with database.connect() as connection:
        [alert] = list_alerts(connection)
        assert alert.message.startswith("1 streams, groups.groups among them")
