"""Whatever happens to a church, its journal replays to the tables as they are, and says who did it."""

import threading
from typing import Any

from psycopg import sql

from openfaith_pipeline.database import Database
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline_tests.integration.journal.church import change_the_source, synced
from openfaith_pipeline_tests.integration.replay import replay_differences
from openfaith_pipeline_tests.integration.sync.church import connect
from openfaith_pipeline_tests.integration.transform.church import Church
from openfaith_pipeline_tests.integration.transform.tables import transform


def actions(database: Database, org_id: str, sync_id: str) -> dict[tuple[str, str], int]:
    """(table, action) -> how often, of one sync."""
    with database.connect() as connection:
        rows = connection.execute(
            "SELECT table_name, action, count(*) FROM sync.journal WHERE org_id = %s AND sync_id = %s GROUP BY 1, 2",
            (org_id, sync_id),
        )
        return {(table, action): count for table, action, count in rows}


def test_the_journal_replays_to_the_present(database: Database, simulator: SimulatorClient) -> None:
    [org_id] = connect(database, simulator)
    synced(database, org_id, "first", SyncMode.INCREMENTAL)
    change_the_source(simulator, org_id)
    synced(database, org_id, "second")
    with database.connect() as connection:
        assert replay_differences(connection, org_id) == []
    first, second = actions(database, org_id, "first"), actions(database, org_id, "second")
    assert {action for table, action in first if table.startswith("pco_")} == {"insert"}
    assert first["pco_calendar.events_tags", "insert"] > 0
    assert second["pco_calendar.events_tags", "remove"] > 0
    assert second["pco_people.emails", "insert"] == second["public.openfaith_emails", "insert"] == 2
    assert second["pco_people.emails", "delete"] == second["public.openfaith_emails", "delete"] == 3
    assert second["public.openfaith_edges", "delete"] >= 3
    assert second["pco_people.people", "update"] >= 5

    synced(database, org_id, "third")
    assert actions(database, org_id, "third") == {}


def test_it_follows_changes_of_every_kind(database: Database) -> None:
    church = Church("org_01h455vb4pex5vsknk084sn02q", 3)
    church.fill(12)
    with database.connect() as connection:
        tables = [table for table in STREAMS.values() if table.name.startswith("people.")]
        for _ in range(4):
            church.store(connection)
            transform(connection, church.org_id)
            church.change()
        journal = connection.execute("SELECT DISTINCT action FROM sync.journal ORDER BY 1").fetchall()
        assert journal == [("delete",), ("insert",), ("restore",), ("update",)]
        for table in tables:  # the test's own rows went past the journal
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table.schema, table.short_name)))
        assert replay_differences(connection, church.org_id) == []


def test_a_persons_change_while_a_transform_waits_for_it_is_not_journaled_as_the_syncs(database: Database) -> None:
    church = Church("org_01h455vb4pex5vsknk084sn02q", 3)
    church.fill(3)
    with database.connect() as connection, database.connect() as person:
        church.store(connection)
        transform(connection, church.org_id)
        for row in church.rows["people.campuses"].values():
            row["name"] = "Another"
        church.store(connection)
        connection.commit()
        person.execute("""UPDATE public.openfaith_campuses SET tags = '["theirs"]'""")
        person_commits_when_the_transform_waits(person)
        transform(connection, church.org_id)
        [columns] = connection.execute(
            "SELECT DISTINCT array(SELECT json_object_keys(after) ORDER BY 1) FROM sync.journal"
            " WHERE table_name = 'public.openfaith_campuses' AND action = 'update'"
        ).fetchall()
        assert columns == (["name"],)


def person_commits_when_the_transform_waits(person: Any) -> None:
    def commit() -> None:
        with person:
            while True:
                waiting = person.execute("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'").fetchall()
                if waiting:
                    return
                threading.Event().wait(0.02)

    threading.Thread(target=commit).start()
