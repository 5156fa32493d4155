"""Pruning of Dagster's history: Dagster itself deletes no run and no event.

Written as SQL over the tables of its storage, several runs per transaction: `DagsterInstance.delete_run` deletes one
run at a time, together with the materializations from which Dagster knows the state of an asset's partitions. See
docs/decisions/0008-pruning.md.
"""

from datetime import timedelta
from typing import Any, Final

from psycopg import Connection, sql

from openfaith_pipeline.database.connection import DAGSTER_SCHEMA

_RUNS_AT_ONCE: Final = 50

_ENDED: Final = ["SUCCESS", "FAILURE", "CANCELED"]
_BACKFILL_UNDER_WAY: Final = ["REQUESTED", "CANCELING", "FAILING"]
_NO_RUN: Final = ""  # run id of events that were reported outside of any run

# A run that is kept for its newest events has already lost the others, but is selected again each time.
_CHOOSE: Final = """
SELECT run.run_id FROM {runs} AS run
WHERE run.status = ANY(%(ended)s)
  AND coalesce(to_timestamp(run.end_time), run.update_timestamp AT TIME ZONE 'UTC') < now() - %(older_than)s
  AND run.run_id > %(after)s
  AND (run.backfill_id IS NULL OR NOT EXISTS (
      SELECT FROM {bulk_actions} AS backfill WHERE backfill.key = run.backfill_id
      AND backfill.status = ANY(%(under_way)s)))
ORDER BY run.run_id LIMIT %(most)s
"""

# State, automation and freshness are read from the newest event of each kind of an asset's partition.
_FORGET_EVENTS: Final = """
WITH gone AS (
    DELETE FROM {event_logs} AS event WHERE {which} AND (event.asset_key IS NULL OR EXISTS (
        SELECT FROM {event_logs} AS newer WHERE newer.asset_key = event.asset_key
        AND newer.dagster_event_type = event.dagster_event_type AND newer.partition = event.partition
        AND newer.id > event.id
    ) OR event.partition IS NULL AND EXISTS (
        SELECT FROM {event_logs} AS newer WHERE newer.asset_key = event.asset_key
        AND newer.dagster_event_type = event.dagster_event_type AND newer.partition IS NULL AND newer.id > event.id))
    RETURNING event.id
), untagged AS (
    DELETE FROM {asset_event_tags} WHERE event_id IN (SELECT id FROM gone)
)
SELECT count(*) FROM gone
"""

_FORGET_CHECKS: Final = """
DELETE FROM {asset_check_executions} AS done WHERE done.run_id = ANY(%(runs)s) AND EXISTS (
    SELECT FROM {asset_check_executions} AS newer WHERE newer.asset_key = done.asset_key
    AND newer.check_name = done.check_name AND newer.partition IS NOT DISTINCT FROM done.partition
    AND newer.id > done.id)
"""

_FORGET_RUNS: Final = """
DELETE FROM {runs} AS run WHERE run.run_id = ANY(%(runs)s)
AND NOT EXISTS (SELECT FROM {event_logs} AS event WHERE event.run_id = run.run_id)
AND NOT EXISTS (SELECT FROM {asset_check_executions} AS done WHERE done.run_id = run.run_id)
"""

_TABLES: Final = {
    name: sql.Identifier(DAGSTER_SCHEMA, name)
    for name in ("runs", "event_logs", "asset_event_tags", "asset_check_executions", "bulk_actions")
}


def forget_runs(connection: Connection[Any], older_than: timedelta) -> tuple[int, int]:
    """Delete runs that ended longer ago than this, and their events; returns the number of runs and of events.

    Kept regardless of age: runs that have not ended or whose backfill has not; the newest event of each kind and the
    newest result of each check for each asset partition; and runs with one of those, without their other events. Needs
    an autocommit connection. Does nothing if Dagster has no tables yet.
    """
    if not _is_there(connection):
        return 0, 0
    runs, events, after = 0, _forget_events_without_run(connection, older_than), ""
    asked = {"ended": _ENDED, "under_way": _BACKFILL_UNDER_WAY, "older_than": older_than, "most": _RUNS_AT_ONCE}
    while chosen := connection.execute(_statement(_CHOOSE), {**asked, "after": after}).fetchall():
        named = {"runs": [run_id for (run_id,) in chosen]}
        after = named["runs"][-1]
        with connection.transaction():
            events += _count(connection, _events("event.run_id = ANY(%(runs)s)"), named)
            connection.execute(_statement(_FORGET_CHECKS), named)
            runs += connection.execute(_statement(_FORGET_RUNS), named).rowcount
    return runs, events


def _forget_events_without_run(connection: Connection[Any], older_than: timedelta) -> int:
    which = "event.run_id = %(run)s AND event.timestamp < (now() AT TIME ZONE 'UTC') - %(older_than)s"
    return _count(connection, _events(which), {"run": _NO_RUN, "older_than": older_than})


def _is_there(connection: Connection[Any]) -> bool:
    found = connection.execute("SELECT to_regclass(%s)", (f"{DAGSTER_SCHEMA}.event_logs",)).fetchone()
    return bool(found and found[0])


def _count(connection: Connection[Any], statement: sql.Composed, parameters: dict[str, Any]) -> int:
    row = connection.execute(statement, parameters).fetchone()
    return row[0] if row else 0


def _events(which: str) -> sql.Composed:
    return sql.SQL(_FORGET_EVENTS).format(which=sql.SQL(which), **_TABLES)


def _statement(text: str) -> sql.Composed:
    return sql.SQL(text).format(**_TABLES)
