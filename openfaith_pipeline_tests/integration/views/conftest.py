"""The demo's two churches, synced once, with a change on a list and in a group since; tests leave them as they were."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from openfaith_pipeline.cli.demo_churches import DemoChurches
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.connection import configured_url, database_at
from openfaith_pipeline.database.server import RunningServer
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.server import running_simulator
from openfaith_pipeline.sources import STREAMS, VIEWS
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline_tests.conftest import fresh_database
from openfaith_pipeline_tests.integration.sync.church import connect, statuses, sync
from openfaith_pipeline_tests.rates import GENEROUS

LISTED, IN_GROUPS = "people.list_results", "groups.memberships"


class Synced(NamedTuple):
    """joined, left: (stream, record) of those who joined or left after the first sync, all in the first church."""

    database: Database
    simulator: SimulatorClient
    orgs: list[str]
    joined: set[tuple[str, str]]
    left: set[tuple[str, str]]


def _streams() -> list[str]:
    """Those that a view reads, and the parents in their paths."""
    read = {table for view in VIEWS.values() for table in view.tables}
    names = {name for name, stream in STREAMS.items() if stream.raw_table in read}
    while more := {parent for name in names for parent in _parents(name)} - names:
        names |= more
    return [name for name in STREAMS if name in names]


def _parents(name: str) -> set[str]:
    stream = STREAMS[name]
    return {parent for path in stream.paths() if (parent := stream.parent_of(path))}


@pytest.fixture(scope="package")
def synced(postgres: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synced]:
    home = tmp_path_factory.mktemp("views") / "home"
    churches = DemoChurches(port=0).churches
    with (
        fresh_database(postgres, "views", home) as settings,
        running_simulator(churches, rate_limit=GENEROUS) as simulator,
    ):
        database = database_at(settings, configured_url(settings))
        orgs = connect(database, simulator)
        for org in orgs:
            simulator.edit(org, "people.lists", [985], attributes={"name": "Members"})
            assert statuses(sync(database, org, [STREAMS[name] for name in _streams()])) == {}
        joined, left = _change(simulator, orgs[0])
        changed = [STREAMS[name] for name in (*_parents(LISTED), LISTED, *_parents(IN_GROUPS), IN_GROUPS)]
        assert statuses(sync(database, orgs[0], changed, SyncMode.RECONCILE)) == {}
        yield Synced(database, simulator, orgs, joined, left)


def _change(simulator: SimulatorClient, org: str) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Three people join the list `Members` and one the first group; one leaves each."""
    joined = {(LISTED, str(id)) for id in simulator.add(org, LISTED, count=3, relations={"list": 985})}
    joined |= {(IN_GROUPS, str(id)) for id in simulator.add(org, IN_GROUPS, relations={"group": 985})}
    left = set()
    for stream in (LISTED, IN_GROUPS):
        simulator.delete(org, stream, [985])
        left.add((stream, "985"))
    return joined, left
