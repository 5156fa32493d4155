"""Many orgs in one process, over a real database and a simulator."""

import asyncio
import socket
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import pytest
from psycopg.rows import dict_row
from pydantic import SecretStr

from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.registry import add_org
from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.load.sync_leases import end_expired
from openfaith_pipeline.orgs.registry import pause_org
from openfaith_pipeline.orgs.turns import LEASE_TTL, Kind, claim_turns, enroll_orgs, keep_turns
from openfaith_pipeline.planning_center import PersonalAccessToken
from openfaith_pipeline.settings import environment_with, load_settings
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.options import Latency
from openfaith_pipeline.sync import sweep as sweeping
from openfaith_pipeline.sync.sweep import SweepOrder
from openfaith_pipeline_tests.forking import fork
from openfaith_pipeline_tests.integration.sweeps.conftest import STREAMS, Heard, make_due, swept
from openfaith_pipeline_tests.integration.sync.church import RARELY


def turns(database: Database) -> dict[str, dict]:
    with database.connect(row_factory=dict_row) as connection:
        rows = connection.execute("SELECT *, next_at - now() AS wait FROM sync.org_schedules").fetchall()
    return {row["org_id"]: row for row in rows}


def count(database: Database, table: str, org_id: str) -> int:
    with database.connect() as connection:
        [(number,)] = connection.execute(f"SELECT count(*) FROM {table} WHERE org_id = %s", (org_id,)).fetchall()  # noqa: S608
    return number


def truth(simulator: SimulatorClient, org_id: str) -> int:
    return len(simulator.truth(org_id, "people.emails"))


def test_each_org_is_synced_once_and_its_tables_made(
    database: Database, simulator: SimulatorClient, org_ids: list[str]
) -> None:
    report, heard = swept(database)

    assert (report.orgs, report.changed_orgs, report.failures) == (4, 4, {})
    for org_id in org_ids:
        assert count(database, "pco_people.emails", org_id) == truth(simulator, org_id)
        assert {"people.people", "people.emails"} <= set(heard.outcomes[org_id].changed)
        assert heard.outcomes[org_id].tables["people"].inserted == 6
    assert all(timedelta(0) < turn["wait"] <= RARELY for turn in turns(database).values())
    with database.connect() as connection:
        syncs = connection.execute("SELECT sync_id, trigger, status FROM sync.syncs").fetchall()
    assert sorted(syncs) == sorted((heard.outcomes[org_id].sync_id, "schedule", "succeeded") for org_id in org_ids)


@pytest.mark.usefixtures("org_ids")
def test_a_sweep_without_changes_makes_nothing(database: Database) -> None:
    swept(database)
    assert swept(database)[0].orgs == 0, "nobody is due"
    make_due(database)

    report, heard = swept(database)

    assert (report.orgs, report.changed_orgs) == (4, 0)
    assert all(not outcome.changed and not outcome.tables for outcome in heard.outcomes.values())


def test_one_orgs_failure_is_its_own(database: Database, org_ids: list[str]) -> None:
    broken, *others = org_ids
    with database.connect() as connection:
        refused = PersonalAccessToken("nobody", SecretStr("planted-secret"))
        add_org(connection, cipher_from(database.settings), broken, "a church", refused, api_url=None, adapter="pco")
        connection.execute(
            "UPDATE sync.connections SET api_url = other.api_url FROM sync.connections AS other"
            " WHERE connections.org_id = %s AND other.org_id = %s",
            (broken, others[0]),
        )

    report, _ = swept(database)
    assert list(report.failures) == [broken]
    assert "planted-secret" not in report.failures[broken]
    state = turns(database)
    assert state[broken]["failures"] == 1
    assert timedelta(seconds=50) < state[broken]["wait"] <= timedelta(minutes=1)
    assert {state[org_id]["error"] for org_id in others} == {None}

    with database.connect() as connection:
        connection.execute("UPDATE sync.org_schedules SET next_at = now() WHERE org_id = %s", (broken,))
    swept(database)
    assert timedelta(seconds=110) < turns(database)[broken]["wait"] <= timedelta(minutes=2), "it waits longer"


