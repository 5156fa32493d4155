"""The journal against the tables: replayed from nothing, it must give exactly the rows that are there now."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from psycopg import Connection, sql

from openfaith_pipeline.journal import JournaledTable, canonical_rows, link_rows, raw_rows
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.transform import TABLES

Entry = tuple[str, str, Any, Any]
"""A row's key, the action, and its images before and after."""


def journaled_tables(schema: str = "public") -> list[JournaledTable]:
    """Every table whose changes are journaled."""
    raw = [raw_rows(stream) for stream in STREAMS.values()]
    links = [link_rows(stream, relationship) for stream in STREAMS.values() for relationship in stream.links]
    return [*raw, *links, *(canonical_rows(schema, table) for table in TABLES)]


def with_rows(connection: Connection[Any], tables: Collection[JournaledTable]) -> list[JournaledTable]:
    """Those of the tables that rows were ever written to: nearly all are empty, and each query takes a millisecond."""
    found = connection.execute(
        "SELECT n.nspname || '.' || c.relname, c.relkind = 'p' OR pg_relation_size(c.oid) > 0"
        " FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE n.nspname || '.' || c.relname = ANY(%s)",
        ([table.full_name for table in tables],),
    ).fetchall()
    are_written = dict(found)
    return [table for table in tables if are_written[table.full_name]]


def replay_differences(
    connection: Connection[Any], org_id: str, tables: Collection[JournaledTable] | None = None
) -> list[str]:
    """Each row that the journal, replayed from nothing, gives otherwise than the table does; empty when none."""
    tables = tables or journaled_tables()
    entries = _entries(connection, org_id, tables)
    written = with_rows(connection, tables)
    return [
        f"{table.full_name} {key}: {what}"
        for table in tables
        for key, what in _differences_of(
            entries[table.full_name], _live_rows(connection, org_id, table) if table in written else {}
        )
    ]


def _entries(connection: Connection[Any], org_id: str, tables: Collection[JournaledTable]) -> dict[str, list[Entry]]:
    """The journal of each table, read at once."""
    found: dict[str, list[Entry]] = defaultdict(list)
    for table_name, *entry in connection.execute(
        "SELECT table_name, row_key::text, action, before, after FROM sync.journal"
        " WHERE org_id = %s AND table_name = ANY(%s) ORDER BY id",
        (org_id, [table.full_name for table in tables]),
    ):
        found[table_name].append((entry[0], entry[1], entry[2], entry[3]))
    return found


def _differences_of(entries: Sequence[Entry], live: dict[str, dict[str, Any]]) -> list[tuple[Any, str]]:
    """Replayed in Python on purpose: neither the SQL that writes the journal nor that which undoes it is trusted."""
    rows: dict[str, dict[str, Any]] = {}
    found: list[tuple[Any, str]] = []
    for key, action, before, after in entries:
        present = rows.get(key)
        if (present is None) != (action == "insert"):
            found.append((key, f"{action} of a row that was {'not there' if present is None else 'there'}"))
        elif present is not None and any(present.get(name) != value for name, value in before.items()):
            found.append((key, f"{action} says it was otherwise before"))
        elif (
            present is not None
            and after is not None
            and (before.keys() != after.keys() or _has_unchanged(before, after))
        ):
            found.append((key, f"{action} does not say just what changed"))
        if action == "remove":
            rows.pop(key, None)
        else:
            rows[key] = {**(present or {}), **after}
    found += [(key, "in the table only") for key in live.keys() - rows.keys()]
    found += [(key, "in the journal only") for key in rows.keys() - live.keys()]
    differing = {key: _differing(rows[key], live[key]) for key in rows.keys() & live.keys()}
    found += [(key, f"differs in {', '.join(names)}") for key, names in differing.items() if names]
    return found


def _has_unchanged(before: dict[str, Any], after: dict[str, Any]) -> bool:
    return any(after[name] == value for name, value in before.items())


def _live_rows(connection: Connection[Any], org_id: str, table: JournaledTable) -> dict[str, dict[str, Any]]:
    key = sql.SQL(", ").join(
        part for name in table.key for part in (sql.Literal(name), sql.Identifier("present", name))
    )
    statement = sql.SQL(
        "SELECT jsonb_build_object({})::text, to_json(present) FROM {} AS present WHERE present.{} = %s"
    ).format(key, table.identifier, sql.Identifier(table.org))
    return dict(connection.execute(statement, (org_id,)).fetchall())


def _differing(replayed: dict[str, Any], live: dict[str, Any]) -> list[str]:
    """A column that was added after a row was journaled is not in its image, and was null."""
    return sorted(name for name in live.keys() | replayed.keys() if live.get(name) != replayed.get(name))
