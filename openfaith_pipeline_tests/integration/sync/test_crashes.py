"""Killed anywhere, continued from the last committed page; overlapping syncs exclude each other."""

import asyncio
import random
import re
import signal
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.rows import dict_row

from openfaith_pipeline.catalog.walk import Page, Record
from openfaith_pipeline.catalog.walk_planner import plan_walks
from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.errors import DatabaseUnavailable, LeaseLost, StreamBusy, TransientError
from openfaith_pipeline.load.arrivals import publish_arrivals
from openfaith_pipeline.load.leases import LEASE_TTL, renew
from openfaith_pipeline.load.sessions import ARRIVED, ARRIVED_PREFIX, Session, SyncRequest, open_session
from openfaith_pipeline.load.staging import commit_page
from openfaith_pipeline.load.sync_log import SyncStart, begin_sync
from openfaith_pipeline.settings import environment_with, load_settings
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.options import Latency
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.attempt import sync_streams
from openfaith_pipeline.sync.results import Silence, StreamResult, SyncMode
from openfaith_pipeline.sync.worker import open_workplace
from openfaith_pipeline_tests.chaos.refetching import IN_FLIGHT_OF_A_WALK
from openfaith_pipeline_tests.forking import Forked, fork
from openfaith_pipeline_tests.integration.sync.church import (
    PEOPLE_ONLY,
    connect,
    differences,
    row_versions,
    statuses,
    sync,
)


def answered(simulator: SimulatorClient) -> Counter[str]:
    return Counter(request["target"] for request in simulator.requests() if request["status"] == 200)


def start(environment: dict[str, str], org_id: str, sync_id: str) -> Forked:
    return fork(_attempt, org_id, sync_id, environment=environment_with(**environment))


def _attempt(org_id: str, sync_id: str) -> None:
    with open_database(load_settings()) as database:
        sync(database, org_id, sync_id=sync_id)


def kill_after(simulator: SimulatorClient, attempt: Forked, requests: int) -> None:
    """SIGKILL once the simulator has answered so many more requests."""
    before, deadline = simulator.stats()["requests"], time.monotonic() + 30
    while attempt.poll() is None and simulator.stats()["requests"] - before < requests and time.monotonic() < deadline:
        time.sleep(0.005)
    attempt.kill()
    attempt.wait()


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_again_and_again_it_ends_equal_to_truth(
    database: Database, simulator: SimulatorClient, environment: dict[str, str], seed: int
) -> None:
    [org_id, _] = connect(database, simulator)
    simulator.set_latency(Latency(base_ms=25))
    chance = random.Random(seed)
    kills = 5
    for _ in range(kills):
        kill_after(simulator, start(environment, org_id, "sync_killed"), chance.randrange(1, 30))
    simulator.set_latency(Latency())
    assert statuses(sync(database, org_id, sync_id="sync_killed")) == {}
    assert differences(database, simulator, org_id) == []
    walks = plan_walks(PEOPLE_ONLY, STREAMS, is_full=False)
    again = sum(count - 1 for count in answered(simulator).values())
    assert again <= kills * len(walks) * IN_FLIGHT_OF_A_WALK


def test_a_killed_listing_fetches_nothing_twice_but_pages_in_flight(
    database: Database, simulator: SimulatorClient, environment: dict[str, str]
) -> None:
    [org_id, _] = connect(database, simulator)
    simulator.add(org_id, "people.households", count=3000)
    simulator.set_latency(Latency(base_ms=60))
    attempt = start(environment, org_id, "sync_killed")
    while sum("/households?" in target for target in answered(simulator)) < 12:
        time.sleep(0.01)
    attempt.kill()
    attempt.wait()
    simulator.set_latency(Latency())
    sync(database, org_id, [STREAMS["people.households"]], sync_id="sync_killed")
    pages = Counter({target: count for target, count in answered(simulator).items() if "/households?" in target})
    assert len(pages) > 30
    assert sum(count - 1 for count in pages.values()) <= IN_FLIGHT_OF_A_WALK
    assert differences(database, simulator, org_id, [STREAMS["people.households"]]) == []


def test_another_sync_continues_the_work_of_a_dead_one(
    database: Database, simulator: SimulatorClient, environment: dict[str, str]
) -> None:
    [org_id, _] = connect(database, simulator)
    simulator.set_latency(Latency(base_ms=25))
    kill_after(simulator, start(environment, org_id, "sync_first"), 20)
    simulator.set_latency(Latency())
    assert statuses(sync(database, org_id, sync_id="sync_second")) == {}
    assert differences(database, simulator, org_id) == []
    with database.connect() as connection:
        left = connection.execute("SELECT count(*) FROM sync.stream_syncs WHERE status = 'running'").fetchone()
        staged = connection.execute("SELECT count(*) FROM staging.people__people").fetchone()
    assert (left, staged) == ((0,), (0,))


