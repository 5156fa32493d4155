"""A simulated church for a test, synced with its OpenFaith tables."""

from collections.abc import Iterator

import pytest

from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline_tests.integration.journal.church import add_tagged_events
from openfaith_pipeline_tests.rates import GENEROUS


@pytest.fixture
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator(made_up_churches(1, people=40), rate_limit=GENEROUS) as running:
        for church in running.churches():
            add_tagged_events(running, church["org_id"])
        yield running
