from collections.abc import Iterator

import dagster as dg
import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.instance import open_instance


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
