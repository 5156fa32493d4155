"""A sync is taken back exactly, or refused with the rows that others have changed since."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import RollbackRefused, StreamBusy, UnknownSync, UsageError
from openfaith_pipeline.simulator import made_up_churches, running_simulator
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.sync.rollback import OnConflict, OrgRollback, RollbackOrder, foresee_rollback, roll_back
from openfaith_pipeline_tests.integration.journal.church import (
    STREAMS_READ,
    change_the_source,
    synced,
)
from openfaith_pipeline_tests.integration.replay import replay_differences
from openfaith_pipeline_tests.integration.snapshots import differing, snapshot, states
from openfaith_pipeline_tests.integration.sync.church import connect, differences, sync
from openfaith_pipeline_tests.rates import GENEROUS


@pytest.fixture
def connection(database: Database) -> Iterator[psycopg.Connection[Any]]:
    with database.connect(autocommit=True) as connection:
        yield connection


@pytest.fixture
def org_id(database: Database, simulator: SimulatorClient) -> str:
    """A church after its sync `first`."""
    [org_id] = connect(database, simulator)
    synced(database, org_id, "first")
    return org_id


def undo(database: Database, sync_id: str, **order: Any) -> OrgRollback:
    [result] = roll_back(database, RollbackOrder(sync_id, **order))
    return result


def status_of(connection: psycopg.Connection[Any], sync_id: str) -> str:
    return connection.execute("SELECT status FROM sync.syncs WHERE sync_id = %s", (sync_id,)).fetchone()[0]


def test_everything_is_as_it_was_and_can_be_again(
    database: Database, connection: psycopg.Connection[Any], simulator: SimulatorClient, org_id: str
) -> None:
    before, states_before = snapshot(connection), states(connection)
    change_the_source(simulator, org_id)
    synced(database, org_id, "second")
    after, states_after = snapshot(connection), states(connection)
    changed = differing(before, after)
    assert {"pco_people.emails", "public.openfaith_emails", "public.openfaith_edges"} <= set(changed)
    assert "public.openfaith_externalLinks" in changed
    assert "pco_calendar.events_tags" in changed

    undone = undo(database, "second", rollback_id="undoing")
    assert differing(before, snapshot(connection)) == []
    assert states(connection) == states_before
    assert sorted(undone.tables) == changed
    assert replay_differences(connection, org_id) == []
    assert status_of(connection, "second") == "rolled_back"
    with pytest.raises(UsageError, match="already rolled back"):
        undo(database, "second")

    undo(database, "undoing", rollback_id="undoing_that")
    assert differing(after, snapshot(connection)) == []
    assert states(connection) == states_after
    assert [status_of(connection, name) for name in ("second", "undoing")] == ["succeeded", "rolled_back"]

    undo(database, "second")
    assert differing(before, snapshot(connection)) == []
    synced(database, org_id, "third")
    assert differences(database, simulator, org_id, STREAMS_READ) == []


def test_after_a_large_rollback_everything_is_compared(
    database: Database,
    connection: psycopg.Connection[Any],
    simulator: SimulatorClient,
    org_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("openfaith_pipeline.sync.rollback.LARGEST", 2)
    change_the_source(simulator, org_id)
    synced(database, org_id, "second")
    undo(database, "second")
    noted = "SELECT source, key FROM sync.untransformed WHERE source LIKE 'openfaith%'"
    assert connection.execute(noted).fetchall() == [("openfaith_externalLinks", [])]
    synced(database, org_id, "third")
    assert differences(database, simulator, org_id, STREAMS_READ) == []


def test_a_first_sync_leaves_nothing_behind(
    database: Database, connection: psycopg.Connection[Any], simulator: SimulatorClient, org_id: str
) -> None:
    undo(database, "first")
    assert snapshot(connection) == {}
    assert {state[2:6] for state in states(connection)} == {(None, None, None, None)}
    synced(database, org_id, "again")
    assert differences(database, simulator, org_id, STREAMS_READ) == []


def test_a_sync_that_was_not_transformed(
    database: Database, connection: psycopg.Connection[Any], simulator: SimulatorClient, org_id: str
) -> None:
    before = snapshot(connection)
    change_the_source(simulator, org_id)
    sync(database, org_id, STREAMS_READ, sync_id="second")
    undo(database, "second")
    assert differing(before, snapshot(connection)) == []


def test_a_sync_of_several_churches_is_foreseen_and_undone(
    database: Database, connection: psycopg.Connection[Any]
) -> None:
    empty = snapshot(connection)
    with running_simulator(made_up_churches(2, people=8), rate_limit=GENEROUS) as simulator:
        org_ids = connect(database, simulator)
        for org_id in org_ids:
            synced(database, org_id, "both")
    before = snapshot(connection)

    foreseen = foresee_rollback(database, RollbackOrder("both"))
    assert differing(before, snapshot(connection)) == []
    assert [each.org_id for each in foreseen if each.rows] == sorted(org_ids)
    assert roll_back(database, RollbackOrder("both")) == foreseen
    assert differing(empty, snapshot(connection)) == []


def test_one_stream_of_it(
    database: Database, connection: psycopg.Connection[Any], simulator: SimulatorClient, org_id: str
) -> None:
    before = snapshot(connection)
    change_the_source(simulator, org_id)
    sync(database, org_id, STREAMS_READ, sync_id="second")
    after = snapshot(connection)
    undone = undo(database, "second", streams=["people.emails"])
    assert (undone.streams, list(undone.tables)) == (["people.emails"], ["pco_people.emails"])
    left = snapshot(connection)
    assert left["pco_people.emails"] == before["pco_people.emails"]
    assert left["pco_people.people"] == after["pco_people.people"]
    # The rest of it can be undone on its own.
    undo(database, "second")
    assert differing(before, snapshot(connection)) == []


def test_rows_that_a_later_sync_changed_are_named(
    database: Database, connection: psycopg.Connection[Any], simulator: SimulatorClient, org_id: str
) -> None:
    before = snapshot(connection)
    email = int(simulator.truth(org_id, "people.emails")[0]["id"])
    other = int(simulator.truth(org_id, "people.emails")[1]["id"])
    for sync_id, ids in (("second", [email, other]), ("third", [email])):
        simulator.advance_clock(2)
        simulator.edit(org_id, "people.emails", ids=ids)
        synced(database, org_id, sync_id)
    after = snapshot(connection)
    with pytest.raises(RollbackRefused, match=f"pco_people.emails {email} .*third") as refused:
        undo(database, "second")
    assert snapshot(connection) == after
    assert {conflict["table"] for conflict in refused.value.conflicts} >= {
        "pco_people.emails",
        "public.openfaith_edges",
        "public.openfaith_emails",
        "public.openfaith_externalLinks",
    }
    # A later sync that was itself undone is not an obstacle.
    undo(database, "third", rollback_id="undoing_third")
    undo(database, "second", rollback_id="undoing_second")
    assert differing(before, snapshot(connection)) == []
    undo(database, "undoing_second")
    undo(database, "undoing_third")
    assert differing(after, snapshot(connection)) == []

    assert undo(database, "second", on_conflict=OnConflict.KEEP).kept == len(refused.value.conflicts)
    kept = snapshot(connection)
    unchanged = set(before["pco_people.emails"]) & set(kept["pco_people.emails"])
    assert len(unchanged) == len(before["pco_people.emails"]) - 1


def test_overwriting_takes_later_changes_of_the_rows_back_too(
    database: Database, connection: psycopg.Connection[Any], simulator: SimulatorClient, org_id: str
) -> None:
    before = snapshot(connection)
    email = int(simulator.truth(org_id, "people.emails")[0]["id"])
    for sync_id in ("second", "third"):
        simulator.edit(org_id, "people.emails", ids=[email])
        synced(database, org_id, sync_id)
    undo(database, "second", on_conflict=OnConflict.OVERWRITE)
    assert differing(before, snapshot(connection)) == []
    synced(database, org_id, "fourth")
    assert differences(database, simulator, org_id, STREAMS_READ) == []


def test_a_persons_edit_is_named_and_kept_and_other_columns_of_theirs_are_no_obstacle(
    database: Database, connection: psycopg.Connection[Any], simulator: SimulatorClient, org_id: str
) -> None:
    change_the_source(simulator, org_id)
    synced(database, org_id, "second")
    [edited, tagged] = [
        key
        for (key,) in connection.execute(
            "SELECT row_key ->> 'id' FROM sync.journal WHERE sync_id = 'second' AND action = 'update'"
            " AND table_name = 'public.openfaith_people' AND after ->> 'customFields' IS NOT NULL ORDER BY 1 LIMIT 2"
        ).fetchall()
    ]
    connection.execute("""UPDATE public.openfaith_people SET "customFields" = '[]' WHERE id = %s""", (edited,))
    connection.execute("""UPDATE public.openfaith_people SET tags = '["choir"]' WHERE id = %s""", (tagged,))
    with pytest.raises(RollbackRefused, match="1 rows") as refused:
        undo(database, "second")
    assert [c["key"] for c in refused.value.conflicts] == [{"id": edited}]
    assert refused.value.conflicts[0]["changed_by"] == "a person"
    assert undo(database, "second", on_conflict=OnConflict.KEEP).kept == 1
    rows = dict(connection.execute('SELECT id, ("customFields", tags)::text FROM public.openfaith_people').fetchall())
    assert rows[edited].startswith("([],")
    assert "choir" in rows[tagged]


@pytest.mark.usefixtures("org_id")
def test_only_ended_and_existing_syncs_are_undone(database: Database, connection: psycopg.Connection[Any]) -> None:
    with pytest.raises(UnknownSync, match="no sync nonsense"):
        undo(database, "nonsense")
    connection.execute("INSERT INTO sync.syncs (sync_id, mode, trigger) VALUES ('empty', 'incremental', 'test')")
    with pytest.raises(UsageError, match="changed nothing"):
        undo(database, "empty")
    connection.execute(
        "UPDATE sync.stream_states SET holder = 'elsewhere:1:x', lease_expires_at = now() + interval '1 minute'"
        " WHERE stream = 'people.emails'"
    )
    before = snapshot(connection)
    with pytest.raises(StreamBusy, match=r"people\.emails"):
        undo(database, "first")
    assert snapshot(connection) == before


@pytest.mark.usefixtures("org_id")
def test_a_stale_holder_is_fenced_off(database: Database, connection: psycopg.Connection[Any]) -> None:
    [fence] = connection.execute("SELECT fence FROM sync.stream_states WHERE stream = 'people.emails'").fetchone()
    undo(database, "first")
    assert connection.execute("SELECT fence FROM sync.stream_states WHERE stream = 'people.emails'").fetchone() == (
        fence + 1,
    )
