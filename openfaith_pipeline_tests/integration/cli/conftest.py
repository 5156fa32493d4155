"""A simulated Planning Center with one church, and the command line on a database of the test's own."""

import asyncio
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from openfaith_pipeline.catalog.source import Account
from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.registry import add_org
from openfaith_pipeline.database import Database
from openfaith_pipeline.network.credentials import PersonalAccessToken
from openfaith_pipeline.simulator import ChurchSpec, SimulatorClient, made_up_churches, running_simulator
from openfaith_pipeline.sources import CONNECTORS, DEFAULT_SOURCE
from openfaith_pipeline_tests.rates import GENEROUS
from openfaith_pipeline_tests.verbs import Verbs

CHURCH = made_up_churches(1, people=12)[0]


@pytest.fixture(scope="session")
def template(with_dagster: str) -> str:
    return with_dagster


@pytest.fixture(scope="session")
def church() -> ChurchSpec:
    return CHURCH


@pytest.fixture(scope="session")
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator([CHURCH], rate_limit=GENEROUS) as client:
        yield client


@pytest.fixture
def verb(environment: dict[str, str]) -> Verbs:
    return Verbs(environment)


@pytest.fixture(scope="session")
def token(church: ChurchSpec) -> PersonalAccessToken:
    return PersonalAccessToken(church.credentials.app_id, SecretStr(church.credentials.secret))


@pytest.fixture(scope="session")
def account(simulator: SimulatorClient, token: PersonalAccessToken) -> Account:
    return asyncio.run(CONNECTORS[DEFAULT_SOURCE.adapter].read_account(simulator.url, token))


@pytest.fixture
def connected(
    database: Database, church: ChurchSpec, simulator: SimulatorClient, token: PersonalAccessToken, account: Account
) -> str:
    """The org id of the church, connected as by `org add`, which takes a second to align the schema."""
    with database.connect() as connection:
        add_org(
            connection,
            cipher_from(database.settings),
            church.org_id,
            account.name,
            token,
            api_url=simulator.url,
            organization_id=account.number,
            adapter=DEFAULT_SOURCE.adapter,
        )
    return church.org_id


def connect(verb: Verbs, church: ChurchSpec, api_url: str, *options: str, secret: str | None = None) -> None:
    added = verb(
        "org",
        "add",
        church.org_id,
        "--app-id",
        church.credentials.app_id,
        "--secret-stdin",
        "--api-url",
        api_url,
        *options,
        stdin=f"{secret or church.credentials.secret}\n",
    )
    assert added.code == 0, added.err