def test_postgres_going_away_in_the_middle_is_said_and_mended_by_the_next_attempt(
    database: Database, simulator: SimulatorClient
) -> None:
    [org_id, _] = connect(database, simulator)
    simulator.set_latency(Latency(base_ms=50))

    def cut_off() -> None:
        while simulator.stats()["requests"] < 10:
            time.sleep(0.01)
        with database.connect(autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                # An autovacuum worker is not ours to end.
                " AND backend_type = 'client backend'"
            )

    with ThreadPoolExecutor() as pool:
        cutting = pool.submit(cut_off)
        with pytest.raises(DatabaseUnavailable):
            sync(database, org_id, PEOPLE_ONLY, sync_id="sync_cut")
        cutting.result()
    simulator.set_latency(Latency())
    assert statuses(sync(database, org_id, sync_id="sync_cut")) == {}
    assert differences(database, simulator, org_id) == []


def opened(database: Database, org_id: str, sync_id: str, holder: str) -> Session:
    [walk] = plan_walks([STREAMS["people.emails"]], STREAMS, is_full=False)
    with database.connect() as connection:
        begin_sync(connection, SyncStart(sync_id, None, "incremental", "test", {}))

    async def run() -> Session:
        async with database.pool(size=1, row_factory=dict_row) as pool, pool.connection() as connection:
            request = SyncRequest(org_id, sync_id, "incremental", holder)
            return await open_session(connection, request, walk, is_anew=False)

    return asyncio.run(run())


def renewed(database: Database, session: Session) -> None:
    async def run() -> None:
        async with database.pool(size=1, row_factory=dict_row) as pool, pool.connection() as connection:
            await renew(connection, session.leases)

    asyncio.run(run())


def test_a_live_lease_refuses_another_and_an_overtaken_one_may_not_write(
    database: Database, simulator: SimulatorClient
) -> None:
    [org_id, _] = connect(database, simulator)
    session = opened(database, org_id, "sync_a", "elsewhere:1:a")
    with pytest.raises(StreamBusy, match="elsewhere"):
        opened(database, org_id, "sync_b", "elsewhere:2:b")
    renewed(database, session)
    with database.connect() as connection:
        connection.execute("UPDATE sync.stream_states SET lease_expires_at = now() - interval '1 s'")
    overtaker = opened(database, org_id, "sync_b", "elsewhere:2:b")
    renewed(database, overtaker)
    with pytest.raises(LeaseLost):
        renewed(database, session)


def test_two_syncs_of_one_org_at_once_do_not_interleave(database: Database, simulator: SimulatorClient) -> None:
    [org_id, _] = connect(database, simulator)
    simulator.set_latency(Latency(base_ms=10))
    with ThreadPoolExecutor() as pool:
        both = [pool.submit(sync, database, org_id, PEOPLE_ONLY, sync_id=name) for name in ("sync_a", "sync_b")]
    assert [statuses(each.result()) for each in both] == [{}, {}]
    first, second = (each.result()["people.people"] for each in both)
    assert sorted([first.inserted, second.inserted]) == [0, 110]
    assert differences(database, simulator, org_id) == []


def _frozen(org_id: str, sync_id: str) -> None:
    """Ends with 42 when it is refused to go on."""
    with open_database(load_settings()) as database:
        try:
            results = sync(database, org_id, sync_id=sync_id)
        except DatabaseUnavailable:  # it was frozen within a transaction, which Postgres has ended
            sys.exit(42)
    refused = [result for result in results.values() if result.status == "failed" and "took over" in str(result.error)]
    sys.exit(42 if refused else 0)


def test_a_frozen_process_is_overtaken_and_its_late_writes_are_refused(
    database: Database, simulator: SimulatorClient, environment: dict[str, str]
) -> None:
    [org_id, _] = connect(database, simulator)
    simulator.set_latency(Latency(base_ms=40))
    frozen = fork(_frozen, org_id, "sync_frozen", environment=environment_with(**environment))
    while simulator.stats()["requests"] < 8:
        time.sleep(0.01)
    frozen.send_signal(signal.SIGSTOP)
    simulator.set_latency(Latency())
    # As after 15 seconds.
    with database.connect() as connection:
        connection.execute("UPDATE sync.stream_states SET lease_expires_at = now() - interval '1 s'")
    assert statuses(sync(database, org_id, sync_id="sync_overtaker")) == {}
    before = row_versions(database)
    frozen.send_signal(signal.SIGCONT)
    assert frozen.wait(timeout=60) == 42
    assert row_versions(database) == before
    assert differences(database, simulator, org_id) == []


