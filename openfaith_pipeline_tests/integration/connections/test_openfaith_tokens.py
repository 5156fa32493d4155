"""Orgs and tokens in OpenFaith's own tables: taken over, used, refreshed there, and never fought over."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from openfaith_pipeline.connections import oauth_tokens as tokens
from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.client import connect_client
from openfaith_pipeline.connections.credentials import read_held
from openfaith_pipeline.connections.oauth_tokens import refresh_due_tokens, renew_token
from openfaith_pipeline.connections.openfaith_tokens import adopt_openfaith_orgs
from openfaith_pipeline.connections.registry import add_org
from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import ConnectionRejected, GrantDead
from openfaith_pipeline.orgs.registry import get_org, list_orgs, remove_org, resume_org
from openfaith_pipeline.planning_center import OAuthToken
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.simulator import SimulatorClient, made_up_churches, running_simulator
from openfaith_pipeline_tests.oauth_grants import grant, with_oauth
from openfaith_pipeline_tests.tenants import connection_of

CHURCH, STRANGER = made_up_churches(2, people=3)
ORG, SCHEMA = CHURCH.org_id, "public"

# As shared/openfaith-model/schema.json has them.
_TABLES = """
CREATE TABLE "openfaith_orgs" (id text PRIMARY KEY, name text NOT NULL, "createdAt" timestamptz NOT NULL);
CREATE TABLE "openfaith_adapterDetails" (
    "_tag" character(14) NOT NULL DEFAULT 'adapterDetails', adapter text NOT NULL, "createdAt" timestamptz NOT NULL,
    enabled boolean NOT NULL, "orgId" text NOT NULL, "syncStatus" jsonb NOT NULL, PRIMARY KEY ("orgId", adapter));
CREATE TABLE "openfaith_adapterTokens" (
    "_tag" character(12) NOT NULL DEFAULT 'adapterToken', "accessToken" text NOT NULL, adapter text NOT NULL,
    "createdAt" timestamptz NOT NULL, "expiresIn" integer NOT NULL, "orgId" text NOT NULL, "refreshToken" text NOT NULL,
    "userId" text NOT NULL, PRIMARY KEY ("userId", "orgId", adapter));
"""


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator([CHURCH, STRANGER]) as client:
        yield client


@pytest.fixture
def database(database: Database, simulator: SimulatorClient) -> Database:
    """A database of OpenFaith's, in which one church is connected."""
    with database.connect() as connection:
        connection.execute(_TABLES)
        connection.execute("""INSERT INTO "openfaith_orgs" VALUES (%s, 'Amber Hill', now())""", (ORG,))
        connection.execute(
            """INSERT INTO "openfaith_adapterDetails" (adapter, "createdAt", enabled, "orgId", "syncStatus")"""
            " VALUES ('pco', now(), true, %s, '{}')",
            (ORG,),
        )
    _approve(database, "user_old", OAuthToken(SecretStr("older"), SecretStr("older"), None), ago=timedelta(days=1))
    _approve(database, "user_new", grant(simulator, ORG))
    simulator.forget_requests()
    return replace(database, settings=with_oauth(database.settings, simulator.url))


def _approve(database: Database, user: str, token: OAuthToken, ago: timedelta = timedelta()) -> None:
    """Store the token as OpenFaith does after a user's approval and after its own refreshes."""
    assert token.refresh_token
    with database.connect() as connection:
        connection.execute(
            """INSERT INTO "openfaith_adapterTokens" ("userId", "orgId", adapter, "accessToken", "refreshToken","""
            """ "createdAt", "expiresIn") VALUES (%s, %s, 'pco', %s, %s, %s, 7200)"""
            """ ON CONFLICT ("userId", "orgId", adapter) DO UPDATE SET "accessToken" = excluded."accessToken","""
            """ "refreshToken" = excluded."refreshToken", "createdAt" = excluded."createdAt" """,
            (
                user,
                ORG,
                token.access_token.get_secret_value(),
                token.refresh_token.get_secret_value(),
                datetime.now(UTC) - ago,
            ),
        )


def _adopt(database: Database) -> list[str]:
    with database.connect() as connection:
        return adopt_openfaith_orgs(connection, SCHEMA, adapter="pco")


def _token(database: Database) -> OAuthToken:
    with database.connect() as connection:
        token = read_held(connection, cipher_from(database.settings), ORG, adapter="pco").credentials
    assert isinstance(token, OAuthToken)
    return token


def _rows(database: Database) -> dict[str, tuple[str, str]]:
    with database.connect() as connection:
        query = """SELECT "userId", "accessToken", "refreshToken" FROM "openfaith_adapterTokens" """
        return {user: (access, refresh) for user, access, refresh in connection.execute(query).fetchall()}


def _enable(database: Database, enabled: bool) -> None:
    with database.connect() as connection:
        connection.execute('UPDATE "openfaith_adapterDetails" SET enabled = %s', (enabled,))


async def test_an_org_of_openfaith_is_taken_over_once_and_read_with_the_newest_token(database: Database) -> None:
    assert (_adopt(database), _adopt(database)) == ([ORG], [])
    with database.connect() as connection:
        [org] = list_orgs(connection)
        assert (org.org_id, org.name, connection_of(connection, ORG).state) == (ORG, "Amber Hill", "connected")
        assert connection.execute("SELECT secret FROM sync.connections").fetchone() == (None,)
    async with connect_client(database, ORG, adapter="pco") as client:
        await client.get("/people/v2/emails", {}, product=Product.PEOPLE)


