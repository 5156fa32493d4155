"""OAuth tokens are refreshed once, by the first process that needs it, and only a dead grant ends them."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest
from pydantic import SecretStr

from openfaith_pipeline.alerts.incidents import list_alerts
from openfaith_pipeline.connections import oauth_tokens as tokens
from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.client import connect_client
from openfaith_pipeline.connections.credentials import put_credentials, read_held
from openfaith_pipeline.connections.oauth_tokens import refresh_due_tokens, renew_token
from openfaith_pipeline.connections.registry import add_org
from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import ConfigurationError, ConnectionRejected, GrantDead, TransientError
from openfaith_pipeline.orgs.registry import pause_org
from openfaith_pipeline.planning_center import OAuthToken
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.settings import environment_with
from openfaith_pipeline.simulator import Latency, SimulatorClient, made_up_churches, running_simulator
from openfaith_pipeline_tests.conftest import environment_of
from openfaith_pipeline_tests.forking import Forked, fork_program
from openfaith_pipeline_tests.oauth_grants import CLIENT_ID, CLIENT_SECRET, grant, with_oauth
from openfaith_pipeline_tests.tenants import connection_of
from openfaith_pipeline_tests.waiting import wait_until

CHURCHES = made_up_churches(3, people=3)
ORG = CHURCHES[0].org_id

_CHILD = """
import os, sys
from concurrent.futures import ThreadPoolExecutor
from openfaith_pipeline.database.connection import configured_url, database_at
from openfaith_pipeline.connections import oauth_tokens as tokens
from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.credentials import read_held
from openfaith_pipeline.settings import load_settings
settings = load_settings()
database = database_at(settings, configured_url(settings))
with database.connect() as connection:
    seen = read_held(connection, cipher_from(settings), sys.argv[1], adapter="pco").credentials
if sys.argv[2:] == ["dies"]:
    tokens._store = lambda *_: os.kill(os.getpid(), 9)
print("ready", flush=True)
sys.stdin.readline()
with ThreadPoolExecutor(2) as threads:
    renewed = threads.map(lambda _: tokens.renew_token(database, sys.argv[1], seen, "pco"), range(2))
    print(*(token.access_token.get_secret_value() for token in renewed))
"""


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator(CHURCHES) as client:
        yield client


@pytest.fixture
def forgiving() -> Iterator[SimulatorClient]:
    """One that takes an old refresh token until the new access token was used."""
    with running_simulator(CHURCHES[:1], is_old_token_kept=True) as client:
        yield client


@pytest.fixture
def connected(database: Database, simulator: SimulatorClient) -> Database:
    return _connected(database, simulator, ORG)


def _connected(database: Database, simulator: SimulatorClient, *org_ids: str) -> Database:
    database = replace(database, settings=with_oauth(database.settings, simulator.url))
    with database.connect() as connection:
        for org_id in org_ids:
            add_org(
                connection, cipher_from(database.settings), org_id, "a church", grant(simulator, org_id), adapter="pco"
            )
    simulator.forget_requests()
    return database


def _token(database: Database, org_id: str = ORG) -> OAuthToken:
    with database.connect() as connection:
        token = read_held(connection, cipher_from(database.settings), org_id, adapter="pco").credentials
    assert isinstance(token, OAuthToken)
    return token


def _previous(database: Database) -> OAuthToken | None:
    with database.connect() as connection:
        return read_held(connection, cipher_from(database.settings), ORG, adapter="pco").previous


def _age(database: Database, org_id: str = ORG, left: timedelta = timedelta(minutes=1)) -> None:
    """Let the stored token say that it has so much life left."""
    with database.connect() as connection:
        old = _token(database, org_id)
        aged = OAuthToken(old.access_token, old.refresh_token, datetime.now(UTC) + left)
        add_org(connection, cipher_from(database.settings), org_id, "a church", aged, adapter="pco")


def _refreshes(simulator: SimulatorClient) -> list[int]:
    return [row["status"] for row in simulator.requests(method="POST", target="/oauth/token")]


async def _read(database: Database, times: int = 1) -> None:
    async with connect_client(database, ORG, adapter="pco") as client:
        for _ in range(times):
            await client.get("/people/v2/emails", {}, product=Product.PEOPLE)


def _start(database: Database, *arguments: str) -> Forked:
    oauth = {
        "PCO_API_URL": str(database.settings.pco_api_url),
        "PLANNING_CENTER_CLIENT_ID": CLIENT_ID,
        "PLANNING_CENTER_SECRET": CLIENT_SECRET,
    }
    environment = environment_with(**environment_of(database.settings), **oauth)
    return fork_program(_CHILD, ORG, *arguments, environment=environment)


def _released(processes: list[Forked]) -> list[str]:
    for process in processes:
        assert process.stdout.readline() == b"ready\n"
    for process in processes:
        process.stdin.write(b"go\n")
        process.stdin.flush()
    return [process.finish().decode().strip() for process in processes]


@pytest.mark.slow
def test_eight_refreshers_in_four_processes_ask_once(connected: Database, simulator: SimulatorClient) -> None:
    old = _token(connected)
    simulator.set_latency(Latency(base_ms=500))
    try:
        told = " ".join(_released([_start(connected) for _ in range(4)])).split()
    finally:
        simulator.set_latency(Latency())

    new = _token(connected)
    assert told == [new.access_token.get_secret_value()] * 8
    assert new.access_token != old.access_token
    assert _refreshes(simulator) == [200]


def test_those_who_wait_for_a_refresh_that_fails_do_not_ask_again(connected: Database) -> None:
    asked: list[str] = []

    class Slow(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.rfile.read(int(self.headers["Content-Length"]))
            waiting.wait()
            self.send_response(503)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Keep the tests' output for the tests."""

    def renew(_: int) -> str:
        try:
            renew_token(broken, ORG, _token(connected), adapter="pco")
        except TransientError as error:
            return str(error)
        return "renewed"

    waiting = Event()
    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server, ThreadPoolExecutor(8) as threads:
        Thread(target=server.serve_forever, daemon=True).start()
        broken = _at(connected, f"http://127.0.0.1:{server.server_port}")
        outcomes = [threads.submit(renew, number) for number in range(8)]
        wait_until(lambda: _waiting_for_the_lock(connected) == 7)
        waiting.set()
        told = {outcome.result() for outcome in outcomes}
        server.shutdown()

    assert told == {"POST /oauth/token: 503, which says nothing about the token"}
    assert asked == ["/oauth/token"]
    assert isinstance(renew_token(connected, ORG, _token(connected), adapter="pco"), OAuthToken)


