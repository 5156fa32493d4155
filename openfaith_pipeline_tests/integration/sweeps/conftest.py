"""Connected churches of a simulator, and a listener that records a sweep of them."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline.sync.sweep import OrgOutcome, SweepOrder, SweepReport, sweep
from openfaith_pipeline_tests.integration.sync.church import choose, connect
from openfaith_pipeline_tests.rates import GENEROUS

STREAMS = ("people.campuses", "people.people", "people.emails")


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator(made_up_churches(4, people=6), rate_limit=GENEROUS) as simulator:
        yield simulator


@pytest.fixture
def org_ids(database: Database, simulator: SimulatorClient) -> list[str]:
    """Four churches, connected, that sync three small streams."""
    org_ids = connect(database, simulator)
    choose(database, org_ids, *STREAMS)
    return org_ids


@dataclass
class Heard:
    """A listener that records the outcomes of a sweep."""

    outcomes: dict[str, OrgOutcome] = field(default_factory=dict)
    is_closed: bool = False

    def finished(self, outcome: OrgOutcome) -> None:
        assert outcome.org_id not in self.outcomes, "an org was worked on twice"
        self.outcomes[outcome.org_id] = outcome

    def claims_no_more(self) -> None:
        self.is_closed = True


def swept(database: Database, order: SweepOrder | None = None) -> tuple[SweepReport, Heard]:
    heard = Heard()
    return asyncio.run(sweep(database, order or SweepOrder("pco"), heard)), heard


def make_due(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("UPDATE sync.source_schedules SET next_at = now()")
