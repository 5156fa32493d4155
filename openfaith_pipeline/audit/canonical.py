"""Canonical rows against the raw ones: changes that a transform would still make, and rows that lead nowhere.

The transform itself is the measure: it runs in a transaction that is rolled back, first over the changes
that it has not followed yet, which are no differences, then over everything. Its journal entries are the differences.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from openfaith_pipeline.audit.findings import Finding, Kind
from openfaith_pipeline.audit.report import Part
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.canonical_tables import CANONICAL_PREFIX
from openfaith_pipeline.sources import CANONICAL
from openfaith_pipeline.transform import edges, entity_relationships, links, transform_org
from openfaith_pipeline.transform.transformation import TABLES
from openfaith_pipeline.transform.workspace import ADAPTER

Connection = psycopg.Connection[Any]

_MADE_BEFORE: Final = "SELECT FROM sync.transforms WHERE org_id = %s"
_OWN_NOTES: Final = "DELETE FROM sync.untransformed WHERE org_id = %s AND starts_with(source, %s)"
_ENTRIES: Final = """
SELECT table_name, row_key, action, CASE WHEN action = 'insert' THEN NULL ELSE after END AS after,
    after ->> 'entityId' AS entity_id
FROM sync.journal WHERE org_id = %s AND sync_id = %s AND starts_with(table_name, %s) ORDER BY id
"""
_LIVE: Final = 'SELECT count(*) AS rows FROM {table} WHERE "orgId" = %(org_id)s AND {live}'
_WITHOUT_LINK: Final = """
SELECT e.id FROM {table} AS e WHERE e."orgId" = %(org_id)s AND e."deletedAt" IS NULL
  AND e."externalIds" @> jsonb_build_array(jsonb_build_object('type', %(adapter)s::text))
  AND NOT EXISTS (SELECT FROM {links} AS l WHERE l."orgId" = e."orgId" AND l.adapter = %(adapter)s
      AND l."entityId" = e.id)
ORDER BY e.id
"""
_OF_OTHER_ORG: Final = """
SELECT l."entityType" || ' ' || l."externalId" AS id FROM {links} AS l JOIN {table} AS e ON e.id = l."entityId"
WHERE l."orgId" = %(org_id)s AND l.adapter = %(adapter)s AND e."orgId" <> l."orgId" ORDER BY 1
"""
_TO_NOTHING: Final = """
SELECT edge."sourceEntityId" || ' ' || edge."relationshipType" || ' ' || edge."targetEntityId" AS id
FROM {edges} AS edge
WHERE edge."orgId" = %(org_id)s AND edge."deletedAt" IS NULL AND edge.metadata ->> 'source' = %(source)s AND (
    NOT EXISTS (SELECT FROM {links} AS l WHERE l."orgId" = edge."orgId" AND l."entityId" = edge."sourceEntityId")
    OR NOT EXISTS (SELECT FROM {links} AS l WHERE l."orgId" = edge."orgId" AND l."entityId" = edge."targetEntityId"))
ORDER BY 1
"""


def compare_canonical(database: Database, org_id: str) -> dict[str, Part]:
    """By canonical table, how it differs from the raw tables. Commits nothing; other transforms of the org wait."""
    with (
        database.connect(row_factory=dict_row) as connection,
        connection.transaction(force_rollback=True),
    ):
        schema = database.settings.canonical_schema
        parts = {table: Part(_live(connection, org_id, schema, table)) for table in TABLES}
        if connection.execute(_MADE_BEFORE, (org_id,)).fetchone() is None:
            return {table: _not_made(part) for table, part in parts.items()}
        for finding in _lead_nowhere(connection, org_id, schema):
            parts[finding.place].findings.append(finding)
        for finding in _wanted_changes(connection, org_id, schema):
            parts[finding.place].findings.append(finding)
        return parts


def _not_made(part: Part) -> Part:
    part.incomplete = "the canonical tables were not made yet: `sync` makes them"
    return part


def _live(connection: Connection, org_id: str, schema: str, table: str) -> int:
    live = "true" if table == entity_relationships.TABLE else '"deletedAt" IS NULL'
    statement = sql.SQL(_LIVE).format(table=_table(schema, table), live=sql.SQL(live))
    return int(connection.execute(statement, {"org_id": org_id}).fetchall()[0]["rows"])


def _table(schema: str, table: str) -> sql.Identifier:
    return sql.Identifier(schema, f"{CANONICAL_PREFIX}{table}")


def _lead_nowhere(connection: Connection, org_id: str, schema: str) -> Iterator[Finding]:
    """Entities without links, links to entities of others, and edges to nothing."""
    linked = _table(schema, links.TABLE)
    values = {"org_id": org_id, "adapter": ADAPTER, "source": edges.SOURCE}
    for name in CANONICAL.tables:
        table = _table(schema, name)
        for statement, place, kind in (
            (_WITHOUT_LINK, name, Kind.WITHOUT_LINK),
            (_OF_OTHER_ORG, links.TABLE, Kind.OTHER_ORG),
        ):
            rows = connection.execute(sql.SQL(statement).format(table=table, links=linked), values).fetchall()
            yield from (Finding(place, row["id"], kind) for row in rows)
    to_nothing = sql.SQL(_TO_NOTHING).format(edges=_table(schema, edges.TABLE), links=linked)
    for row in connection.execute(to_nothing, values).fetchall():
        yield Finding(edges.TABLE, row["id"], Kind.TO_NOTHING)


def _wanted_changes(connection: Connection, org_id: str, schema: str) -> Iterator[Finding]:
    """Changes that a transform would still make. Noted changes of canonical rows are by others."""
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
    """None for consequences of a lost link: the entity that would be made anew, and all that would name it."""
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