def _at(database: Database, url: str) -> Database:
    return replace(database, settings=database.settings.model_copy(update={"pco_api_url": url}))


def _waiting_for_the_lock(database: Database) -> int:
    with database.connect() as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ).fetchone()
    return row[0] if row else 0


async def test_a_long_sync_outlives_its_token(connected: Database, simulator: SimulatorClient) -> None:
    async with connect_client(connected, ORG, adapter="pco") as client:
        await client.get("/people/v2/emails", {}, product=Product.PEOPLE)
        simulator.advance_clock(7300)
        reads = (client.get("/people/v2/emails", {}, product=Product.PEOPLE) for _ in range(10))
        await asyncio.gather(*reads)

    assert _refreshes(simulator) == [200]
    assert _previous(connected) is None


async def test_a_token_about_to_expire_is_refreshed_before_it_is_used(
    connected: Database, simulator: SimulatorClient
) -> None:
    _age(connected)
    await _read(connected, times=3)

    assert _refreshes(simulator) == [200]
    assert 401 not in [row["status"] for row in simulator.requests()]


async def test_a_dead_grant_and_nothing_else_requires_reconnecting(
    connected: Database, simulator: SimulatorClient
) -> None:
    simulator.revoke(ORG)
    with pytest.raises(GrantDead):
        await _read(connected)

    with connected.connect() as connection:
        found = connection_of(connection, ORG)
        assert (found.state, "grant is over" in (found.reason or "")) == ("needs_reconnect", True)
        [alert] = list_alerts(connection)
        assert (alert.kind, alert.org_id) == ("connection_dead", ORG)
        add_org(connection, cipher_from(connected.settings), ORG, "a church", grant(simulator, ORG), adapter="pco")
        assert list_alerts(connection) == []
    await _read(connected)
    with connected.connect() as connection:
        assert connection_of(connection, ORG).state == "connected"


async def test_an_endpoint_that_is_out_of_order_costs_no_token(connected: Database, blocked_url: str) -> None:
    before = _token(connected)
    with pytest.raises(TransientError):
        renew_token(_at(connected, blocked_url), ORG, before, adapter="pco")

    with connected.connect() as connection:
        assert connection_of(connection, ORG).state == "connected"
        assert list_alerts(connection) == []
    assert _token(connected) == before
    await _read(connected)


