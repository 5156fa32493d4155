"""A sync works as the writer, which changes no table, and as the owner, as fast and with the same rows."""

from dataclasses import replace

import psycopg
import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.access.logins import make_roles, renew_password
from openfaith_pipeline.database.access.names import WRITER
from openfaith_pipeline.database.access.passwords import kept_password
from openfaith_pipeline.database.connection import url_as
from openfaith_pipeline.database.server import RunningServer
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.sources import streams_of
from openfaith_pipeline.sync.maintenance import maintain
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline.transform import transform_org
from openfaith_pipeline_tests.integration.sync.church import connect, statuses, sync


def test_the_writer_syncs_transforms_and_maintains(
    database: Database, postgres: RunningServer, simulator: SimulatorClient
) -> None:
    make_roles(replace(database, administrator_url=postgres.administrator_url(str(database.settings.db_name))))
    url = url_as(database.url, WRITER, _password(database, postgres))
    writer = replace(database, url=url)
    org, _ = connect(database, simulator)

    for mode in (SyncMode.INCREMENTAL, SyncMode.RECONCILE):
        assert statuses(sync(writer, org, streams_of(Product.GROUPS), mode)) == {}
    with writer.connect() as connection:
        results = transform_org(connection, org, schema="public", sync_id="t", is_full=True)
        assert connection.execute("SELECT current_user").fetchone() == (WRITER,)
        read = connection.execute("SELECT count(*) FROM pco_groups.groups").fetchone()
    maintain(writer)

    assert results["groups"].inserted > 0
    assert read != (0,), "row-level security hides nothing from a writer"
    with writer.connect(autocommit=True) as connection:
        for statement in (
            "ALTER TABLE pco_groups.groups ADD COLUMN more text",
            "INSERT INTO sync.readers (login, sees_giving, sees_all_orgs) VALUES ('openfaith_writer', true, true)",
            "CREATE ROLE more",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)  # type: ignore[arg-type]


def _password(database: Database, postgres: RunningServer) -> str:
    """The role is the server's: another test of this process may have made it, and kept the password elsewhere."""
    renew_password(replace(database, administrator_url=postgres.administrator_url()), WRITER)
    return kept_password(database.settings, WRITER)
