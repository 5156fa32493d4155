"""How every church stands, and the streams that fail, as a trigger keeps them."""

from datetime import timedelta

import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.orgs.org_settings import SettingsChange, change_settings
from openfaith_pipeline.orgs.standing import StandingPage, StandingQuery, count_standings, read_standings
from openfaith_pipeline_tests.integration.inbox.conftest import connected_org
from openfaith_pipeline_tests.seeded import seed_churches

DAY = timedelta(days=1)


def _page(database: Database, query: StandingQuery, orgs: list[str] | None = None) -> StandingPage:
    with database.connect() as connection:
        return read_standings(connection, DAY, query, orgs)


def test_each_church_has_one_standing_and_the_worst_come_first(database: Database) -> None:
    seed_churches(database, 100)
    never = connected_org(database, "Zion")

    first = _page(database, StandingQuery(page_size=5))

    assert first.counts == {
        "needs_reconnect": 3,
        "failing": 4,
        "late": 4,
        "withheld": 5,
        "never_synced": 1,
        "fresh": 82,
        "paused": 2,
    }
    assert first.found == 101
    assert [org.standing for org in first.orgs] == ["needs_reconnect"] * 3 + ["failing"] * 2
    assert _page(database, StandingQuery(standing="never_synced")).orgs[0].org_id == never
    with database.connect() as connection:
        assert count_standings(connection, DAY) == first.counts
        assert count_standings(connection, timedelta(days=30))["late"] == 0


def test_churches_are_found_by_name_and_by_id_and_shown_page_by_page(database: Database) -> None:
    seed_churches(database, 30, streams=2)
    hostile = connected_org(database, "100%_of_St. <b>Mary")

    assert [org.name for org in _page(database, StandingQuery("church 0017")).orgs] == ["Church 0017"]
    assert [org.org_id for org in _page(database, StandingQuery("%_OF_st. <B>")).orgs] == [hostile]
    assert [org.org_id for org in _page(database, StandingQuery(hostile[:14])).orgs] == [hostile]
    second = _page(database, StandingQuery(by_name=True, page=2, page_size=10))
    assert (second.found, second.orgs[0].name) == (31, "Church 0010")
    beyond = _page(database, StandingQuery(page=9))
    assert (beyond.orgs, beyond.found, sum(beyond.counts.values())) == ((), 31, 31)
    assert _page(database, StandingQuery(), [hostile]).found == 1


def test_a_stream_that_is_no_longer_chosen_makes_nobody_late(database: Database) -> None:
    seed_churches(database, 3, streams=60)
    [late] = _page(database, StandingQuery(standing="late")).orgs
    with database.connect() as connection:
        change_settings(connection, late.org_id, SettingsChange(streams=["services"]))
    assert _page(database, StandingQuery(standing="late")).orgs == ()


@pytest.mark.parametrize(
    ("statuses", "is_failing"),
    [
        (["failed"], True),
        (["incomplete"], True),
        (["failed", "succeeded"], False),
        (["succeeded", "failed"], True),
        (["failed", "running"], False),
        (["failed", "abandoned"], False),
    ],
)
def test_a_stream_fails_by_its_newest_sync(database: Database, statuses: list[str], is_failing: bool) -> None:
    org_id = connected_org(database)
    for number, status in enumerate(statuses):
        _sync(database, org_id, f"s{number}", status)
    assert _failing(database) == ([org_id] if is_failing else [])


def test_a_sync_that_is_not_the_newest_neither_fails_nor_mends_a_stream(database: Database) -> None:
    org_id = connected_org(database)
    _sync(database, org_id, "old", "running")
    _end(database, "old", "succeeded")
    _sync(database, org_id, "new", "running")
    _end(database, "old", "failed")
    assert _failing(database) == []
    _end(database, "new", "failed")
    assert _failing(database) == [org_id]
    _end(database, "old", "abandoned")
    assert _failing(database) == [org_id]
    _end(database, "new", "running")  # it is continued
    assert _failing(database) == []


def _sync(database: Database, org_id: str, sync_id: str, status: str) -> None:
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO sync.syncs (sync_id, mode, trigger) VALUES (%s, 'incremental', 't')", (sync_id,)
        )
        connection.execute(
            "INSERT INTO sync.stream_syncs (sync_id, org_id, stream, lead_stream, mode, status)"
            " VALUES (%s, %s, 'people.emails', 'people.emails', 'incremental', %s)",
            (sync_id, org_id, status),
        )


def _end(database: Database, sync_id: str, status: str) -> None:
    with database.connect() as connection:
        connection.execute("UPDATE sync.stream_syncs SET status = %s WHERE sync_id = %s", (status, sync_id))


def _failing(database: Database) -> list[str]:
    with database.connect() as connection:
        return [row[0] for row in connection.execute("SELECT org_id FROM sync.failing_streams").fetchall()]
