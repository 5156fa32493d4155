"""Identifying the organization of credentials at Planning Center, and checking that its APIs answer."""

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from openfaith_pipeline.connections.account import check_answering
from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.registry import add_org
from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import ConnectionRejected, ProductNotGranted, TransientError
from openfaith_pipeline.planning_center import PersonalAccessToken
from openfaith_pipeline.planning_center.account import read_account
from openfaith_pipeline.simulator import SimulatorClient, made_up_churches, running_simulator

FIRST, SECOND = made_up_churches(2, people=3)
NOWHERE = "http://127.0.0.1:9"
TOKEN = PersonalAccessToken(FIRST.credentials.app_id, SecretStr(FIRST.credentials.secret))
WRONG = PersonalAccessToken(FIRST.credentials.app_id, SecretStr("wrong"))


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator([FIRST, SECOND]) as client:
        yield client


def add(database: Database, org_id: str, token: PersonalAccessToken, api_url: str) -> None:
    with database.connect() as connection:
        add_org(connection, cipher_from(database.settings), org_id, org_id, token, api_url=api_url, adapter="pco")


async def test_credentials_belong_to_an_organization(simulator: SimulatorClient) -> None:
    account = await read_account(simulator.url, TOKEN)

    assert account.number == str(FIRST.organization_id)
    assert account.name


async def test_wrong_credentials_and_a_product_that_is_not_granted_are_distinguished(
    simulator: SimulatorClient,
) -> None:
    with pytest.raises(ConnectionRejected):
        await read_account(simulator.url, WRONG)

    simulator.grant(SECOND.org_id, ["groups"])
    with pytest.raises(ProductNotGranted):
        token = PersonalAccessToken(SECOND.credentials.app_id, SecretStr(SECOND.credentials.secret))
        await read_account(simulator.url, token)


async def test_each_api_is_requested_once_and_any_answer_counts(database: Database, simulator: SimulatorClient) -> None:
    add(database, FIRST.org_id, WRONG, simulator.url)
    add(database, SECOND.org_id, TOKEN, simulator.url)
    before = simulator.stats()["requests"]

    await check_answering(database, [FIRST.org_id, SECOND.org_id], adapter="pco")

    assert simulator.stats()["requests"] == before + 1


async def test_an_api_that_does_not_answer_is_named(database: Database, simulator: SimulatorClient) -> None:
    add(database, FIRST.org_id, TOKEN, simulator.url)
    add(database, SECOND.org_id, TOKEN, NOWHERE)

    with pytest.raises(TransientError, match=f"does not answer at {NOWHERE}"):
        await check_answering(database, [FIRST.org_id, SECOND.org_id], adapter="pco")