def test_a_church_whose_api_is_not_there_is_given_up_at_once_and_the_others_are_synced(
    database: Database, org_ids: list[str]
) -> None:
    lost, *others = org_ids
    with socket.create_server(("127.0.0.1", 0)) as server, database.connect() as connection:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        connection.execute("UPDATE sync.connections SET api_url = %s WHERE org_id = %s", (url, lost))
        connection.execute("DELETE FROM sync.org_settings WHERE org_id = %s", (lost,))
    began = time.monotonic()
    report, _ = swept(database)
    assert time.monotonic() - began < 20
    assert report.orgs == 4
    assert report.failures.keys() == {lost}
    assert report.failures[lost].startswith("no connection to 127.0.0.1")
    assert {turns(database)[org_id]["error"] for org_id in others} == {None}


def test_a_reconnected_org_does_not_sit_out_its_wait(
    database: Database, simulator: SimulatorClient, org_ids: list[str]
) -> None:
    with database.connect() as connection:
        refused = PersonalAccessToken("nobody", SecretStr("wrong"))
        add_org(
            connection,
            cipher_from(database.settings),
            org_ids[0],
            "a church",
            refused,
            api_url=simulator.url,
            adapter="pco",
        )
    swept(database)
    token = simulator.credentials(org_ids[0])
    with database.connect() as connection:
        credentials = PersonalAccessToken(token.app_id, SecretStr(token.secret))
        add_org(
            connection,
            cipher_from(database.settings),
            org_ids[0],
            "a church",
            credentials,
            api_url=simulator.url,
            adapter="pco",
        )

    report, _ = swept(database)
    assert (report.orgs, report.failures) == (1, {})


def test_paused_orgs_and_those_synced_by_somebody_else_are_left_alone(database: Database, org_ids: list[str]) -> None:
    with database.connect() as connection:
        pause_org(connection, org_ids[0])
        connection.execute(
            "INSERT INTO sync.stream_states (org_id, stream, holder, lease_expires_at)"
            " VALUES (%s, 'people.people', 'elsewhere:1:x', now() + interval '1 minute')",
            (org_ids[1],),
        )
    _, heard = swept(database)
    assert set(heard.outcomes) == set(org_ids[2:])


