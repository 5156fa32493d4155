"""The entity of a merged record gives way to its survivor's.

The record's link leads to the survivor's entity for ever. Its own entity ends: the row is marked deleted as it was
last, and its edges end or, where somebody else made them, move to the survivor by the direction rule. A `merged` edge
between the two entities remains. The survivor's row is its own record's; nothing of it is touched here.

An entity that other records have besides those merged into one survivor lives on; then only the links move.
"""

from dataclasses import replace
from typing import Final, NamedTuple

from psycopg import sql

from openfaith_pipeline.canonical.model import Entity
from openfaith_pipeline.sources import CANONICAL
from openfaith_pipeline.transform import edges, links
from openfaith_pipeline.transform.deletion import deleted_by_person
from openfaith_pipeline.transform.identity import adapter_of, external_id, is_link_of, link_of, record_id_of
from openfaith_pipeline.transform.workspace import Workspace

EDGE_TYPE: Final = "merged"

_ENDED: Final = sql.SQL('"deletedAt" = now(), "deletedBy" = {}')


class Merged(NamedTuple):
    """Rows written: entities ended, links moved, edges made and edges ended or revived."""

    entities: int = 0
    links: int = 0
    edges_made: int = 0
    edges_changed: int = 0


def merge_entities(workspace: Workspace, entity: Entity) -> Merged:
    """Let each merged record's entity give way, once; a later merge of the survivor moves all of them on."""
    if entity.stream.name not in CANONICAL.merges:
        return Merged()
    workspace = replace(workspace, cause="merge")
    _find_redirects(workspace, entity)
    if not workspace.count(sql.SQL("SELECT count(*) FROM pg_temp.transform_redirects")):
        return Merged()
    ended = _end_rows(workspace, entity)
    made, changed = _move_edges(workspace, entity)
    return Merged(ended, _move_links(workspace, entity), made, changed)


def _find_redirects(workspace: Workspace, entity: Entity) -> None:
    """`pg_temp.transform_redirects`: links that do not lead where the survivor's does.

    is_whole: the entity has no record but those merged into the same survivor.
    """
    statement = sql.SQL("""
        ON COMMIT DROP AS
        SELECT gone.record_id, l."entityId" AS old_id, k."entityId" AS new_id, gone.merged_at,
            NOT EXISTS (
                SELECT FROM {links} o WHERE o."orgId" = %(org_id)s AND o.adapter = {adapter}
                    AND o."entityType" = {tag} AND o."entityId" = l."entityId" AND NOT ({is_link} AND EXISTS (
                        SELECT FROM pg_temp.transform_survivors other
                        WHERE other.stream = {stream} AND other.record_id = {record_id}
                            AND other.survivor_id = gone.survivor_id))) AS is_whole
        FROM pg_temp.transform_survivors gone
        JOIN {own_link}
        JOIN {survivor_link}
        WHERE gone.stream = {stream} AND {among} AND l."entityId" <> k."entityId\"""").format(
        among=workspace.among(entity.stream, sql.Identifier("gone", "record_id")),
        links=workspace.canonical(links.TABLE),
        adapter=adapter_of(entity),
        tag=sql.Literal(entity.tag),
        stream=sql.Literal(entity.stream.name),
        is_link=is_link_of(entity, "o"),
        record_id=record_id_of(entity, "o"),
        own_link=link_of(workspace, entity, sql.Identifier("gone", "record_id")),
        survivor_link=link_of(workspace, entity, sql.Identifier("gone", "survivor_id"), alias="k"),
    )
    workspace.create("transform_redirects", statement)
    workspace.analyze("transform_redirects")


def _end_rows(workspace: Workspace, entity: Entity) -> int:
    """Mark the rows deleted, as of when the record was found to be gone, or else of the merge."""
    found = sql.SQL("""
        (SELECT DISTINCT ON (x.old_id) x.old_id, COALESCE(r._deleted_at, x.merged_at) AS ended_at
            FROM pg_temp.transform_redirects x LEFT JOIN {raw} r ON r.org_id = %(org_id)s AND r.id = x.record_id
            WHERE x.is_whole ORDER BY x.old_id, x.merged_at DESC, x.record_id) d
        WHERE target.id = d.old_id AND target."orgId" = %(org_id)s AND target."deletedAt" IS NULL""").format(
        raw=workspace.raw(entity.stream)
    )
    ended = sql.SQL('"deletedAt" = d.ended_at, "deletedBy" = {}').format(adapter_of(entity))
    return workspace.update(entity.table, ended, found)


