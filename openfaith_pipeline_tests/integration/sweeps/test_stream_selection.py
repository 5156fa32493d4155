"""Scheduled turns skip streams at rest between polls, and most parents at rest in a poll."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline_tests.integration.sweeps.conftest import make_due, swept
from openfaith_pipeline_tests.integration.sync.church import choose, connect, stored, sync
from openfaith_pipeline_tests.rates import GENEROUS

CHOSEN = (
    "people.people",
    "people.person_mergers",
    "people.reports",
    "services.service_types",
    "services.songs",
    "services.arrangements",
    "services.plans",
    "services.plan_notes",
)
ARRANGEMENTS, NOTES = STREAMS["services.arrangements"], STREAMS["services.plan_notes"]


@pytest.fixture
def church() -> Iterator[SimulatorClient]:
    with running_simulator(made_up_churches(1, people=6), rate_limit=GENEROUS) as simulator:
        yield simulator


@pytest.fixture
def org_id(database: Database, church: SimulatorClient) -> str:
    """A church that was swept once."""
    [org_id] = connect(database, church)
    choose(database, [org_id], *CHOSEN)
    assert swept(database)[0].failures == {}
    return org_id


def streams_of_next_turn(database: Database, org_id: str) -> set[str]:
    make_due(database)
    report, heard = swept(database)
    assert report.failures == {}
    return set(heard.outcomes[org_id].streams)


def rest(database: Database) -> None:
    """Let everything that was synced have been so for eight days."""
    with database.connect() as connection:
        for table in ("songs", "arrangements", "plans", "plan_notes", "service_types"):
            connection.execute(
                f"UPDATE pco_services.{table} SET _synced_at = now() - interval '8 days',"  # noqa: S608
                " _first_seen_at = now() - interval '8 days'"
            )


def poll(database: Database, church: SimulatorClient, since: timedelta) -> None:
    """A poll, the last reading of everything having begun so long ago."""
    with database.connect() as connection:
        connection.execute("UPDATE sync.org_schedules SET polled_at = NULL, next_at = now()")
        connection.execute("UPDATE sync.stream_states SET read_from = now() - %s", (since,))
    church.forget_requests()
    assert swept(database)[0].failures == {}


def visited(church: SimulatorClient, stream: str) -> set[str]:
    """Ids of the parents under which the stream was listed."""
    return {request["target"].split("?")[0].split("/")[-2] for request in church.requests(stream=stream)}


def test_a_stream_at_rest_waits_for_the_poll(database: Database, org_id: str) -> None:
    at_once = {"people.people", "people.person_mergers"}
    assert streams_of_next_turn(database, org_id) == at_once

    with database.connect() as connection:
        connection.execute("UPDATE sync.stream_states SET watermark = now() WHERE stream = 'people.reports'")
    assert streams_of_next_turn(database, org_id) == at_once | {"people.reports"}

    with database.connect() as connection:
        connection.execute("UPDATE sync.org_schedules SET polled_at = NULL")
    assert streams_of_next_turn(database, org_id) == set(CHOSEN)


def test_a_withheld_stream_is_not_requested_each_time(database: Database, org_id: str) -> None:
    with database.connect() as connection:
        connection.execute(
            "UPDATE sync.stream_states SET availability = 'forbidden', last_succeeded_at = NULL, watermark = NULL"
            " WHERE stream = 'people.reports'"
        )
    assert "people.reports" not in streams_of_next_turn(database, org_id)


def test_each_parent_has_its_moment_of_the_day(database: Database, church: SimulatorClient, org_id: str) -> None:
    songs = {song["id"] for song in church.truth(org_id, "services.songs")}
    assert visited(church, "services.arrangements") == songs, "the first time all are new"
    rest(database)
    before: set[str] = set()
    for hours in (0, 1, 6, 12, 24):
        poll(database, church, timedelta(hours=hours))
        now = visited(church, "services.arrangements")
        assert before <= now
        assert len(now) <= len(songs) * hours / 24 + len(songs) / 4, "about a share for the time that has passed"
        before = now
    assert before == songs


def test_changed_and_lively_parents_are_visited_each_time(
    database: Database, church: SimulatorClient, org_id: str
) -> None:
    rest(database)
    changed, lively, *_ = sorted({row["song_id"] for row in stored(database, org_id, ARRANGEMENTS).values()})
    church.edit(org_id, "services.songs", ids=[int(changed)], attributes={"title": "Another"})
    with database.connect() as connection:
        connection.execute("UPDATE pco_services.arrangements SET _synced_at = now() WHERE song_id = %s", (lively,))
    poll(database, church, timedelta(0))
    found = visited(church, "services.arrangements")
    assert found >= {changed, lively}
    assert len(found) <= 3, "beside them only one whose moment of the day is right now"

    new = str(church.add(org_id, "services.songs", count=1)[0])
    poll(database, church, timedelta(0))
    assert new in visited(church, "services.arrangements")


def test_a_parent_that_came_while_children_were_read_is_new_to_the_next_reading(
    database: Database, church: SimulatorClient, org_id: str
) -> None:
    """As when a webhook brings a parent after the reading has passed it."""
    with database.connect() as connection:
        [(moments,)] = connection.execute(
            "SELECT array_agg(DISTINCT state.read_from = begun.started_at) FROM sync.stream_states AS state"
            " JOIN sync.stream_syncs AS begun USING (org_id, stream)"
        ).fetchall()
    assert moments == [True], "it counts from when the reading began"
    rest(database)
    late, *_ = sorted({row["song_id"] for row in stored(database, org_id, ARRANGEMENTS).values()})
    with database.connect() as connection:
        connection.execute(
            "UPDATE pco_services.songs SET _synced_at = now() - interval '30 seconds' WHERE id = %s", (late,)
        )
        connection.execute("UPDATE sync.stream_states SET last_succeeded_at = now()")
    poll(database, church, timedelta(minutes=1))
    assert late in visited(church, "services.arrangements")


def test_a_change_under_a_parent_left_out_is_found_later(
    database: Database, church: SimulatorClient, org_id: str
) -> None:
    rest(database)
    notes = stored(database, org_id, NOTES)
    first, *others = sorted(notes)
    other = next(note for note in others if notes[note]["plan_id"] != notes[first]["plan_id"])
    church.edit(org_id, "services.plan_notes", ids=[int(first)], attributes={"content": "changed first"})
    church.edit(org_id, "services.plan_notes", ids=[int(other)], attributes={"content": "changed last"})
    with database.connect() as connection:
        connection.execute("UPDATE pco_services.plan_notes SET _synced_at = now() WHERE id = %s", (other,))

    poll(database, church, timedelta(0))
    assert notes[first]["plan_id"] not in visited(church, "services.plan_notes")
    now = stored(database, org_id, NOTES)
    assert (now[first]["content"], now[other]["content"]) == (notes[first]["content"], "changed last")

    poll(database, church, timedelta(days=1))
    assert stored(database, org_id, NOTES)[first]["content"] == "changed first"


def test_a_sync_of_everything_finds_the_parents_a_poll_left_out(
    database: Database, church: SimulatorClient, org_id: str
) -> None:
    sync(database, org_id, [NOTES])
    rest(database)
    notes = stored(database, org_id, NOTES)
    first, *others = sorted(notes)
    other = next(note for note in others if notes[note]["plan_id"] != notes[first]["plan_id"])
    an_hour_ago = f"{datetime.now(UTC) - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    changes = {"content": "changed first", "updated_at": an_hour_ago}
    church.edit(org_id, "services.plan_notes", ids=[int(first)], attributes=changes, is_quiet=True)
    church.edit(org_id, "services.plan_notes", ids=[int(other)], attributes={"content": "changed last"})
    with database.connect() as connection:
        connection.execute("UPDATE pco_services.plan_notes SET _synced_at = now() WHERE id = %s", (other,))

    poll(database, church, timedelta(0))
    now = stored(database, org_id, NOTES)
    assert (now[first]["content"], now[other]["content"]) == (notes[first]["content"], "changed last")

    sync(database, org_id, [NOTES])
    assert stored(database, org_id, NOTES)[first]["content"] == "changed first"