async def test_a_token_of_another_church_reads_nothing_into_this_one(
    database: Database, simulator: SimulatorClient
) -> None:
    _adopt(database)
    async with connect_client(database, ORG, adapter="pco") as client:
        await client.get("/people/v2/emails", {}, product=Product.PEOPLE)
    _approve(database, "user_elsewhere", grant(simulator, STRANGER.org_id))
    with pytest.raises(ConnectionRejected, match="of another church"):
        async with connect_client(database, ORG, adapter="pco"):
            pytest.fail("it may be read with")
    with database.connect() as connection:
        assert connection_of(connection, ORG).state == "needs_reconnect"
        connection.execute("""DELETE FROM "openfaith_adapterTokens" WHERE "userId" = 'user_elsewhere'""")
    async with connect_client(database, ORG, adapter="pco") as client:
        await client.get("/people/v2/emails", {}, product=Product.PEOPLE)
    with database.connect() as connection:
        assert connection_of(connection, ORG).state == "connected"


async def test_a_token_of_another_church_does_not_take_the_place_of_one_in_use(
    database: Database, simulator: SimulatorClient
) -> None:
    """The church's own is revoked in the middle of a sync, and OpenFaith has a newer one: of another church."""
    _adopt(database)
    with pytest.raises(ConnectionRejected, match="of another church"):
        async with connect_client(database, ORG, adapter="pco") as client:
            await client.get("/people/v2/emails", {}, product=Product.PEOPLE)
            _approve(database, "user_elsewhere", grant(simulator, STRANGER.org_id))
            simulator.revoke(ORG)
            simulator.forget_requests()
            await client.get("/people/v2/emails", {}, product=Product.PEOPLE)
    read = [row["target"] for row in simulator.requests(org=STRANGER.org_id)]
    assert read == ["/people/v2"], "whose it is, and nothing else"
    with database.connect() as connection:
        assert connection_of(connection, ORG).state == "needs_reconnect"


def test_a_refreshed_token_is_written_where_openfaith_finds_it(database: Database, simulator: SimulatorClient) -> None:
    _adopt(database)
    before = _rows(database)
    renew_token(database, ORG, _token(database), adapter="pco")

    after = _rows(database)
    assert after["user_old"] == before["user_old"]
    assert after["user_new"] != before["user_new"]
    assert _token(database).access_token.get_secret_value() == after["user_new"][0]
    with database.connect() as connection:
        row = connection.execute(
            """SELECT "createdAt" > now() - interval '1 minute' AND "expiresIn" BETWEEN 7100 AND 7200"""
            """ FROM "openfaith_adapterTokens" WHERE "userId" = 'user_new'"""
        ).fetchone()
        assert row == (True,)
        assert (
            b"simulated" not in (connection.execute("SELECT previous_secret FROM sync.connections").fetchone() or [])[0]
        )
    assert refresh_due_tokens(database) == {}
    assert [row["status"] for row in simulator.requests(target="/oauth/token")] == [200]


def test_a_token_that_openfaith_has_refreshed_is_taken_and_not_overwritten(
    database: Database, simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    _adopt(database)
    ours = _token(database)
    theirs = grant(simulator, ORG)
    _approve(database, "user_new", theirs)
    assert renew_token(database, ORG, ours, adapter="pco") == _token(database)
    assert _rows(database)["user_new"][0] == theirs.access_token.get_secret_value()

    # ... and one that it refreshes while our own refresh is under way.
    newest = grant(simulator, ORG)
    exchange = tokens._exchange

    def meanwhile(*arguments: object) -> OAuthToken:
        _approve(database, "user_new", newest)
        return exchange(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(tokens, "_exchange", meanwhile)
    kept = renew_token(database, ORG, _token(database), adapter="pco")
    assert isinstance(kept, OAuthToken)
    assert kept.access_token == newest.access_token
    assert _rows(database)["user_new"][0] == newest.access_token.get_secret_value()


def test_a_grant_that_is_dead_because_openfaith_was_faster_is_not_dead(
    database: Database, simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    _adopt(database)
    newest = grant(simulator, ORG)

    def too_late(*_: object) -> OAuthToken:
        _approve(database, "user_new", newest)
        raise GrantDead("used")

    monkeypatch.setattr(tokens, "_exchange", too_late)
    kept = renew_token(database, ORG, _token(database), adapter="pco")
    assert isinstance(kept, OAuthToken)
    assert kept.access_token == newest.access_token
    with database.connect() as connection:
        assert connection_of(connection, ORG).state == "connected"


def test_switched_off_there_it_is_paused_here_and_resumed_when_it_is_on_again(database: Database) -> None:
    _adopt(database)
    _enable(database, enabled=False)
    _adopt(database)
    with database.connect() as connection:
        assert get_org(connection, ORG).paused_at is not None
        resume_org(connection, ORG)  # one may differ here
    _adopt(database)
    with database.connect() as connection:
        assert get_org(connection, ORG).paused_at is None
    _enable(database, enabled=True)
    _adopt(database)
    with database.connect() as connection:
        assert get_org(connection, ORG).paused_at is None


def test_an_org_that_is_ours_or_was_removed_here_is_left_alone(database: Database) -> None:
    own = OAuthToken(SecretStr("own"), None, None)
    with database.connect() as connection:
        add_org(connection, cipher_from(database.settings), ORG, "Ours", own, adapter="pco")
    assert _adopt(database) == []
    assert _token(database) == own
    with database.connect() as connection:
        remove_org(connection, ORG)
    assert _adopt(database) == []
    with database.connect() as connection:
        assert list_orgs(connection) == []


def test_elsewhere_there_is_nothing_to_take_over(database: Database) -> None:
    with database.connect() as connection:
        assert adopt_openfaith_orgs(connection, "sync", adapter="pco") == []
