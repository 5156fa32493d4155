"""A local Planning Center for the demo, the tests and the benchmarks.

Endpoints, records and relations are derived from the catalog's declarations, so a new stream needs nothing here.
The parameters that its lists take are in `planning_center/abilities`; any other is ignored, as in production.
Belongs here: the recorded behaviour of production, bugs included, the same for all streams.
Does not: the name of a stream,
or anything that the product itself runs by.
"""

from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.faults import Script
from openfaith_pipeline.simulator.options import (
    ChurchSpec,
    Credentials,
    Faults,
    Latency,
    RateLimit,
    SimulatorOptions,
    Traps,
    Webhooks,
)
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator, serve

__all__ = [
    "ChurchSpec",
    "Credentials",
    "Faults",
    "Latency",
    "RateLimit",
    "Script",
    "SimulatorClient",
    "SimulatorOptions",
    "Traps",
    "Webhooks",
    "made_up_churches",
    "running_simulator",
    "serve",
]
