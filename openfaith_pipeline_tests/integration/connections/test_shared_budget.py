"""Processes on one connection share its budget through Postgres: nothing is refused, and nothing is left unused."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import psycopg

from openfaith_pipeline.connections.shared_budget import MAKE_LEDGER
from openfaith_pipeline.database import Database
from openfaith_pipeline.settings import environment_with
from openfaith_pipeline.simulator import RateLimit, running_simulator
from openfaith_pipeline_tests.forking import fork_program
from openfaith_pipeline_tests.integration.sync.church import connect

LIMIT, PERIOD, EACH = 20, 4, 25

_PROCESS = f"""
import asyncio, sys
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.database import open_database
from openfaith_pipeline.connections.client import connect_client
from openfaith_pipeline.settings import load_settings

async def read(database):
    async with connect_client(database, sys.argv[1], "pco") as client:
        ask = lambda: client.get("/people/v2/tabs", {{}}, product=Product.PEOPLE)
        await asyncio.gather(*(ask() for _ in range({EACH})))

with open_database(load_settings()) as database:
    print(flush=True)
    sys.stdin.readline()
    asyncio.run(read(database))
"""


def test_two_processes_share_one_budget_to_its_end(database: Database, environment: dict[str, str]) -> None:
    with running_simulator(rate_limit=RateLimit(LIMIT, PERIOD, is_sliding=True)) as simulator:
        [org_id] = connect(database, simulator)
        processes = [fork_program(_PROCESS, org_id, environment=environment_with(**environment)) for _ in range(2)]
        for process in processes:
            process.stdout.readline()  # it has started and waits for the word
        for process in processes:
            process.stdin.close()
        ends = [process.wait() for process in processes]
        stats, sent = simulator.stats(), sorted(request["at"] for request in simulator.requests())
    assert ends == [0, 0]
    assert stats["requests"] == 2 * EACH
    assert stats["rate_limited"] == 0
    bound = (2 * EACH - 1) // LIMIT * PERIOD
    assert bound <= sent[-1] - sent[0] < bound + PERIOD, "a period more would be a budget left unused"
    with database.connect() as connection:
        [(leases, requests, refused)] = connection.execute(
            "SELECT ledger -> 'leases', requests, refused FROM sync.rate_budgets WHERE org_id = %s", (org_id,)
        ).fetchall()
    assert leases == {}, "everything leased was reported or given back"
    assert (requests, refused) == (2 * EACH, 0)


_AT_ONCE, _ORGS = 4, 4000

_MAKE_THEM = f"""
DO $$ BEGIN
    PERFORM pg_advisory_lock_shared(1);
    FOR number IN 1..{_ORGS} LOOP
        {{making}};
        COMMIT;
    END LOOP;
END $$
"""


def test_those_who_make_the_ledger_of_a_new_church_at_once_are_none_of_them_refused(database: Database) -> None:
    """Syncs of it that begin together. They meet within microseconds, so it is tried for many churches."""
    with database.connect(cursor_factory=psycopg.ClientCursor) as connection:
        made = "INSERT INTO sync.orgs (org_id, name) SELECT number, '' FROM generate_series(1, %s) AS number"
        connection.execute(made, (_ORGS,))
        values = {"org_id": "its", "adapter": "pco", "ledger": "{}", "requests": 1, "refused": 0}
        making = connection.cursor().mogrify(MAKE_LEDGER, values).replace("'its'", "number")

    def make(connection: psycopg.Connection[Any]) -> None:
        connection.execute(_MAKE_THEM.format(making=making))

    with ExitStack() as stack, ThreadPoolExecutor(_AT_ONCE) as threads:
        connections = [stack.enter_context(database.connect(autocommit=True)) for _ in range(_AT_ONCE)]
        with database.connect(autocommit=True) as starter:
            starter.execute("SELECT pg_advisory_lock(1)")
            started = [threads.submit(make, connection) for connection in connections]
            time.sleep(0.2)
        assert [each.result() for each in started] == [None] * _AT_ONCE
    with database.connect() as connection:
        counted = connection.execute("SELECT count(*), sum(requests) FROM sync.source_rate_budgets").fetchone()
    assert counted == (_ORGS, _ORGS)
