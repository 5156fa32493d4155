"""The OpenFaith user who connected a church is joined with their person there, and with nobody's in doubt."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from psycopg import Connection

from openfaith_pipeline.connections.openfaith_tokens import adopt_openfaith_orgs
from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.database_resource import DatabaseResource
from openfaith_pipeline.defs.instance import open_instance
from openfaith_pipeline.defs.logins import link_users_job
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline.sync.logins import link_logins
from openfaith_pipeline.sync.rebuild import RebuildOrder, rebuild
from openfaith_pipeline.sync.rollback import RollbackOrder, roll_back
from openfaith_pipeline_tests.integration.raw_rows import put_row
from openfaith_pipeline_tests.integration.transform.tables import entity_ids, transform
from openfaith_pipeline_tests.migrations.openfaith_reading import directed
from openfaith_pipeline_tests.oauth_grants import CLIENT_ID, CLIENT_SECRET, grant, with_oauth
from openfaith_pipeline_tests.rates import GENEROUS

CHURCHES = made_up_churches(2, people=3)
ORG, OTHER = (church.org_id for church in CHURCHES)
USER, ELSEWHERE = "user_01h455vb4pex5vsknk084sn02q", "user_01h455vb4pex5vsknk084sn02r"
ME = "985"

_TABLES = """
CREATE TABLE openfaith_orgs (id text PRIMARY KEY, name text NOT NULL, "createdAt" timestamptz NOT NULL);
CREATE TABLE "openfaith_orgUsers" (
    id text PRIMARY KEY, "orgId" text NOT NULL, "userId" text NOT NULL, role text NOT NULL,
    "createdAt" timestamptz NOT NULL, "_tag" char(7) DEFAULT 'orgUser' NOT NULL);
CREATE TABLE "openfaith_adapterDetails" (
    "_tag" char(14) NOT NULL DEFAULT 'adapterDetails', adapter text NOT NULL, "createdAt" timestamptz NOT NULL,
    enabled boolean NOT NULL, "orgId" text NOT NULL, "syncStatus" jsonb NOT NULL, PRIMARY KEY ("orgId", adapter));
CREATE TABLE "openfaith_adapterTokens" (
    "_tag" char(12) NOT NULL DEFAULT 'adapterToken', "accessToken" text NOT NULL, adapter text NOT NULL,
    "createdAt" timestamptz NOT NULL, "expiresIn" integer NOT NULL, "orgId" text NOT NULL, "refreshToken" text NOT NULL,
    "userId" text NOT NULL, PRIMARY KEY ("userId", "orgId", adapter));
"""
_TOKEN = """
INSERT INTO "openfaith_adapterTokens" ("userId", "orgId", adapter, "accessToken", "refreshToken", "createdAt",
    "expiresIn") VALUES (%s, %s, 'pco', %s, %s, now(), 7200)
"""
_MEMBER = """
INSERT INTO "openfaith_orgUsers" (id, "orgId", "userId", role, "createdAt") VALUES (%s, %s, %s, 'admin', now())
"""
_EDGES = """
SELECT "orgId", "sourceEntityId", "sourceEntityTypeTag", "targetEntityId", "targetEntityTypeTag", metadata
FROM openfaith_edges WHERE "relationshipType" = 'user-is-person' AND "deletedAt" IS NULL ORDER BY 1
"""
_DETAILS = """
INSERT INTO "openfaith_adapterDetails" (adapter, "createdAt", enabled, "orgId", "syncStatus")
VALUES ('pco', now(), true, %s, '{}')
"""


class Place(NamedTuple):
    """OpenFaith's database with a church that a member has connected, its people loaded; another church has them too.

    The people have the same record ids in both.
    """

    database: Database
    simulator: SimulatorClient

    def execute(self, statement: str, *values: object) -> None:
        with self.database.connect() as connection:
            assert connection.execute(statement.encode(), values).rowcount

    def edges(self) -> list[tuple[Any, ...]]:
        with self.database.connect() as connection:
            return connection.execute(_EDGES).fetchall()

    def person(self, org_id: str) -> str:
        with self.database.connect() as connection:
            return entity_ids(connection, org_id)["person", ME]

    def requests(self) -> int:
        return len(self.simulator.requests(target="/people/v2/me"))


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator(CHURCHES, rate_limit=GENEROUS) as running:
        yield running


@pytest.fixture
def place(database: Database, simulator: SimulatorClient) -> Place:
    with database.connect() as connection:
        connection.execute(_TABLES)
        _connect(connection, simulator, ORG, USER)
        assert adopt_openfaith_orgs(connection, "public", adapter="pco") == [ORG]
        for org_id in (ORG, OTHER):
            for number in (ME, "986"):
                put_row(connection, "people.people", org_id, number, name=f"Number {number}")
            transform(connection, org_id)
    simulator.forget_requests()
    return Place(replace(database, settings=with_oauth(database.settings, simulator.url)), simulator)


def _connect(connection: Connection[Any], simulator: SimulatorClient, org_id: str, user: str) -> None:
    """As OpenFaith does after a user's approval in Planning Center."""
    token = grant(simulator, org_id)
    assert token.refresh_token
    connection.execute('INSERT INTO openfaith_orgs (id, name, "createdAt") VALUES (%s, %s, now())', (org_id, org_id))
    connection.execute(_DETAILS, (org_id,))
    secrets = token.access_token.get_secret_value(), token.refresh_token.get_secret_value()
    connection.execute(_TOKEN, (user, org_id, *secrets))
    connection.execute(_MEMBER, (f"member_{org_id}", org_id, user))


