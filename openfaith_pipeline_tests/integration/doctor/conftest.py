"""A church in the test's own database."""

import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline_tests.integration.doctor.church import Church, make_church


@pytest.fixture
def church(database: Database) -> Church:
    return make_church(database)
