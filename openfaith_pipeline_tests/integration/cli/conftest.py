"""A simulated Planning Center with one church, and the command line on a database of the test's own."""

from collections.abc import Iterator

import pytest

from openfaith_pipeline.simulator import ChurchSpec, SimulatorClient, made_up_churches, running_simulator
from openfaith_pipeline_tests.rates import GENEROUS
from openfaith_pipeline_tests.verbs import Verbs

CHURCH = made_up_churches(1, people=12)[0]


@pytest.fixture(scope="session")
def template(with_dagster: str) -> str:
    return with_dagster


@pytest.fixture
def church() -> ChurchSpec:
    return CHURCH


@pytest.fixture(scope="session")
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator([CHURCH], rate_limit=GENEROUS) as client:
        yield client


@pytest.fixture
def verb(environment: dict[str, str]) -> Verbs:
    return Verbs(environment)


@pytest.fixture
def connected(verb: Verbs, church: ChurchSpec, simulator: SimulatorClient) -> str:
    """The org id of the church, connected with its right token."""
    connect(verb, church, simulator.url)
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
