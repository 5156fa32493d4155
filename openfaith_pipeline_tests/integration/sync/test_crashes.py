"""Killed anywhere, continued from the last committed page; overlapping syncs exclude each other."""

import asyncio
import random
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from psycopg.rows import dict_row

from openfaith_pipeline.catalog import STREAMS
from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import DatabaseUnavailable, LeaseLost, StreamBusy
from openfaith_pipeline.extract.walks import plan_walks
from openfaith_pipeline.load.sessions import Session, SyncRequest, open_session, renew
from openfaith_pipeline.load.sync_log import SyncStart, begin_sync
from openfaith_pipeline.settings import environment_with
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.options import Latency
from openfaith_pipeline.sync import PAGES_AHEAD
from openfaith_pipeline_tests.integration.sync.church import PEOPLE_ONLY, connect, differences, statuses, sync

ATTEMPT = """
import sys
from openfaith_pipeline.database import open_database
from openfaith_pipeline.settings import load_settings
from openfaith_pipeline_tests.integration.sync.church import sync
with open_database(load_settings()) as database:
    sync(database, sys.argv[1], sync_id=sys.argv[2])
"""
IN_FLIGHT_OF_A_WALK = PAGES_AHEAD + 2
"""One page being fetched, those read ahead, one being committed."""


def answered(simulator: SimulatorClient) -> Counter[str]:
    return Counter(request["target"] for request in simulator.requests() if request["status"] == 200)


def start(environment: dict[str, str], org_id: str, sync_id: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", ATTEMPT, org_id, sync_id], env=environment_with(**environment))


def kill_after(simulator: SimulatorClient, attempt: subprocess.Popen[bytes], requests: int) -> None:
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


def test_a_killed_listing_fetches_nothing_twice_but_what_was_in_flight(
    database: Database, simulator: SimulatorClient, environment: dict[str, str]
) -> None:
    [org_id, _] = connect(database, simulator)
    simulator.add(org_id, "people.emails", count=3000)
    simulator.set_latency(Latency(base_ms=60))
    attempt = start(environment, org_id, "sync_killed")
    while sum("/emails" in target for target in answered(simulator)) < 12:
        time.sleep(0.01)
    attempt.kill()
    attempt.wait()
    simulator.set_latency(Latency())
    sync(database, org_id, [STREAMS["people.emails"]], sync_id="sync_killed")
    pages = Counter({target: count for target, count in answered(simulator).items() if "/emails" in target})
    assert len(pages) > 30
    assert sum(count - 1 for count in pages.values()) <= IN_FLIGHT_OF_A_WALK
    assert differences(database, simulator, org_id, [STREAMS["people.emails"]]) == []


def test_another_sync_continues_what_a_dead_one_left(
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
            await renew(connection, session)

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
    assert sorted([first.inserted, second.inserted]) == [0, 260]
    assert differences(database, simulator, org_id) == []
