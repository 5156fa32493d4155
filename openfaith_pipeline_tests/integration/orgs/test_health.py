"""The health of a connection, derived from its requests and its streams."""

import pytest

from openfaith_pipeline.alerts.incidents import raise_alert
from openfaith_pipeline.connections.registry import set_connection_state
from openfaith_pipeline.database import Database
from openfaith_pipeline.orgs.health import Health, read_health
from openfaith_pipeline.orgs.registry import new_org_id, pause_org, remove_org
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.sources import streams_of
from openfaith_pipeline_tests.tenants import add_orgs

ORG, OTHER = new_org_id(), new_org_id()


@pytest.fixture
def database(database: Database) -> Database:
    add_orgs(database, {ORG: ORG, OTHER: OTHER})
    with database.connect() as connection:
        connection.cursor().executemany(
            "INSERT INTO sync.stream_states (org_id, stream, last_succeeded_at) VALUES (%s, 'people.people', now())",
            [(ORG,), (OTHER,)],
        )
    return database


def _withhold(database: Database, availability: str, *streams: str) -> None:
    with database.connect() as connection:
        for stream in streams:
            connection.execute(
                "INSERT INTO sync.stream_states (org_id, stream, availability, availability_reason)"
                " VALUES (%s, %s, %s, 'the user may not')",
                (ORG, stream, availability),
            )


def _health(database: Database) -> Health:
    with database.connect() as connection:
        return read_health(connection, [ORG], adapter="pco")[ORG]


def test_a_connection_is_degraded_by_withheld_products_and_by_nothing_else(database: Database) -> None:
    _withhold(database, "absent", "people.tabs")
    _withhold(database, "silent", "groups.groups")
    assert _health(database).state == "connected"

    _withhold(database, "withheld", "groups.tags")
    assert _health(database).reason == "Planning Center withholds groups (1 of its types)"
    with database.connect() as connection:
        connection.execute("UPDATE sync.stream_states SET availability = 'available' WHERE stream = 'groups.tags'")

    _withhold(database, "forbidden", "people.lists")
    _withhold(database, "not_granted", *(stream.name for stream in streams_of(Product.GIVING)))
    health = _health(database)
    assert (health.state, health.reason) == (
        "degraded",
        "Planning Center withholds giving, people (1 of its types)",
    )
    giving, people = health.withheld
    assert (giving.is_whole, people.is_whole, people.streams, people.reason) == (
        True,
        False,
        ("people.lists",),
        "the user may not",
    )
    with database.connect() as connection:
        assert read_health(connection, adapter="pco")[OTHER].state == "connected"


def test_a_church_that_was_never_read_is_not_called_connected(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("UPDATE sync.stream_states SET last_succeeded_at = NULL WHERE org_id = %s", (ORG,))
    assert (_health(database).state, str(_health(database))) == ("never_synced", "never synced")


def test_dead_goes_before_degraded_and_paused_before_both(database: Database) -> None:
    _withhold(database, "forbidden", "people.lists")
    with database.connect() as connection:
        set_connection_state(connection, ORG, "needs_reconnect", "refused", adapter="pco")
    assert (_health(database).state, _health(database).reason, _health(database).open_alerts) == (
        "needs_reconnect",
        "refused",
        1,
    )
    with database.connect() as connection:
        pause_org(connection, ORG)
        raise_alert(connection, "deletes_held", OTHER, "held", "approve")
    assert (_health(database).state, _health(database).open_alerts) == ("paused", 1)


def test_an_org_that_was_removed_has_none(database: Database) -> None:
    with database.connect() as connection:
        remove_org(connection, ORG)
        assert list(read_health(connection, adapter="pco")) == [OTHER]
