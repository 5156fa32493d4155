"""A simulated church for a test, synced with its OpenFaith tables."""

from collections.abc import Iterator

import pytest

from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.options import RateLimit
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline_tests.integration.journal.church import add_tagged_events


@pytest.fixture
def simulator() -> Iterator[SimulatorClient]:
    generous = RateLimit(limit=100_000, period_seconds=1, high_offset_limit=100_000)
    with running_simulator(made_up_churches(1, people=40), rate_limit=generous) as running:
        for church in running.churches():
            add_tagged_events(running, church["org_id"])
        yield running
