"""Two small churches with records of the same ids, and copies of databases into which they were synced."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.server import DATABASE_NAME, RunningServer
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline_tests.conftest import database_to_copy
from openfaith_pipeline_tests.integration.privacy.planting import prepare, prepare_one
from openfaith_pipeline_tests.rates import GENEROUS


@dataclass(frozen=True)
class Prepared:
    """Both churches at the source, where no test changes them, and the first of them or both in a database."""

    database: Database
    simulator: SimulatorClient
    org_id: str
    other: str
    planted: dict[str, str]


@contextmanager
def _simulated() -> Iterator[SimulatorClient]:
    with running_simulator(made_up_churches(2, people=40), rate_limit=GENEROUS) as running:
        yield running


@pytest.fixture
def simulator() -> Iterator[SimulatorClient]:
    with _simulated() as running:
        yield running


@contextmanager
def _prepared(
    postgres: RunningServer, directories: pytest.TempPathFactory, name: str, prepare: Callable[..., Any]
) -> Iterator[Prepared]:
    directory = directories.mktemp(name)
    with _simulated() as running, database_to_copy(postgres, directory.name, directory / "home") as database:
        org_id, other, planted = prepare(database, running)
        yield Prepared(database, running, org_id, other, planted)


@pytest.fixture(scope="session")
def both_prepared(postgres: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    with _prepared(postgres, tmp_path_factory, "both_prepared", prepare) as prepared:
        yield prepared


@pytest.fixture(scope="session")
def one_prepared(postgres: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    with _prepared(postgres, tmp_path_factory, "one_prepared", prepare_one) as prepared:
        yield prepared


@pytest.fixture
def template(request: pytest.FixtureRequest) -> str:
    """The database of the churches that the test names, to be copied."""
    for name, made in (("churches", "both_prepared"), ("church", "one_prepared")):
        if name in request.fixturenames:
            return str(request.getfixturevalue(made).database.settings.db_name)
    return DATABASE_NAME


@pytest.fixture
def churches(database: Database, both_prepared: Prepared) -> Prepared:
    """Both churches after `prepare`, in a database of the test's own."""
    return replace(both_prepared, database=database)


@pytest.fixture
def church(database: Database, one_prepared: Prepared) -> Prepared:
    """The first church after `prepare_one`, in a database of the test's own."""
    return replace(one_prepared, database=database)
