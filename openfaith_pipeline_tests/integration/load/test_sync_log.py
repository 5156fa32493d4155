"""The record of syncs: an idempotency key stands for one sync, however many callers use it at once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from openfaith_pipeline.database import Database
from openfaith_pipeline.load.sync_log import (
    RecordedSync,
    RunningSync,
    SyncStart,
    begin_sync,
    end_left_over,
    find_sync,
    find_unfinished,
    finish_sync,
)


def start(sync_id: str, key: str | None = None) -> SyncStart:
    return SyncStart(sync_id, f"run of {sync_id}", "incremental", "test", {"orgs": ["a"]}, key)


def begin(database: Database, wanted: SyncStart) -> RecordedSync | None:
    with database.connect() as connection:
        return begin_sync(connection, wanted)


def test_a_key_that_was_used_is_the_earlier_sync_for_ever(database: Database) -> None:
    assert begin(database, start("first", "key")) is None
    with database.connect() as connection:
        finish_sync(connection, "first", "not synced: a")
    earlier = begin(database, start("second", "key"))
    assert earlier is not None
    assert earlier == RecordedSync(
        "first", "run of first", "failed", "incremental", {"orgs": ["a"]}, "not synced: a", earlier.seen_at
    )
    with database.connect() as connection:
        assert find_sync(connection, "key") == earlier
        assert connection.execute("SELECT sync_id FROM sync.syncs").fetchall() == [("first",)]


def test_another_attempt_of_the_same_sync_goes_on(database: Database) -> None:
    begin(database, start("first", "key"))
    with database.connect() as connection:
        finish_sync(connection, "first", "not synced: a")
    assert begin(database, start("first", "key")) is None
    with database.connect() as connection:
        found = find_sync(connection, "key")
    assert found is not None and (found.status, found.error) == ("running", None)


def test_syncs_without_a_key_are_each_their_own(database: Database) -> None:
    assert [begin(database, start(name)) for name in ("first", "second")] == [None, None]


def test_of_many_at_once_with_one_key_a_single_one_begins(database: Database) -> None:
    barrier = Barrier(8)

    def ask(number: int) -> RecordedSync | None:
        barrier.wait()
        return begin(database, start(f"sync_{number}", "key"))

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert answers.count(None) == 1
    begun = f"sync_{answers.index(None)}"
    assert {answer.sync_id for answer in answers if answer} == {begun}


def test_a_killed_sync_that_was_ended_meanwhile_is_still_continued(database: Database) -> None:
    assert begin(database, start("killed")) is None
    with database.connect() as connection:
        assert end_left_over(connection, RunningSync("killed", "run of killed"), "interrupted: its run ended")
        found = find_unfinished(connection, start("next"))
        assert found and (found.sync_id, found.status) == ("killed", "interrupted")

        finish_sync(connection, "killed", "HTTP 500")
        assert find_unfinished(connection, start("next")) is None, "a failure is not an interruption"
