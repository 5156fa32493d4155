"""One org's canonical tables as derived from the raw ones alone, in the caller's transaction.

A transform leaves alone rows that it has no evidence about. A rebuild starts from the raw tables: a row that no record
leads to and an edge that no record holds are marked deleted, and a link that was lost is found by the id in the
entity's own row. Facts that only the canonical tables know stay: ids, links, other people's columns, custom fields,
rows and edges, a person's deletions, and the values that a policy keeps.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from openfaith_pipeline.canonical.model import Entity
from openfaith_pipeline.sources import CANONICAL
from openfaith_pipeline.telemetry.spans import span
from openfaith_pipeline.transform import changes, edges, links
from openfaith_pipeline.transform.identity import adapter_of, external_id, is_link_of, link_of, record_id_of
from openfaith_pipeline.transform.links import created_at, updated_at
from openfaith_pipeline.transform.transformation import TransformResult, compare_everything, set_planner, take_turn
from openfaith_pipeline.transform.workspace import UNWATCHED, Watching, Workspace

CAUSE: Final = "rebuild"

# A row with the id of another type's entity is not a record's: OpenFaith's engine joined the two by the record's id.
# If several rows have one id, as after a merge, the live one gets it, then the older one.
_LOST: Final = sql.SQL("""
("orgId", adapter, "entityType", "externalId", "entityId",
    "createdAt", "updatedAt", "lastProcessedAt", "deletedAt", "deletedBy")
SELECT %(org_id)s, {adapter}, {tag}, {external_id}, found.entity_id,
    COALESCE({created_at}, now()), {updated_at}, now(), r._deleted_at,
    CASE WHEN r._deleted_at IS NOT NULL THEN {adapter} END
FROM (
    SELECT DISTINCT ON (item ->> 'id') e.id AS entity_id, item ->> 'id' AS record_id
    FROM {table} e CROSS JOIN LATERAL jsonb_path_query(e."externalIds", {own}) item
    WHERE e."orgId" = %(org_id)s AND {is_of_stream} AND starts_with(e.id, {prefix})
    ORDER BY item ->> 'id', e."deletedAt" IS NOT NULL, e.id) found
JOIN {raw} r ON r.org_id = %(org_id)s AND r.id = found.record_id
LEFT JOIN {link} WHERE l."entityId" IS NULL
ON CONFLICT DO NOTHING""")

_BACKED: Final = sql.SQL("""
INSERT INTO pg_temp.transform_backed
SELECT l."entityId" FROM {links} l JOIN {raw} r ON r.org_id = %(org_id)s AND r.id = {record_id}
WHERE l."orgId" = %(org_id)s AND {is_link}""")

_UNBACKED: Final = sql.SQL("""
(SELECT e.id FROM {table} e
    WHERE e."orgId" = %(org_id)s AND e."deletedAt" IS NULL
        AND e."externalIds" @> jsonb_build_array(jsonb_build_object('type', %(adapter)s::text))
        AND NOT EXISTS (SELECT FROM pg_temp.transform_backed backed WHERE backed.id = e.id)) d
