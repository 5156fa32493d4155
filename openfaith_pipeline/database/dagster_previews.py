"""Rows shown in Dagster's events: an erased record's ids and times are taken out of the previews."""

import json
from collections.abc import Collection, Mapping
from typing import Any, Final

from psycopg import Connection, sql
from psycopg.rows import tuple_row

from openfaith_pipeline.database.connection import DAGSTER_SCHEMA

_EVENTS: Final = sql.SQL("""
SELECT id, asset_key, event FROM {events} WHERE partition = %s AND event LIKE '%%"TableRecord"%%'
""").format(events=sql.Identifier(DAGSTER_SCHEMA, "event_logs"))

_REWRITE: Final = sql.SQL("UPDATE {events} SET event = %s WHERE id = %s").format(
    events=sql.Identifier(DAGSTER_SCHEMA, "event_logs")
)

# Each asset also has its newest event, whatever the partition.
_NEWEST: Final = sql.SQL("""
SELECT id, asset_key, last_materialization FROM {keys}
WHERE last_materialization LIKE '%%"TableRecord"%%' AND last_materialization LIKE '%%' || %s || '%%'
""").format(keys=sql.Identifier(DAGSTER_SCHEMA, "asset_keys"))

_REWRITE_NEWEST: Final = sql.SQL("UPDATE {keys} SET last_materialization = %s WHERE id = %s").format(
    keys=sql.Identifier(DAGSTER_SCHEMA, "asset_keys")
)

_RECORD: Final = "TableRecord"


def remove_from_previews(
    connection: Connection[Any], partition: str, erased: Mapping[tuple[str, ...], Mapping[str, Collection[str]]]
) -> int:
    """Remove rows from the previews of a partition's events; returns the number of events rewritten.

    erased: by the key of an asset, and by the column of its preview, the ids whose rows are removed.
    """
    if not _are_there(connection):
        return 0
    return sum(
        _rewrite(connection, (find, partition), rewrite, erased)
        for find, rewrite in ((_EVENTS, _REWRITE), (_NEWEST, _REWRITE_NEWEST))
    )


def _rewrite(
    connection: Connection[Any],
    find: tuple[sql.Composed, str],
    rewrite: sql.Composed,
    erased: Mapping[tuple[str, ...], Mapping[str, Collection[str]]],
) -> int:
    rewritten = 0
    with connection.cursor("previews_of_erased", row_factory=tuple_row) as cursor:
        cursor.itersize = 200
        cursor.execute(find[0], (find[1],))
        for identifier, asset_key, event in cursor:
            columns = erased.get(tuple(json.loads(asset_key)) if asset_key else ())
            if columns and (without := _without(event, columns)) is not None:
                connection.execute(rewrite, (without, identifier))
                rewritten += 1
    return rewritten


def _are_there(connection: Connection[Any]) -> bool:
    found = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (f"{DAGSTER_SCHEMA}.event_logs",)).fetchone()
    return bool(found and found[0])


def _without(event: str, columns: Mapping[str, Collection[str]]) -> str | None:
    """The event without these rows; None if it has none of them."""
    document = json.loads(event)
    return json.dumps(document) if _prune(document, columns) else None


def _prune(node: Any, columns: Mapping[str, Collection[str]]) -> bool:
    if isinstance(node, dict):
        # Each of them, not only up to the first that has any.
        return sum(_prune(value, columns) for value in node.values()) > 0
    if not isinstance(node, list):
        return False
    kept = [each for each in node if not _is_erased(each, columns)]
    is_pruned = len(kept) < len(node)
    node[:] = kept
    return sum(_prune(each, columns) for each in kept) > 0 or is_pruned


def _is_erased(node: Any, columns: Mapping[str, Collection[str]]) -> bool:
    if not isinstance(node, dict) or node.get("__class__") != _RECORD:
        return False
    data = node.get("data") or {}
    return any(data.get(column) in ids for column, ids in columns.items())
