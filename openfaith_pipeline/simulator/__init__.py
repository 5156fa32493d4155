"""A Planning Center that runs here: for the demo, the tests and the benchmarks.

Endpoints, records and relations follow from the catalog's declarations, so a new stream needs nothing here. The
recorded behaviour of production, misbehaviour included, is the same for all streams. Nothing of it names one.
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