WHERE target.id = d.id AND target."orgId" = %(org_id)s AND target."deletedAt" IS NULL""")

_UNHELD: Final = sql.SQL(
    'pg_temp.transform_edges d WHERE {} AND d.is_stale AND target."deletedAt" IS NULL'
    " AND target.metadata ->> 'source' = %(source)s"
)
_ENDED: Final = sql.SQL('"deletedAt" = now(), "deletedBy" = %(adapter)s')


@dataclass(frozen=True)
class Rebuilt:
    """One canonical table of one org. ended: rows marked deleted because nothing in the raw tables leads to them.

    inserted, updated, unchanged, row_count: as of a transform, `row_count` after the rebuild.
    """

    table: str
    inserted: int
    updated: int
    ended: int
    unchanged: int
    row_count: int

    @property
    def written(self) -> int:
        return self.inserted + self.updated + self.ended


def rebuild_org(
    connection: psycopg.Connection[Any], org_id: str, *, schema: str, sync_id: str, watching: Watching = UNWATCHED
) -> dict[str, Rebuilt]:
    """Bring the org's canonical tables to the state that follows from its raw tables; returns the changes by table.

    The caller keeps syncs from the org, and commits or rolls back. Journaled as the sync `sync_id`.
    """
    with (
        span("rebuild", {"openfaith.org_id": org_id, "openfaith.sync_id": sync_id}),
        connection.cursor(row_factory=tuple_row) as cursor,
    ):
        workspace = Workspace(cursor, org_id, schema, sync_id, CAUSE, watching=watching)
        take_turn(cursor, org_id)
        changes.be_quiet(cursor, is_quiet=True)
        changes.drop_notes(workspace)
        set_planner(workspace)
        relinked = sum(relink(workspace, entity) for entity in CANONICAL.entities.values())
        ended: dict[str, int] = {}
        results = compare_everything(workspace, lambda each: ended.update(_end_unfounded(each)))
        changes.be_quiet(cursor, is_quiet=False)
    found = {links.TABLE: relinked}
    return {name: _rebuilt(each, found.get(name, 0), ended.get(name, 0)) for name, each in results.items()}


def _rebuilt(result: TransformResult, relinked: int, ended: int) -> Rebuilt:
    # Entities count their records, among which those of ended rows are not; links and edges count their rows.
    counted_too = relinked + (ended if result.table == edges.TABLE else 0)
    unchanged = max(0, result.unchanged - counted_too)
    return Rebuilt(result.table, result.inserted + relinked, result.updated, ended, unchanged, result.row_count)


def relink(workspace: Workspace, entity: Entity) -> int:
    """Restore links that are gone while the entity's row still names its record."""
    is_of_stream = sql.SQL("item ->> 'stream' = {}" if entity.is_qualified else "NOT item ? 'stream'")
    rows = _LOST.format(
        tag=sql.Literal(entity.tag),
        external_id=external_id(entity, sql.Identifier("found", "record_id")),
        created_at=created_at(entity),
        updated_at=updated_at(entity),
        table=workspace.canonical(entity.table),
        own=sql.SQL("('$[*] ? (@.type == ' || to_json({}::text) || ')')::jsonpath").format(adapter_of(entity)),
        adapter=adapter_of(entity),
        is_of_stream=is_of_stream.format(sql.Literal(entity.stream.name)),
        prefix=sql.Literal(f"{entity.id_prefix}_"),
        raw=workspace.raw(entity.stream),
        link=link_of(workspace, entity, sql.Identifier("found", "record_id")),
    )
    return workspace.insert(links.TABLE, rows)


def _end_unfounded(workspace: Workspace) -> Mapping[str, int]:
    """Mark deleted the rows that the comparison had no evidence about; returns the number of rows by table."""
    workspace.create("transform_backed", sql.SQL("(id text) ON COMMIT DROP"))
    for entity in CANONICAL.entities.values():
        workspace.execute(_backed(workspace, entity))
    workspace.analyze("transform_backed")
    return dict(_ended(workspace))


def _ended(workspace: Workspace) -> Iterator[tuple[str, int]]:
    for name, table in CANONICAL.tables.items():
        unbacked = _UNBACKED.format(table=workspace.canonical(name))
        yield name, sum(workspace.update(name, _ENDED, unbacked, adapter=each) for each in table.adapters)
    unheld = _UNHELD.format(edges.SAME_EDGE)
    sources = [(each, edges.made_from(each)) for each in CANONICAL.adapters]
    yield (
        edges.TABLE,
        sum(workspace.update(edges.TABLE, _ENDED, unheld, adapter=each, source=source) for each, source in sources),
    )


def _backed(workspace: Workspace, entity: Entity) -> sql.Composed:
    return _BACKED.format(
        links=workspace.canonical(links.TABLE),
        raw=workspace.raw(entity.stream),
        record_id=record_id_of(entity, "l"),
        is_link=is_link_of(entity, "l"),
    )
