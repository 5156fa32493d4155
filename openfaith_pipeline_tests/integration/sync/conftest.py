"""A simulator for each test: two churches whose records share ids, with a rate limit too high to be hit.

A module may name other CHURCHES; for tests with `synced_org`, its streams SYNCED are synced once and copied.
"""

from collections.abc import Iterator, Sequence

import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.server import DATABASE_NAME, RunningServer
from openfaith_pipeline.simulator import ChurchSpec
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline_tests.conftest import database_to_copy
from openfaith_pipeline_tests.integration.sync.church import connect, lead_to, statuses, sync
from openfaith_pipeline_tests.rates import GENEROUS

CHURCHES = made_up_churches(2, people=110)


def _churches_of(request: pytest.FixtureRequest) -> Sequence[ChurchSpec]:
    return getattr(request.module, "CHURCHES", CHURCHES)


@pytest.fixture
def simulator(request: pytest.FixtureRequest) -> Iterator[SimulatorClient]:
    with running_simulator(_churches_of(request), rate_limit=GENEROUS) as running:
        yield running


@pytest.fixture(scope="module")
def synced_once(
    request: pytest.FixtureRequest, postgres: RunningServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Name of a database with the module's streams of its first church."""
    directory = tmp_path_factory.mktemp("synced")
    with database_to_copy(postgres, directory.name, directory / "home") as database:
        with running_simulator(_churches_of(request), rate_limit=GENEROUS) as simulator:
            [org_id, *_] = connect(database, simulator)
            assert statuses(sync(database, org_id, request.module.SYNCED)) == {}
        yield directory.name


@pytest.fixture
def template(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("synced_once")) if "synced_org" in request.fixturenames else DATABASE_NAME


@pytest.fixture
def synced_org(request: pytest.FixtureRequest, database: Database, simulator: SimulatorClient) -> str:
    """The module's first church, synced: every new simulator of it has the same records."""
    lead_to(database, simulator)
    return _churches_of(request)[0].org_id