@pytest.fixture
def blocked_url() -> Iterator[str]:
    """Where a firewall answers."""

    class Firewall(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(403)
            self.end_headers()
            self.wfile.write(b"<h1>blocked</h1>")

        def log_message(self, format: str, *args: object) -> None:
            """Keep the tests' output for the tests."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Firewall) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


async def test_a_token_that_still_lives_is_used_while_it_cannot_be_refreshed(connected: Database) -> None:
    _age(connected)
    kept = tokens.KeptToken(_at(connected, "http://127.0.0.1:9"), ORG, _token(connected), adapter="pco")
    assert await kept.current() is kept.token

    _age(connected, left=timedelta(seconds=-1))
    kept = tokens.KeptToken(_at(connected, "http://127.0.0.1:9"), ORG, _token(connected), adapter="pco")
    with pytest.raises(TransientError):
        await kept.current()


def test_a_wrong_application_is_no_dead_grant(connected: Database) -> None:
    wrong = connected.settings.model_copy(update={"pco_client_secret": SecretStr("pl4nted-wrong")})
    with pytest.raises(ConfigurationError, match="PLANNING_CENTER_SECRET") as failed:
        renew_token(replace(connected, settings=wrong), ORG, _token(connected), adapter="pco")
    assert "pl4nted" not in str(failed.value)
    unset = connected.settings.model_copy(update={"pco_client_id": None})
    with pytest.raises(ConfigurationError, match="PLANNING_CENTER_CLIENT_ID"):
        renew_token(replace(connected, settings=unset), ORG, _token(connected), adapter="pco")


def test_the_pair_before_is_kept_until_the_new_one_has_worked_and_taken_when_that_is_dead(
    database: Database, forgiving: SimulatorClient
) -> None:
    connected = _connected(database, forgiving, ORG)
    first = _token(connected)
    renew_token(connected, ORG, first, adapter="pco")
    assert _previous(connected) == first
    with connected.connect() as connection:  # the new pair is lost at the other end
        lost = replace(_token(connected), access_token=SecretStr("lost"), refresh_token=SecretStr("lost"))
        connection.execute("UPDATE sync.connections SET secret = NULL")
        put_credentials(connection, cipher_from(connected.settings), ORG, lost, adapter="pco")
    asyncio.run(_read(connected))

    assert _refreshes(forgiving) == [200, 400, 200]
    assert _previous(connected) is None


@pytest.mark.slow
@pytest.mark.parametrize("is_forgiving", [True, False], ids=["old token taken again", "old token used up"])
def test_a_process_killed_before_it_could_store_the_answer(
    database: Database, simulator: SimulatorClient, forgiving: SimulatorClient, is_forgiving: bool
) -> None:
    source = forgiving if is_forgiving else simulator
    connected = _connected(database, source, ORG)
    before = _token(connected)
    victim = _start(connected, "dies")
    _released([victim])
    assert victim.poll() == -9
    assert _token(connected) == before

    if is_forgiving:
        renew_token(connected, ORG, before, adapter="pco")
        asyncio.run(_read(connected))
    else:
        with pytest.raises(GrantDead):
            renew_token(connected, ORG, before, adapter="pco")
        with connected.connect() as connection:
            assert "interrupted before its result could be stored" in str(connection_of(connection, ORG).reason)
        asyncio.run(_read(connected))  # while the access token lives it is used, which heals nothing
        with connected.connect() as connection:
            assert connection_of(connection, ORG).state == "needs_reconnect"
    assert _refreshes(source) == [200, 200 if is_forgiving else 400]


def test_several_connections_that_die_together_raise_one_alarm(database: Database, simulator: SimulatorClient) -> None:
    org_ids = [church.org_id for church in CHURCHES]
    connected = _connected(database, simulator, *org_ids)
    for org_id in org_ids:
        _age(connected, org_id)
        simulator.revoke(org_id)
    assert all(reason and "grant is over" in reason for reason in refresh_due_tokens(connected).values())

    with connected.connect() as connection:
        kinds = [alert.kind for alert in list_alerts(connection)]
        assert (kinds.count("connection_dead"), kinds.count("connections_dying")) == (3, 1)
        add_org(connection, cipher_from(connected.settings), ORG, "a church", grant(simulator, ORG), adapter="pco")
        kinds = [alert.kind for alert in list_alerts(connection)]
        assert (kinds.count("connection_dead"), kinds.count("connections_dying")) == (2, 0)


def test_the_hourly_refresh_takes_tokens_that_expire_before_the_next(
    database: Database, simulator: SimulatorClient
) -> None:
    connected = _connected(database, simulator, *(church.org_id for church in CHURCHES))
    first, second, third = (church.org_id for church in CHURCHES)
    _age(connected, first, timedelta(minutes=60))
    _age(connected, second, timedelta(days=-1))
    with connected.connect() as connection:
        pause_org(connection, second)  # its grant lives for 90 days
    assert refresh_due_tokens(connected) == {first: None}
    _age(connected, second, timedelta(days=-21))
    _age(connected, third, timedelta(minutes=75))
    assert refresh_due_tokens(connected) == {second: None}
    assert refresh_due_tokens(connected) == {}


async def test_a_token_without_a_refresh_token_is_dead_once_it_is_refused(
    connected: Database, simulator: SimulatorClient
) -> None:
    with connected.connect() as connection:
        bare = OAuthToken(SecretStr("nothing"), None, datetime.now(UTC) - timedelta(hours=1))
        add_org(connection, cipher_from(connected.settings), ORG, "a church", bare, adapter="pco")
    with pytest.raises(ConnectionRejected):
        await _read(connected)
    with connected.connect() as connection:
        assert connection_of(connection, ORG).state == "needs_reconnect"
    assert _refreshes(simulator) == []
