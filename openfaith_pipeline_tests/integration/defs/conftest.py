from collections.abc import Iterator

import dagster as dg
import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.connection import configured_url, database_at
from openfaith_pipeline.database.server import RunningServer
from openfaith_pipeline.defs.instance import open_instance
from openfaith_pipeline_tests.conftest import environment_of, fresh_database


@pytest.fixture(scope="session")
def template(with_dagster: str) -> str:
    return with_dagster


@pytest.fixture
def instance(
    database: Database, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    """Dagster's instance in the test's own database, which the process's environment names too."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with open_instance(database.settings, database) as instance:
        yield instance


@pytest.fixture(scope="module")
def shared_place(
    request: pytest.FixtureRequest, postgres: RunningServer, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Database, dg.DagsterInstance]]:
    """A database and Dagster's instance in it for all tests of a module, in which each has orgs of its own."""
    name = request.module.__name__.rpartition(".")[2]
    home = tmp_path_factory.mktemp(name)
    with fresh_database(postgres, name, home, template) as settings, pytest.MonkeyPatch.context() as patch:
        for variable, value in environment_of(settings).items():
            patch.setenv(variable, value)
        database = database_at(settings, configured_url(settings))
        with open_instance(settings, database) as instance:
            yield database, instance
