"""Removal of an org from Dagster's storage: its partition's events, and its runs."""

from typing import Any, Final

from psycopg import Connection, sql

from openfaith_pipeline.database.connection import DAGSTER_SCHEMA

_TABLES: Final = {
    name: sql.Identifier(DAGSTER_SCHEMA, name)
    for name in (
        "runs",
        "run_tags",
        "event_logs",
        "asset_event_tags",
        "asset_check_executions",
        "dynamic_partitions",
        "asset_keys",
    )
}

_OWN_RUNS: Final = sql.SQL("run_id IN (SELECT run_id FROM {run_tags} WHERE value = %(partition)s)").format(**_TABLES)

# In order: the tags say which runs are the org's, so they go after the others.
_REMOVALS: Final = {
    "asset_event_tags": """
DELETE FROM {asset_event_tags} WHERE event_id IN (
    SELECT id FROM {event_logs} WHERE partition = %(partition)s OR {own_runs})""",
    "event_logs": "DELETE FROM {event_logs} WHERE partition = %(partition)s OR {own_runs}",
    "asset_check_executions": "DELETE FROM {asset_check_executions} WHERE partition = %(partition)s OR {own_runs}",
    "runs": "DELETE FROM {runs} WHERE {own_runs}",
    "run_tags": "DELETE FROM {run_tags} WHERE value = %(partition)s",
    "dynamic_partitions": "DELETE FROM {dynamic_partitions} WHERE partition = %(partition)s",
    "asset_keys": """
UPDATE {asset_keys} SET last_materialization = NULL
WHERE last_materialization LIKE '%%' || %(partition)s || '%%'""",
}


def remove_partition(connection: Connection[Any], partition: str) -> dict[str, int]:
    """Remove the partition's events and runs; returns counts by table. In the caller's transaction.

    Runs that worked for several orgs keep the events of the others.
    """
    counts: dict[str, int] = {}
    for name, text in _REMOVALS.items():
        if _is_there(connection, name):
            statement = sql.SQL(text).format(own_runs=_OWN_RUNS, **_TABLES)
            number = connection.execute(statement, {"partition": partition}).rowcount
            counts[f"{DAGSTER_SCHEMA}.{name}"] = number
    return {table: number for table, number in counts.items() if number}


def _is_there(connection: Connection[Any], name: str) -> bool:
    found = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (f"{DAGSTER_SCHEMA}.{name}",)).fetchone()
    return bool(found and found[0])