def test_the_user_is_joined_once_with_their_person_in_their_org(place: Place) -> None:
    done = link_logins(place.database, "pco")
    assert (list(done.linked), done.doubtful, done.errors) == ([ORG], [], {})
    person = place.person(ORG)
    [(org_id, source, source_tag, target, target_tag, metadata)] = place.edges()
    assert (org_id, source, target) == (ORG, *directed(person, USER))
    assert {source: source_tag, target: target_tag} == {person: "person", USER: "user"}
    assert metadata == {"relationshipKey": "user-is-person", "source": "pco_login"}
    with place.database.connect() as connection:
        register = 'SELECT "sourceEntityType", "targetEntityTypes" FROM "openfaith_entityRelationships"'
        assert {"person": ["user"], "user": ["person"]}.items() <= dict(connection.execute(register).fetchall()).items()

    assert link_logins(place.database, "pco").linked == {}
    assert place.requests() == 1, "an org that has its edge asks no more"
    [rebuilt] = rebuild(place.database, RebuildOrder([ORG]))
    assert (rebuilt.error, rebuilt.written, len(place.edges())) == (None, 0, 1)
    roll_back(place.database, RollbackOrder(done.linked[ORG]))
    assert place.edges() == []


def test_a_user_of_another_org_is_joined_with_nobody_here(place: Place) -> None:
    place.execute('UPDATE "openfaith_orgUsers" SET "orgId" = %s', OTHER)
    done = link_logins(place.database, "pco")
    assert (done.linked, place.edges(), place.requests()) == ({}, [], 0)


def test_each_users_person_is_of_the_users_own_org(place: Place) -> None:
    with place.database.connect() as connection:
        _connect(connection, place.simulator, OTHER, ELSEWHERE)
        assert adopt_openfaith_orgs(connection, "public", adapter="pco") == [OTHER]
    assert set(link_logins(place.database, "pco").linked) == {ORG, OTHER}
    ends = {org_id: {source, target} for org_id, source, _, target, *_ in place.edges()}
    assert ends == {ORG: {USER, place.person(ORG)}, OTHER: {ELSEWHERE, place.person(OTHER)}}


@pytest.mark.parametrize(
    "doubt",
    [
        'UPDATE openfaith_people SET "deletedAt" = now() WHERE "orgId" = %(org)s',
        """UPDATE "openfaith_externalLinks" SET "externalId" = '1' WHERE "orgId" = %(org)s AND "externalId" = '985'""",
        'UPDATE openfaith_people SET "orgId" = %(other)s WHERE "orgId" = %(org)s',
    ],
    ids=["deleted", "not loaded", "another org's"],
)
def test_a_person_in_doubt_is_left_out(place: Place, doubt: str) -> None:
    with place.database.connect() as connection:
        assert connection.execute(doubt.encode(), {"org": ORG, "other": OTHER}).rowcount
    done = link_logins(place.database, "pco")
    assert (done.linked, done.doubtful, done.errors, place.edges()) == ({}, [ORG], {}, [])
    with place.database.connect() as connection:
        assert connection.execute("SELECT FROM sync.syncs").rowcount == 0


def test_an_edge_that_people_ended_is_not_made_again(place: Place) -> None:
    link_logins(place.database, "pco")
    place.execute("""UPDATE openfaith_edges SET "deletedAt" = now(), "deletedBy" = 'user_1'""")
    assert (link_logins(place.database, "pco").linked, place.edges(), place.requests()) == ({}, [], 1)


def test_an_answer_about_another_users_token_joins_nobody(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    from openfaith_pipeline.planning_center import connector  # noqa: PLC0415 - replaced here alone

    ask = connector.read_user

    async def replaced_meanwhile(client: Any) -> Any:
        place.execute('UPDATE "openfaith_adapterTokens" SET "userId" = %s', ELSEWHERE)
        return await ask(client)

    monkeypatch.setattr(connector, "read_user", replaced_meanwhile)
    done = link_logins(place.database, "pco")
    assert (done.linked, done.doubtful, place.edges()) == ({}, [ORG], [])


def test_a_source_that_refuses_fails_its_org_alone(place: Place) -> None:
    with place.database.connect() as connection:
        _connect(connection, place.simulator, OTHER, ELSEWHERE)
        adopt_openfaith_orgs(connection, "public", adapter="pco")
        connection.execute(
            """UPDATE "openfaith_adapterTokens" SET "accessToken" = 'x', "refreshToken" = 'x' WHERE "orgId" = %s""",
            (ORG,),
        )
    done = link_logins(place.database, "pco")
    assert (list(done.linked), list(done.errors), done.doubtful) == ([OTHER], [ORG], [])


def test_the_daily_job_counts_those_it_joined(
    place: Place, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    application = {
        "PCO_API_URL": place.simulator.url,
        "PLANNING_CENTER_CLIENT_ID": CLIENT_ID,
        "PLANNING_CENTER_SECRET": CLIENT_SECRET,
    }
    for name, value in {**environment, **application}.items():
        monkeypatch.setenv(name, value)
    with open_instance(place.database.settings, place.database) as instance:
        done = link_users_job.execute_in_process(instance=instance, resources={"database": DatabaseResource()})
    [output] = [event.step_output_data for event in done.all_events if event.is_successful_output]
    counts = {name: value.value for name, value in output.metadata.items()}
    assert counts == {"users_linked": 1, "users_in_doubt": 0, "failed": 0}
    assert [org_id for org_id, *_ in place.edges()] == [ORG]
