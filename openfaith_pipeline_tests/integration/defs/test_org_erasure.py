"""An erased org leaves nothing in Dagster's tables, not even in the runs that worked for others too."""

from typing import Any

import dagster as dg
import pytest
from psycopg import sql

from openfaith_pipeline.database import Database
from openfaith_pipeline.privacy.org_erasure import erase_org
from openfaith_pipeline_tests.integration.defs.test_sweeps import _database_given, org_ids, run_sweep, simulator

__all__ = ["_database_given", "org_ids", "simulator"]

_TABLES = "SELECT relname FROM pg_class WHERE relnamespace = 'dagster'::regnamespace AND relkind = 'r' ORDER BY 1"


def rows_with(database: Database, text: str) -> dict[str, list[Any]]:
    """Rows of Dagster's tables that have the text, by table."""
    found = {}
    with database.connect() as connection:
        for (name,) in connection.execute(_TABLES).fetchall():
            statement = sql.SQL("SELECT t::text FROM {} AS t WHERE t::text LIKE %s ORDER BY 1")
            rows = connection.execute(statement.format(sql.Identifier("dagster", name)), (f"%{text}%",)).fetchall()
            if rows:
                found[name] = rows
    return found


@pytest.mark.usefixtures("_database_given")
def test_nothing_of_an_erased_org_is_left_in_dagster(
    instance: dg.DagsterInstance, database: Database, org_ids: list[str]
) -> None:
    gone, *others = org_ids
    for kind in ("first", "second"):
        assert run_sweep(instance, {"kind": kind}).success
    before = {org_id: rows_with(database, org_id) for org_id in others}
    assert {"event_logs", "asset_event_tags", "dynamic_partitions"} & {*rows_with(database, gone)}

    erase_org(database, gone, "somebody")

    assert rows_with(database, gone) == {}
    assert {org_id: rows_with(database, org_id) for org_id in others} == before
