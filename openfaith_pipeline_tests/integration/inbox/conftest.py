import pytest
from pydantic import SecretStr

from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.registry import add_org
from openfaith_pipeline.database import Database
from openfaith_pipeline.orgs.registry import new_org_id
from openfaith_pipeline.planning_center import PersonalAccessToken


def connected_org(database: Database, name: str = "First Church") -> str:
    """A new org with credentials; its id."""
    org_id = new_org_id()
    with database.connect() as connection:
        credentials = PersonalAccessToken("app-1", SecretStr("planted-secret"))
        add_org(connection, cipher_from(database.settings), org_id, name, credentials, adapter="pco")
    return org_id


@pytest.fixture
def org_id(database: Database) -> str:
    return connected_org(database)


@pytest.fixture
def other_org_id(database: Database) -> str:
    return connected_org(database, "Second Church")