def test_an_unforeseen_error_of_one_org_leaves_the_others(
    database: Database, org_ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make = sweeping.transform_org

    def fail(connection: psycopg.Connection, org_id: str, **how: object) -> object:
        if org_id == org_ids[0]:
            raise KeyError("jane@example.org")
        return make(connection, org_id, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(sweeping, "transform_org", fail)
    report, _ = swept(database)
    assert list(report.failures) == [org_ids[0]]
    assert "jane" not in report.failures[org_ids[0]]
    assert {"people.people", "people.emails"} <= set(turns(database)[org_ids[0]]["untransformed"])

    monkeypatch.undo()
    make_due(database)
    _, heard = swept(database)
    assert heard.outcomes[org_ids[0]].tables["people"].inserted == 6, "what was left out is made up for"
    assert turns(database)[org_ids[0]]["untransformed"] is None


def test_two_sweeps_share_the_orgs(database: Database, org_ids: list[str]) -> None:
    async def claim(pool_size: int) -> list[list[str]]:
        async with database.pool(size=pool_size, row_factory=dict_row) as pool:

            async def one(holder: str) -> list[str]:
                async with pool.connection() as connection:
                    return [turn.org_id for turn in await claim_turns(connection, Kind.INCREMENTAL, "pco", holder, 3)]

            return await asyncio.gather(*(one(f"sweep {number}") for number in range(4)))

    with database.connect() as connection:
        enroll_orgs(connection, Kind.INCREMENTAL, "pco")
    claims = asyncio.run(claim(4))
    assert sorted(org_id for claimed in claims for org_id in claimed) == sorted(org_ids)


def test_a_killed_sweeps_orgs_are_taken_up_under_their_sync_id(
    database: Database, simulator: SimulatorClient, org_ids: list[str], environment: dict[str, str]
) -> None:
    simulator.set_latency(Latency(base_ms=1500))
    process = fork(_sweep_all, environment=environment_with(**environment))
    try:
        wait_until_all_are_claimed(database, org_ids)
    finally:
        process.kill()
        process.wait()
        simulator.set_latency(Latency())
    begun = {org_id: turn["sync_id"] for org_id, turn in turns(database).items()}
    assert swept(database)[0].orgs == 0, "the dead sweep's leases still hold"
    expire_leases(database)

    report, heard = swept(database)
    assert (report.orgs, report.failures) == (4, {})
    assert {org_id: outcome.sync_id for org_id, outcome in heard.outcomes.items()} == begun
    assert all(count(database, "pco_people.emails", org_id) == truth(simulator, org_id) for org_id in org_ids)


def _sweep_all() -> None:
    with open_database(load_settings()) as database:
        asyncio.run(sweeping.sweep(database, SweepOrder("pco"), None))


def _sweep_two() -> None:
    with open_database(load_settings()) as database:
        asyncio.run(sweeping.sweep(database, SweepOrder("pco", orgs_at_once=2), Heard()))


def test_where_one_sweep_is_killed_another_goes_on_and_the_turns_are_taken_again(
    database: Database, simulator: SimulatorClient, org_ids: list[str], environment: dict[str, str]
) -> None:
    simulator.set_latency(Latency(base_ms=1500))
    killed = fork(_sweep_two, environment=environment_with(**environment))
    try:
        wait_until_all_are_claimed(database, org_ids[:2])
        theirs = {org_id: turn["sync_id"] for org_id, turn in turns(database).items() if turn["holder"]}
        assert len(theirs) == 2
        with ThreadPoolExecutor() as pool:
            sweep = pool.submit(swept, database)
            wait_until_all_are_claimed(database, org_ids)
            killed.kill()
            killed.wait(10)
            simulator.set_latency(Latency())
            report, heard = sweep.result()
    finally:
        killed.kill()
        simulator.set_latency(Latency())
    assert (report.failures, heard.outcomes.keys()) == ({}, set(org_ids) - theirs.keys())

    with database.connect() as connection:
        connection.execute("UPDATE sync.syncs SET lease_expires_at = now() WHERE status = 'running'")
    with database.connect() as connection:
        assert end_expired(connection) == 2
        left = connection.execute("SELECT sync_id FROM sync.syncs WHERE status = 'interrupted'").fetchall()
    assert {sync_id for (sync_id,) in left} == set(theirs.values())

    expire_leases(database)
    report, heard = swept(database)
    assert {org_id: outcome.sync_id for org_id, outcome in heard.outcomes.items()} == theirs
    assert report.failures == {}
    assert all(count(database, "pco_people.emails", org_id) == truth(simulator, org_id) for org_id in org_ids)
    with database.connect() as connection:
        assert connection.execute("SELECT DISTINCT status FROM sync.syncs").fetchall() == [("succeeded",)]


def test_a_sweep_whose_leases_have_run_out_takes_no_org_twice(
    database: Database, simulator: SimulatorClient, org_ids: list[str]
) -> None:
    simulator.set_latency(Latency(base_ms=1500))
    try:
        with ThreadPoolExecutor() as pool:
            sweeping = pool.submit(swept, database)
            wait_until_all_are_claimed(database, org_ids)
            expire_leases(database)
            time.sleep(2.5)  # it looks for more every second
            simulator.set_latency(Latency())
            report, heard = sweeping.result()
    finally:
        simulator.set_latency(Latency())
    assert (report.orgs, report.failures) == (4, {})
    assert sorted(heard.outcomes) == sorted(org_ids)


def wait_until_all_are_claimed(database: Database, org_ids: Collection[str]) -> None:
    with database.connect(autocommit=True) as connection:
        for _ in range(600):
            [(claimed,)] = connection.execute(
                "SELECT count(DISTINCT org_id) FROM sync.stream_syncs WHERE status = 'running'"
            ).fetchall()
            if claimed == len(org_ids):
                return
            connection.execute("SELECT pg_sleep(0.05)")
    raise AssertionError("the sweep did not begin")


def expire_leases(database: Database) -> None:
    with database.connect() as connection:
        for table in ("org_schedules", "stream_states"):
            connection.execute(
                f"UPDATE sync.{table} SET lease_expires_at = now() - interval '1 s'"  # noqa: S608
                " WHERE lease_expires_at IS NOT NULL"
            )


@pytest.mark.usefixtures("org_ids")
def test_a_living_sweep_keeps_its_orgs(database: Database) -> None:
    async def hold() -> int:
        async with database.pool(size=1, row_factory=dict_row) as pool, pool.connection() as connection:
            held = await claim_turns(connection, Kind.INCREMENTAL, "pco", "a sweep", 4)
            await connection.execute("UPDATE sync.org_schedules SET lease_expires_at = now() + interval '1 s'")
            await keep_turns(connection, "a sweep")
            [row] = await (
                await connection.execute(
                    "SELECT count(*) AS kept FROM sync.org_schedules WHERE lease_expires_at > now() + %s",
                    (LEASE_TTL - timedelta(seconds=5),),
                )
            ).fetchall()
            assert len(held) == 4
            return int(row["kept"])

    with database.connect() as connection:
        enroll_orgs(connection, Kind.INCREMENTAL, "pco")
    assert asyncio.run(hold()) == 4


@pytest.mark.usefixtures("org_ids")
def test_a_sweep_that_has_claimed_long_enough_says_so_and_ends(database: Database) -> None:
    report, heard = swept(database, SweepOrder("pco", claims_for=timedelta(0)))
    assert (report.orgs, heard.is_closed) == (0, True)


def test_streams_that_are_only_listed_whole_are_read_less_often(database: Database, org_ids: list[str]) -> None:
    assert "people.campuses" in swept(database)[1].outcomes[org_ids[0]].streams
    make_due(database)
    quick = swept(database)[1].outcomes[org_ids[0]].streams
    assert set(quick) == {"people.people", "people.emails"}
    with database.connect() as connection:
        connection.execute("UPDATE sync.org_schedules SET polled_at = now() - interval '1 hour'")
    make_due(database)
    assert "people.campuses" in swept(database)[1].outcomes[org_ids[0]].streams


def test_a_reconcile_is_a_turn_of_its_own(database: Database, org_ids: list[str]) -> None:
    with database.connect() as connection:
        enroll_orgs(connection, Kind.RECONCILE, "pco")
    assert swept(database, SweepOrder("pco", Kind.RECONCILE))[0].orgs == 0, "it is not night for any of them"
    make_due(database)
    report, heard = swept(database, SweepOrder("pco", Kind.RECONCILE))
    assert (report.orgs, report.failures) == (len(org_ids), {})
    results = heard.outcomes[org_ids[0]].streams
    assert {(name, result.mode) for name, result in results.items()} == {(name, "reconcile") for name in STREAMS}
    assert all(turn["wait"] > timedelta(0) for turn in turns(database).values())


# Postgres files both under the class that it uses for lost connections too.
REFUSING = """
CREATE FUNCTION pg_temp_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.org_id = '{org_id}' THEN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '{state}'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION pg_temp_refuse()
"""


@pytest.mark.parametrize(
    ("state", "table", "reason"),
    [
        ("54000", "pco_people.emails", "ProgramLimitExceeded"),
        ("53100", "pco_people.emails", "Postgres has no room: could not extend file"),
        ("53100", "openfaith_people", "Postgres has no room: could not extend file"),
    ],
)
def test_a_refusal_by_postgres_of_one_church_is_its_failure_and_ends_no_other_sync(
    database: Database, org_ids: list[str], state: str, table: str, reason: str
) -> None:
    column = "orgId" if table.startswith("openfaith") else "org_id"
    with database.connect() as connection:
        refusing = REFUSING.format(org_id=org_ids[0], state=state, table=table).replace("NEW.org_id", f'NEW."{column}"')
        connection.execute(refusing)

    report, _ = swept(database)

    assert report.orgs == len(org_ids)
    assert list(report.failures) == [org_ids[0]]
    assert reason in report.failures[org_ids[0]]
    assert {org_id: turn["failures"] for org_id, turn in turns(database).items() if turn["failures"]} == {org_ids[0]: 1}