def test_a_dead_process_is_overtaken_within_seconds(
    database: Database, simulator: SimulatorClient, environment: dict[str, str]
) -> None:
    [org_id, _] = connect(database, simulator)
    simulator.set_latency(Latency(base_ms=25))
    kill_after(simulator, start(environment, org_id, "sync_dead"), 8)
    simulator.set_latency(Latency())
    killed_at, walk = time.monotonic(), [STREAMS["people.people"]]
    assert statuses(sync(database, org_id, walk)) == {}
    assert time.monotonic() - killed_at < LEASE_TTL.total_seconds(), "it is seen to be dead; no lease is waited for"


def test_syncs_of_every_kind_at_once_do_not_interleave(database: Database, simulator: SimulatorClient) -> None:
    [org_id, _] = connect(database, simulator)
    simulator.set_latency(Latency(base_ms=5))
    emails = [STREAMS["people.emails"]]
    kinds = [
        (PEOPLE_ONLY, SyncMode.INCREMENTAL),
        (PEOPLE_ONLY, SyncMode.RECONCILE),
        (emails, SyncMode.FULL_REFRESH),
        (emails, SyncMode.INCREMENTAL),
    ]
    with ThreadPoolExecutor(len(kinds)) as pool:
        all_of_them = [pool.submit(sync, database, org_id, streams, mode) for streams, mode in kinds]
    results = [each.result() for each in all_of_them]
    assert [statuses(each) for each in results] == [{}] * len(kinds)
    assert differences(database, simulator, org_id) == []
    there = len(simulator.truth(org_id, "people.emails"))
    assert sorted(each["people.emails"].inserted for each in results) == [0, 0, 0, there]


