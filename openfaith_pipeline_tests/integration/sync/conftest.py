"""A simulator for each test: two churches whose records share ids, with a rate limit too high to be hit."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

import pytest

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database.server import RunningServer
from openfaith_pipeline.simulator import ChurchSpec
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline_tests.conftest import database_to_copy
from openfaith_pipeline_tests.integration.sync.church import connect, statuses, sync
from openfaith_pipeline_tests.rates import GENEROUS

CHURCHES = made_up_churches(2, people=110)
SyncedOnce = Callable[[Sequence[ChurchSpec], Sequence[Stream]], str]


@pytest.fixture
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator(CHURCHES, rate_limit=GENEROUS) as running:
        yield running


@pytest.fixture(scope="module")
def synced_once(postgres: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SyncedOnce]:
    """Sync streams of the first church into a database that is to be a `template`; its name.

    Every new simulator of these churches has the same records: each test leads its copy to its own.
    """
    with ExitStack() as stack:

        def sync_once(churches: Sequence[ChurchSpec], streams: Sequence[Stream]) -> str:
            directory = tmp_path_factory.mktemp("synced")
            database = stack.enter_context(database_to_copy(postgres, directory.name, directory / "home"))
            with running_simulator(churches, rate_limit=GENEROUS) as simulator:
                [org_id, *_] = connect(database, simulator)
                assert statuses(sync(database, org_id, streams)) == {}
            return directory.name

        yield sync_once
