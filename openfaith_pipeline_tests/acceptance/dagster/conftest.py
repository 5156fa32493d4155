"""One deployment for all tests of this folder; each takes a church of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from openfaith_pipeline.database.connection import configured_url, database_at
from openfaith_pipeline.database.server import RunningServer
from openfaith_pipeline_tests.acceptance.dagster.deployment import Deployment, running_dagster
from openfaith_pipeline_tests.conftest import environment_of, fresh_database


@pytest.fixture(scope="package")
def deployment(postgres: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Dagster's processes, on a database of their own."""
    directory: Path = tmp_path_factory.mktemp("deployment")
    with fresh_database(postgres, "dagster_deployment", directory / "home") as settings:
        database = database_at(settings, configured_url(settings))
        with running_dagster(database, environment_of(settings), directory) as deployment:
            yield deployment


@pytest.fixture(scope="package")
def _churches(deployment: Deployment) -> Iterator[str]:
    return iter(deployment.org_ids)


@pytest.fixture
def org_id(_churches: Iterator[str]) -> str:
    """A church that no other test has synced."""
    return next(_churches)


@pytest.fixture
def other_org_id(_churches: Iterator[str]) -> str:
    return next(_churches)