def test_after_a_deploy_that_added_a_stream_only_changed_walks_start_anew(
    database: Database, simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the deploy lists were read without their shares, so the requests for their pages differ."""
    [org_id, _] = connect(database, simulator)
    simulator.add(org_id, "people.lists", count=250)
    lists, rules, shares, tabs = (STREAMS[f"people.{name}"] for name in ("lists", "rules", "list_shares", "tabs"))
    simulator.add(org_id, "people.tabs", count=250)
    committed: Counter[str] = Counter()

    async def dying(connection: AsyncConnection[Any], session: Session, page: Page) -> dict[str, int]:
        staged = await commit_page(connection, session, page)
        committed[session.names[0]] += 1
        if committed[session.names[0]] == 2:
            raise TransientError("the deploy stops the process")
        return staged

    with monkeypatch.context() as patch:
        patch.setattr("openfaith_pipeline.sync.reading.commit_page", dying)
        results = sync(database, org_id, [lists, rules, tabs], sync_id="sync_deployed")
    assert {result.status for result in results.values()} == {"failed"}
    simulator.forget_requests()
    assert statuses(sync(database, org_id, [lists, rules, shares, tabs], sync_id="sync_deployed")) == {}
    asked = [request["target"] for request in simulator.requests()]
    offsets = [re.search(r"offset=(\d+)", target) for target in asked if "/tabs" in target]
    assert all(offset and int(offset[1]) >= 198 for offset in offsets), "tabs go on from their last committed page"
    assert any("offset" not in target for target in asked if "/lists" in target), "lists begin anew"
    assert differences(database, simulator, org_id, [lists, rules, shares, tabs]) == []


async def _committing_and_dying(connection: AsyncConnection[Any], session: Session, page: Page) -> dict[str, int]:
    await commit_page(connection, session, page)
    raise TransientError("its process ended")


def test_a_stream_published_half_a_day_before_the_next_attempt_is_read_again(
    database: Database, simulator: SimulatorClient
) -> None:
    [org_id, _] = connect(database, simulator)
    tabs = STREAMS["people.tabs"]
    sync(database, org_id, [tabs], sync_id="sync_of_a_machine_that_slept")
    simulator.edit(org_id, tabs.name, count=1)
    sync(database, org_id, [tabs], sync_id="sync_of_a_machine_that_slept")
    assert differences(database, simulator, org_id, [tabs]) != []
    with database.connect() as connection:
        connection.execute("UPDATE sync.stream_syncs SET finished_at = finished_at - interval '13 hours'")
    assert statuses(sync(database, org_id, [tabs], sync_id="sync_of_a_machine_that_slept")) == {}
    assert differences(database, simulator, org_id, [tabs]) == []


async def _dying(*_: object) -> None:
    raise TransientError("its process ended")


def _arrive(database: Database, org_id: str, record: Record) -> None:
    """Publish a webhook's record of an email."""

    async def run() -> None:
        async with database.pool(size=1, row_factory=dict_row) as pool, pool.connection() as connection:
            request = SyncRequest(org_id, f"{ARRIVED_PREFIX}of_a_test", ARRIVED, "elsewhere:1:applier")
            emails = STREAMS["people.emails"]
            await publish_arrivals(connection, request, [emails], {emails.name: [record]}, {})

    with database.connect() as connection:
        begin_sync(connection, SyncStart(f"{ARRIVED_PREFIX}of_a_test", None, ARRIVED, "webhook", {}))
    asyncio.run(run())


def test_pages_of_an_earlier_attempt_undo_nothing_that_a_webhook_has_brought_since(
    database: Database, simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    [org_id, _] = connect(database, simulator)
    emails = STREAMS["people.emails"]
    sync(database, org_id, [emails])
    simulator.edit(org_id, emails.name, count=2)
    with monkeypatch.context() as patch:
        patch.setattr("openfaith_pipeline.sync.attempt.publish", _dying)
        sync(database, org_id, [emails], sync_id="sync_continued")
    with database.connect() as connection:
        [[identifier], *_] = connection.execute("SELECT id FROM staging.people__emails").fetchall()
    simulator.edit(org_id, emails.name, [int(identifier)])
    resource = next(record for record in simulator.truth(org_id, emails.name) if record["id"] == identifier)
    _arrive(database, org_id, Record(resource, {}))
    assert statuses(sync(database, org_id, [emails], sync_id="sync_continued")) == {}
    assert differences(database, simulator, org_id, [emails]) == []


def _entries(database: Database) -> list[tuple[str, str]]:
    with database.connect() as connection:
        return connection.execute("SELECT org_id, sync_id FROM sync.quarantine ORDER BY 1, 2").fetchall()


def test_a_continued_sync_takes_its_own_entries_in_quarantine_along_and_no_other_churchs(
    database: Database, simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    [org_id, other] = connect(database, simulator)
    tabs = [STREAMS["people.tabs"]]
    for each in (org_id, other):
        simulator.inject(each, "people.tabs", {"type": "Tab", "id": None, "attributes": {}})
    sync(database, other, tabs, sync_id="sync_of_both")
    with monkeypatch.context() as patch:
        patch.setattr("openfaith_pipeline.sync.reading.commit_page", _committing_and_dying)
        sync(database, org_id, tabs, sync_id="sync_of_both")
    assert statuses(sync(database, org_id, tabs, sync_id="sync_second")) == {}
    assert set(_entries(database)) == {(org_id, "sync_second"), (other, "sync_of_both")}


def test_a_walk_that_begins_anew_enters_a_broken_record_once(
    database: Database, simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    [org_id, _] = connect(database, simulator)
    lists, rules, shares = (STREAMS[f"people.{name}"] for name in ("lists", "rules", "list_shares"))
    simulator.inject(org_id, "people.lists", {"type": "List", "id": None, "attributes": {}})
    with monkeypatch.context() as patch:
        patch.setattr("openfaith_pipeline.sync.reading.commit_page", _committing_and_dying)
        sync(database, org_id, [lists, rules], sync_id="sync_deployed")
    assert _entries(database) == [(org_id, "sync_deployed")]
    sync(database, org_id, [lists, rules, shares], sync_id="sync_deployed")
    assert _entries(database) == [(org_id, "sync_deployed")]


def test_a_walk_that_is_overtaken_in_part_holds_nothing_of_the_rest_while_its_process_goes_on(
    database: Database, simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a sweep, whose leases are renewed as long as it works on any church."""
    [org_id, _] = connect(database, simulator)
    both = [STREAMS["people.people"], STREAMS["people.emails"]]
    steal = (
        "UPDATE sync.stream_states SET fence = fence + 1, holder = 'elsewhere:1:x' WHERE org_id = %s AND stream = %s"
    )

    async def overtaken(connection: AsyncConnection[Any], session: Session, page: Page) -> dict[str, int]:
        await connection.execute(steal, (org_id, "people.emails"))
        await connection.commit()
        return await commit_page(connection, session, page)

    held: list[Any] = []

    class Watching(Silence):
        def finished(self, result: StreamResult) -> None:  # noqa: ARG002 - as the protocol has it
            """While the sync goes on: other walks may take hours more."""
            with database.connect() as connection:
                states = "SELECT stream, holder FROM sync.stream_states WHERE holder IS NOT NULL"
                held.append(connection.execute(states).fetchall())

    async def run() -> dict[str, StreamResult]:
        async with open_workplace(database) as place:
            return await sync_streams(
                database,
                org_id,
                both,
                mode=SyncMode.INCREMENTAL,
                sync_id="sync_overtaken",
                workplace=place,
                progress=Watching(),
            )

    with database.connect() as connection:
        begin_sync(connection, SyncStart("sync_overtaken", None, "incremental", "test", {}))
    monkeypatch.setattr("openfaith_pipeline.sync.reading.commit_page", overtaken)
    results = asyncio.run(run())
    assert all("took over" in str(status) for status in statuses(results).values()) and len(statuses(results)) == 2
    assert held == [[("people.emails", "elsewhere:1:x")]] * 2
