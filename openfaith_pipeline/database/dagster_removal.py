"""Removal of an org from Dagster's storage: its partition's events, its runs, and its id and name in what stays."""

import json
import re
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

ERASED: Final = "org_erased"
"""Stands for the id of an erased org in runs, backfills, ticks and cursors that are of others too."""
ERASED_NAME: Final = "an erased church"

# Runs of several orgs: a check's result is not of a partition in its column, but in its document.
_CHECKS: Final = """
DELETE FROM {event_logs} WHERE dagster_event_type = 'ASSET_CHECK_EVALUATION' AND event LIKE %(own)s
"""
_SHARED: Final = """
SELECT run_id FROM {runs} WHERE run_body LIKE %(named)s UNION SELECT run_id FROM {event_logs} WHERE event LIKE %(named)s
"""
_MESSAGES: Final = """
SELECT id, event FROM {event_logs}
WHERE run_id = ANY(%(runs)s) AND dagster_event_type IS NULL AND strpos(event, %(name)s) > 0
"""
_RENAME: Final = """
UPDATE {event_logs} SET event = replace(replace(replace(event, %(church)s, %(no_church)s), %(text)s, %(no_text)s),
    %(both)s, %(neither)s)
WHERE run_id = ANY(%(runs)s) AND strpos(event, %(name)s) > 0
    AND (strpos(event, %(church)s) > 0 OR strpos(event, %(text)s) > 0 OR strpos(event, %(both)s) > 0)
"""
_COLUMNS: Final = """
SELECT c.relname, array_agg(a.attname ORDER BY a.attnum) FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = to_regnamespace(%s) AND c.relkind = 'r'
    AND a.atttypid IN ('text'::regtype, 'varchar'::regtype)
GROUP BY 1 ORDER BY 1
"""


def remove_partition(connection: Connection[Any], partition: str, name: str | None = None) -> dict[str, int]:
    """Remove the partition's events and runs; returns counts by table. In the caller's transaction.

    Runs that worked for several orgs keep the events of the others. In those, and in backfills, ticks and cursors,
    the partition's id is replaced, and so is `name`, that of its church.
    """
    counts: dict[str, int] = {}
    for table, text in _REMOVALS.items():
        if _is_there(connection, table):
            statement = sql.SQL(text).format(own_runs=_OWN_RUNS, **_TABLES)
            number = connection.execute(statement, {"partition": partition}).rowcount
            counts[f"{DAGSTER_SCHEMA}.{table}"] = number
    if _is_there(connection, "event_logs"):
        _add(counts, "event_logs", _remove_from_shared(connection, partition, name))
        for table, columns in connection.execute(_COLUMNS, (DAGSTER_SCHEMA,)).fetchall():
            _add(counts, table, _replace(connection, table, columns, partition))
    return {table: number for table, number in counts.items() if number}


def _add(counts: dict[str, int], table: str, number: int) -> None:
    place = f"{DAGSTER_SCHEMA}.{table}"
    counts[place] = counts.get(place, 0) + number


def _remove_from_shared(connection: Connection[Any], partition: str, name: str | None) -> int:
    """Remove the org's events from runs that were not its own, and its name from the others' events there."""
    named = {"named": f"%{partition}%", "own": f'%"partition": "{partition}"%'}
    number = connection.execute(sql.SQL(_CHECKS).format(**_TABLES), named).rowcount
    runs = [run_id for (run_id,) in connection.execute(sql.SQL(_SHARED).format(**_TABLES), named).fetchall()]
    if not name or not runs:
        return number
    escaped = json.dumps(name)[1:-1]
    asked = {
        "runs": runs,
        "name": escaped,
        "church": f'"church": "{escaped}"',
        "no_church": f'"church": "{ERASED_NAME}"',
        "text": f'"text": "{escaped}"',
        "no_text": f'"text": "{ERASED_NAME}"',
        "both": f"{escaped} ({partition})",
        "neither": ERASED_NAME,
    }
    number += connection.execute(sql.SQL(_RENAME).format(**_TABLES), asked).rowcount
    return number + _remove_messages(connection, asked, name)


def _remove_messages(connection: Connection[Any], asked: dict[str, Any], name: str) -> int:
    """Remove log messages that name the church."""
    as_word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    messages = connection.execute(sql.SQL(_MESSAGES).format(**_TABLES), asked).fetchall()
    about = [identifier for identifier, event in messages if as_word.search(str(json.loads(event).get("user_message")))]
    statement = sql.SQL("DELETE FROM {event_logs} WHERE id = ANY(%s)").format(**_TABLES)
    return connection.execute(statement, (about,)).rowcount


def _replace(connection: Connection[Any], table: str, columns: list[str], partition: str) -> int:
    names = [sql.Identifier(column) for column in columns]
    replaced = (sql.SQL("{0} = replace({0}, %(partition)s, %(erased)s)").format(name) for name in names)
    found = (sql.SQL("strpos({}, %(partition)s) > 0").format(name) for name in names)
    statement = sql.SQL("UPDATE {} SET {} WHERE {}").format(
        sql.Identifier(DAGSTER_SCHEMA, table), sql.SQL(", ").join(replaced), sql.SQL(" OR ").join(found)
    )
    return connection.execute(statement, {"partition": partition, "erased": ERASED}).rowcount


def _is_there(connection: Connection[Any], name: str) -> bool:
    found = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (f"{DAGSTER_SCHEMA}.{name}",)).fetchone()
    return bool(found and found[0])
