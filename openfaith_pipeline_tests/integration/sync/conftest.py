"""A simulator for each test: two churches whose records share ids, with a rate limit too high to be hit."""

from collections.abc import Iterator

import pytest

from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline_tests.rates import GENEROUS


@pytest.fixture
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator(made_up_churches(2, people=110), rate_limit=GENEROUS) as running:
        yield running