def _move_edges(workspace: Workspace, entity: Entity) -> tuple[int, int]:
    """End the edges of the old entities and make those of others, and the `merged` ones, with the new."""
    _find_moved_edges(workspace, entity)
    edges.note_joined(workspace, "transform_moved_edges")
    ended = workspace.update(
        edges.TABLE,
        _ENDED.format(adapter_of(entity)),
        sql.SQL("""
            pg_temp.transform_redirects d WHERE d.is_whole AND target."orgId" = %(org_id)s
                AND target."deletedAt" IS NULL AND d.old_id IN (target."sourceEntityId", target."targetEntityId")"""),
    )
    rows = sql.SQL("""
        ("orgId", "sourceEntityId", "targetEntityId", "relationshipType", "sourceEntityTypeTag",
            "targetEntityTypeTag", metadata, "createdAt", "createdBy", "updatedAt", "updatedBy")
        SELECT %(org_id)s, d."sourceEntityId", d."targetEntityId", d."relationshipType", d."sourceEntityTypeTag",
            d."targetEntityTypeTag", d.metadata, d."createdAt", d."createdBy", d."updatedAt", d."updatedBy"
        FROM pg_temp.transform_moved_edges d ON CONFLICT DO NOTHING""")
    made = workspace.insert(edges.TABLE, rows)
    found = sql.SQL("""
        pg_temp.transform_moved_edges d WHERE {same_edge} AND target."deletedAt" IS NOT NULL
            AND NOT {kept_deleted}""").format(same_edge=edges.SAME_EDGE, kept_deleted=deleted_by_person("target"))
    revived = workspace.update(
        edges.TABLE, sql.SQL('metadata = d.metadata, "deletedAt" = NULL, "deletedBy" = NULL'), found
    )
    return made, ended + revived


def _find_moved_edges(workspace: Workspace, entity: Entity) -> None:
    """`pg_temp.transform_moved_edges`: the resulting edges, each once.

    An edge between two that become one is dropped.
    """
    statement = sql.SQL("""
        ON COMMIT DROP AS
        WITH gone AS (
            SELECT old_id, min(new_id) AS new_id, max(merged_at) AS merged_at
            FROM pg_temp.transform_redirects WHERE is_whole GROUP BY old_id
        ),
        wanted AS (
            SELECT COALESCE(s.new_id, e."sourceEntityId") AS one_id, e."sourceEntityTypeTag" AS one_tag,
                COALESCE(t.new_id, e."targetEntityId") AS other_id, e."targetEntityTypeTag" AS other_tag,
                e."relationshipType", e.metadata || CASE WHEN e.metadata ->> 'source' = %(merging)s
                    AND k.new_id IS NOT NULL THEN jsonb_build_object('keepId', k.new_id) ELSE '{{}}' END AS metadata,
                e."createdAt", e."createdBy", e."updatedAt", e."updatedBy"
            FROM {edges} e
            LEFT JOIN gone s ON s.old_id = e."sourceEntityId"
            LEFT JOIN gone t ON t.old_id = e."targetEntityId"
            LEFT JOIN gone k ON k.old_id = e.metadata ->> 'keepId'
            WHERE e."orgId" = %(org_id)s AND e."deletedAt" IS NULL AND (s.old_id IS NOT NULL OR t.old_id IS NOT NULL)
                AND (e.metadata ->> 'source') IS DISTINCT FROM %(direct)s
            UNION ALL
            SELECT new_id, {tag}, old_id, {tag}, %(merged)s, jsonb_build_object('keepId', new_id, 'removeId', old_id,
                'relationshipKey', %(merged)s::text, 'source', %(merging)s::text), merged_at, NULL, NULL, NULL
            FROM gone
        )
        SELECT DISTINCT ON ("sourceEntityId", "targetEntityId", "relationshipType") * FROM (
            SELECT CASE WHEN direction.is_outward THEN one_id ELSE other_id END AS "sourceEntityId",
                CASE WHEN direction.is_outward THEN other_id ELSE one_id END AS "targetEntityId", "relationshipType",
                CASE WHEN direction.is_outward THEN one_tag ELSE other_tag END AS "sourceEntityTypeTag",
                CASE WHEN direction.is_outward THEN other_tag ELSE one_tag END AS "targetEntityTypeTag",
                metadata, "createdAt", "createdBy", "updatedAt", "updatedBy"
            FROM wanted CROSS JOIN LATERAL (SELECT {is_outward} AS is_outward OFFSET 0) direction
            WHERE one_id <> other_id) directed
        ORDER BY "sourceEntityId", "targetEntityId", "relationshipType", "createdAt\"""").format(
        edges=workspace.canonical(edges.TABLE),
        tag=sql.Literal(entity.tag),
        is_outward=edges.is_source(sql.Identifier("one_id"), sql.Identifier("other_id")),
    )
    adapter = entity.stream.adapter
    sources = {"direct": edges.made_from(adapter), "merging": f"{adapter}_merging"}
    workspace.create("transform_moved_edges", statement, **sources, merged=EDGE_TYPE)
    workspace.analyze("transform_moved_edges")


def _move_links(workspace: Workspace, entity: Entity) -> int:
    """Redirect the links to the new entities. They are live, since the survivors stand for their records."""
    assignments = sql.SQL("""
        "entityId" = d.new_id, "lastProcessedAt" = now(),
        "deletedAt" = CASE WHEN {kept} THEN target."deletedAt" END,
        "deletedBy" = CASE WHEN {kept} THEN target."deletedBy" END""").format(
        kept=sql.SQL("(target.adapter <> {} OR {})").format(adapter_of(entity), deleted_by_person("target"))
    )
    found = sql.SQL("""
        pg_temp.transform_redirects d WHERE target."orgId" = %(org_id)s AND target."entityType" = {tag}
            AND target."entityId" = d.old_id
            AND (d.is_whole OR target.adapter = {adapter} AND target."externalId" = {external_id})""").format(
        adapter=adapter_of(entity),
        tag=sql.Literal(entity.tag),
        external_id=external_id(entity, sql.Identifier("d", "record_id")),
    )
    return workspace.update(links.TABLE, assignments, found)
