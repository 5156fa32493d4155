"""Canonical rows against the raw ones: changes that a transform would still make, and rows that lead nowhere.

The transform itself is the measure: it runs in a transaction that is rolled back, first over the changes
that it has not followed yet, which are not differences, then over everything. Its journal entries are the differences.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from openfaith_pipeline.audit.dead_ends import DeadEnds
from openfaith_pipeline.audit.findings import Finding, Kind
from openfaith_pipeline.audit.report import Part
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.canonical_tables import CANONICAL_PREFIX
from openfaith_pipeline.transform import edges, entity_relationships, links, transform_org
from openfaith_pipeline.transform.transformation import TABLES

Connection = psycopg.Connection[Any]

_MADE_BEFORE: Final = "SELECT FROM sync.transforms WHERE org_id = %s"
_OWN_NOTES: Final = "DELETE FROM sync.untransformed WHERE org_id = %s AND starts_with(source, %s)"
_ENTRIES: Final = """
SELECT table_name, row_key, action, CASE WHEN action = 'insert' THEN NULL ELSE after END AS after,
    after ->> 'entityId' AS entity_id
FROM sync.journal WHERE org_id = %s AND sync_id = %s AND starts_with(table_name, %s) ORDER BY id
"""
_LIVE: Final = 'SELECT count(*) AS rows FROM {table} WHERE "orgId" = %(org_id)s AND {live}'


def compare_canonical(database: Database, org_id: str) -> dict[str, Part]:
    """Differences from the raw tables, by canonical table. Commits nothing; other transforms of the org wait."""
    with (
        database.connect(row_factory=dict_row) as connection,
        connection.transaction(force_rollback=True),
    ):
        schema = database.settings.canonical_schema
        parts = {table: Part(_live(connection, org_id, schema, table)) for table in TABLES}
        if connection.execute(_MADE_BEFORE, (org_id,)).fetchone() is None:
            return {table: _not_made(part) for table, part in parts.items()}
        for end in DeadEnds(connection, org_id, schema).of_parity():
            parts[end.place].findings.append(Finding(end.place, end.name, end.kind))
        for finding in _wanted_changes(connection, org_id, schema):
            parts[finding.place].findings.append(finding)
        return parts


def _not_made(part: Part) -> Part:
    part.incomplete = "the canonical tables do not exist yet: `sync` creates them"
    return part


def _live(connection: Connection, org_id: str, schema: str, table: str) -> int:
    live = "true" if table == entity_relationships.TABLE else '"deletedAt" IS NULL'
    statement = sql.SQL(_LIVE).format(table=_table(schema, table), live=sql.SQL(live))
    return int(connection.execute(statement, {"org_id": org_id}).fetchall()[0]["rows"])


def _table(schema: str, table: str) -> sql.Identifier:
    return sql.Identifier(schema, f"{CANONICAL_PREFIX}{table}")


def _wanted_changes(connection: Connection, org_id: str, schema: str) -> Iterator[Finding]:
    """Changes that a transform would still make.

    Notes about canonical rows are dropped first: those changes were made by others, so they are differences.
    """
    connection.execute(_OWN_NOTES, (org_id, CANONICAL_PREFIX))
    for is_full in (False, True):
        sync_id = f"verify {uuid4()}"
        transform_org(connection, org_id, schema=schema, sync_id=sync_id, is_full=is_full)
        # Beside them are entries of local edits that the transform would overwrite: bookkeeping, and no rows of ours.
        entries = connection.execute(_ENTRIES, (org_id, sync_id, f"{schema}.{CANONICAL_PREFIX}")).fetchall()
        relinked = {entry["entity_id"] for entry in entries if _is_new(entry, schema, links.TABLE)}
        for entry in entries:
            finding = _finding(entry, schema, relinked, is_behind=not is_full)
            if finding:
                yield finding


def _is_new(entry: Mapping[str, Any], schema: str, table: str) -> bool:
    return bool(entry["action"] == "insert" and entry["table_name"] == f"{schema}.{CANONICAL_PREFIX}{table}")


def _finding(entry: Mapping[str, Any], schema: str, relinked: set[str], *, is_behind: bool) -> Finding | None:
    """None for consequences of a lost link: the entity that would be recreated, and all references to it."""
    place = entry["table_name"].removeprefix(f"{schema}.{CANONICAL_PREFIX}")
    key, after = entry["row_key"], entry["after"] or {}
    is_new = entry["action"] == "insert"
    if place != links.TABLE and relinked & {*key.values(), *map(str, after.values())}:
        return None
    fields = () if is_new else tuple(sorted(after))
    return Finding(place, _name(place, key), _kind(place, is_new=is_new), fields, is_behind)


def _kind(place: str, *, is_new: bool) -> Kind:
    if not is_new:
        return Kind.CHANGED
    return {links.TABLE: Kind.LINK_LOST, edges.TABLE: Kind.EDGE_LOST}.get(place, Kind.MISSING)


def _name(place: str, key: Mapping[str, str]) -> str:
    if place == links.TABLE:
        return f"{key['entityType']} {key['externalId']}"
    if place == edges.TABLE:
        return f"{key['sourceEntityId']} {key['relationshipType']} {key['targetEntityId']}"
    return " ".join(key.values())
