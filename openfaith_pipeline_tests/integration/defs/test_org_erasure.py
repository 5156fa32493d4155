"""An erased org leaves nothing in Dagster's tables, not even in the runs that worked for others too."""

import json
from typing import Any

import dagster as dg
import pytest
from psycopg import sql

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.dagster_removal import ERASED
from openfaith_pipeline.defs.location import definitions
from openfaith_pipeline.orgs.naming import names_of
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


def rebuild_all(instance: dg.DagsterInstance, org_ids: list[str]) -> None:
    """One run of several orgs, which has their ids in its config, and names them in its log."""
    config = {"ops": {"rebuild_orgs": {"config": {"orgs": org_ids}}}}
    job = definitions().resolve_job_def("rebuild")
    assert job.execute_in_process(run_config=config, instance=instance).success


@pytest.mark.usefixtures("_database_given")
def test_nothing_of_an_erased_org_is_left_in_dagster(
    instance: dg.DagsterInstance, database: Database, org_ids: list[str]
) -> None:
    gone, *others = org_ids
    for kind in ("first", "second"):
        assert run_sweep(instance, {"kind": kind}).success
    rebuild_all(instance, org_ids)
    instance.daemon_cursor_storage.set_cursor_values({"a sensor": json.dumps({org_id: [] for org_id in org_ids})})
    with database.connect() as connection:
        name = names_of(connection, [gone])[gone]
    before = {org_id: rows_with(database, org_id) for org_id in others}
    assert {"event_logs", "runs", "kvs"} <= {*rows_with(database, gone)}
    assert rows_with(database, name)

    erase_org(database, gone, "somebody")

    assert (rows_with(database, gone), rows_with(database, name)) == ({}, {})
    for org_id, rows in before.items():
        before_it = {table: {row.replace(gone, ERASED) for (row,) in each} for table, each in rows.items()}
        after_it = {table: {row for (row,) in each} for table, each in rows_with(database, org_id).items()}
        assert before_it == after_it
        assert json.loads(str(instance.daemon_cursor_storage.get_cursor_values({"a sensor"})["a sensor"])).keys() == {
            ERASED,
            *others,
        }
