"""An empty database, as a migration meets it first."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.connection import configured_url, database_at
from openfaith_pipeline.database.owner import OWNER
from openfaith_pipeline.database.server import RunningServer
from openfaith_pipeline.settings import Settings


@pytest.fixture
def empty_database(postgres: RunningServer, settings: Settings) -> Iterator[Database]:
    """A database without anything in it, dropped afterwards."""
    name = f"{settings.db_name}_empty"
    with psycopg.connect(postgres.administrator_url(), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(OWNER)))
        changed = settings.model_copy(update={"db_name": name})
        yield database_at(changed, configured_url(changed))
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
