"""Orgs for tests that ask no source: connected, with credentials that nothing uses; and how a connection is."""

from collections.abc import Mapping
from typing import Any

from psycopg import Connection
from pydantic import SecretStr

from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.registry import add_org
from openfaith_pipeline.database import Database
from openfaith_pipeline.orgs.registry import OrgConnection, read_connection
from openfaith_pipeline.planning_center import PersonalAccessToken


def add_orgs(database: Database, names: Mapping[str, str]) -> None:
    """names: by id of the org."""
    token = PersonalAccessToken("a", SecretStr("s"))
    with database.connect() as connection:
        for org_id, name in names.items():
            add_org(connection, cipher_from(database.settings), org_id, name, token, adapter="pco")


def connection_of(connection: Connection[Any], org_id: str, adapter: str = "pco") -> OrgConnection:
    """The org's connection to the source, which is there."""
    found = read_connection(connection, org_id, adapter)
    assert found
    return found
