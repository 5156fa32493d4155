"""How far a sync is, and how many rows there were, from the record of syncs alone."""

from datetime import date, timedelta

import pytest
from psycopg import sql

from openfaith_pipeline.database import Database
from openfaith_pipeline.orgs.row_history import DAYS, read_row_history
from openfaith_pipeline.orgs.sync_progress import SyncProgress, read_sync_progress
from openfaith_pipeline_tests.integration.inbox.conftest import connected_org

TODAY = date(2026, 11, 28)


@pytest.fixture
def org_id(database: Database) -> str:
    return connected_org(database)


def _stream_sync(database: Database, org_id: str, sync_id: str, stream: str, **values: object) -> None:
    row = {"mode": "incremental", "status": "succeeded", **values}
    named = {**row, "sync_id": sync_id, "org_id": org_id, "stream": stream, "lead_stream": stream}
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO sync.syncs (sync_id, mode, trigger, requested, started_at) VALUES (%s, 'incremental', 'test',"
            " jsonb_build_object('org', %s::text, 'streams', ARRAY['people.people', 'people.emails', 'people.tabs']),"
            " now() - interval '100 s') ON CONFLICT DO NOTHING",
            (sync_id, org_id),
        )
        connection.execute(
            sql.SQL("INSERT INTO sync.stream_syncs ({}) VALUES ({})").format(
                sql.SQL(", ").join(map(sql.Identifier, named)), sql.SQL(", ").join(map(sql.Placeholder, named))
            ),
            named,
        )


def _progress(database: Database, sync_id: str, visible: list[str] | None = None) -> SyncProgress | None:
    with database.connect() as connection:
        return read_sync_progress(connection, sync_id, visible)


def test_the_share_of_a_sync_is_by_the_time_its_streams_took_last(database: Database, org_id: str) -> None:
    for stream, requests in (("people.people", 60), ("people.emails", 30), ("people.tabs", 10)):
        _stream_sync(database, org_id, "before", stream, requests=requests)
    _stream_sync(database, org_id, "now", "people.people", status="running", requests=15, fetched=1500)
    _stream_sync(database, org_id, "now", "people.tabs", requests=10, fetched=7)

    progress = _progress(database, "now")

    assert progress
    assert {step.stream: (step.status, step.expected_requests) for step in progress.streams} == {
        "people.people": ("running", 60),
        "people.emails": ("waiting", 30),
        "people.tabs": ("succeeded", 10),
    }
    assert (progress.share, progress.rows, progress.requests) == (0.25, 1507, 25)
    assert progress.seconds_left == pytest.approx(300, rel=0.05)
    assert progress.rows_per_second == pytest.approx(15, rel=0.05)


def test_a_stream_that_takes_more_than_ever_is_not_taken_for_finished(database: Database, org_id: str) -> None:
    _stream_sync(database, org_id, "before", "people.people", requests=10)
    _stream_sync(database, org_id, "now", "people.people", status="running", requests=500)
    progress = _progress(database, "now")
    assert progress and progress.share == pytest.approx(9.5 / 12)


def test_an_ended_sync_has_no_time_left_and_others_do_not_see_it(database: Database, org_id: str) -> None:
    _stream_sync(database, org_id, "done", "people.people", requests=3)
    with database.connect() as connection:
        connection.execute("UPDATE sync.syncs SET status = 'succeeded', finished_at = now()")
    progress = _progress(database, "done")
    assert progress and (progress.share, progress.seconds_left, len(progress.streams)) == (1.0, None, 1)
    assert _progress(database, "done", [org_id]) is not None
    assert _progress(database, "done", ["org_of_another"]) is None
    assert _progress(database, "nothing") is None


def test_rows_of_each_day_are_walked_backwards_through_changes_and_rollbacks(database: Database, org_id: str) -> None:
    def change(days_ago: int, **values: object) -> None:
        at = TODAY - timedelta(days=days_ago)
        _stream_sync(database, org_id, f"s{days_ago}", "people.emails", finished_at=f"{at} 12:00+00", **values)

    change(20, inserted=100, state_before='{"row_count": null}')
    change(9, inserted=30, deleted=10, state_before='{"row_count": 100}')
    change(8, mode="rollback", state_before='{"row_count": 120}')
    change(3, deleted=5)  # by an approval, which keeps no state
    change(2, fetched=500)  # nothing changed
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO sync.stream_states (org_id, stream, row_count) VALUES (%s, 'people.emails', 95)", (org_id,)
        )
        history = read_row_history(connection, org_id, today=TODAY)["people.emails"]

    assert len(history) == DAYS
    assert history[-9:] == [100, 100, 100, 100, 100, 95, 95, 95, 95]
    assert (history[-10], history[-11], history[-21], history[-22]) == (120, 100, 100, 0)
