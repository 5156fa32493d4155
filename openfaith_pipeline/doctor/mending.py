"""The writes of a repair, each journaled: links restored, entities created for the org, and rows marked deleted."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from psycopg import sql
from typeid import TypeID

from openfaith_pipeline.audit.dead_ends import DeadEnd
from openfaith_pipeline.canonical.model import Entity
from openfaith_pipeline.sources import CANONICAL, STREAMS
from openfaith_pipeline.transform import edges, links, rebuild
from openfaith_pipeline.transform.identity import external_id, ids_of_sources
from openfaith_pipeline.transform.workspace import Workspace

_ENDED: Final = sql.SQL('"deletedAt" = now(), "deletedBy" = %(adapter)s')
_LINK_ENDED: Final = sql.SQL('"deletedAt" = now(), "deletedBy" = target.adapter')

# The items of an entity's external ids that belong to this adapter and stream.
_ITEMS: Final = sql.SQL("""
(SELECT e.*, item ->> 'id' AS record_id
 FROM {table} AS e CROSS JOIN LATERAL jsonb_array_elements(
     CASE jsonb_typeof(e."externalIds") WHEN 'array' THEN e."externalIds" ELSE '[]' END) AS item
 WHERE e."orgId" = %(org_id)s AND e.id = ANY(%(ids)s) AND item ->> 'type' = %(adapter)s
   AND item ->> 'id' <> '' AND {is_of_stream}) AS found
""")
_FOREIGN: Final = sql.SQL("""
SELECT DISTINCT adapter, "entityType", "entityId" FROM {links} WHERE "orgId" = %(org_id)s
    AND (adapter, "entityType", "externalId")
        IN (SELECT * FROM unnest(%(adapters)s::text[], %(types)s::text[], %(ids)s::text[]))
""")
_TAKE: Final = sql.SQL("""
unnest(%(adapters)s::text[], %(types)s::text[], %(old)s::text[], %(new)s::text[]) AS d (adapter, type, old_id, new_id)
WHERE target."orgId" = %(org_id)s AND target.adapter = d.adapter AND target."entityType" = d.type
    AND target."entityId" = d.old_id
""")
# A stray may end once its record has another entity, or its stream was read whole and so would have given it one. One
# that names no record may end as soon as the stream was read.
_MAY_END: Final = sql.SQL("""
SELECT found.id FROM {items} WHERE EXISTS (SELECT FROM {links} AS l WHERE l."orgId" = %(org_id)s
    AND l.adapter = %(adapter)s AND l."entityType" = {tag} AND l."externalId" = {external_id}) OR {is_whole}
UNION
SELECT e.id FROM {table} AS e WHERE e."orgId" = %(org_id)s AND e.id = ANY(%(ids)s) AND {is_read}
    AND NOT e."externalIds" @> ANY(%(of_sources)s::jsonb[])
""")
_STATE: Final = sql.SQL("""
EXISTS (SELECT FROM sync.stream_states AS state WHERE state.org_id = %(org_id)s AND state.stream = {stream} AND {holds})
""")
_WHOLE: Final = sql.SQL("last_full_at IS NOT NULL AND left_out IS NULL AND availability = 'available'")
_READ: Final = sql.SQL("last_succeeded_at IS NOT NULL")

_BY_ID: Final = sql.SQL("""
unnest(%(ids)s::text[]) AS d (id) WHERE target."orgId" = %(org_id)s AND target.id = d.id AND target."deletedAt" IS NULL
""")
_LINKS_OF: Final = sql.SQL("""
unnest(%(ids)s::text[]) AS d (id) WHERE target."orgId" = %(org_id)s AND target.adapter = ANY(%(adapters)s)
    AND target."entityId" = d.id AND target."entityType" = %(tag)s AND target."deletedAt" IS NULL
""")
_EDGES_OF: Final = sql.SQL("""
unnest(%(ids)s::text[]) AS d (id) WHERE target."orgId" = %(org_id)s AND target."deletedAt" IS NULL
    AND target.metadata ->> 'source' = ANY(%(sources)s) AND d.id IN (target."sourceEntityId", target."targetEntityId")
""")
_BY_KEY: Final = sql.SQL("""
unnest(%(sources)s::text[], %(targets)s::text[], %(types)s::text[])
    AS d ("sourceEntityId", "targetEntityId", "relationshipType")
WHERE {same_edge} AND target."deletedAt" IS NULL
""")


def relink(workspace: Workspace, without_link: Sequence[DeadEnd]) -> None:
    """Restore lost links: from the record that an entity names to that entity, unless the record has another one."""
    for entity, _ in _by_entity(without_link):
        rebuild.relink(workspace, entity)


def take_own_entities(workspace: Workspace, foreign: Sequence[DeadEnd]) -> None:
    """Give links that lead to another org's entities an entity id of this org; a transform makes the entity."""
    if not foreign:
        return
    adapters, types, ids = map(list, zip(*((each.adapter, *each.key) for each in foreign), strict=True))
    statement = _FOREIGN.format(links=workspace.canonical(links.TABLE))
    old = workspace.rows(statement, adapters=adapters, types=types, ids=ids)
    new = [str(TypeID(type_.lower())) for _, type_, _ in old]
    workspace.update(
        links.TABLE,
        sql.SQL('"entityId" = d.new_id, "lastProcessedAt" = now()'),
        _TAKE,
        adapters=[adapter for adapter, _, _ in old],
        types=[type_ for _, type_, _ in old],
        old=[old_id for _, _, old_id in old],
        new=new,
    )


def end_strays(workspace: Workspace, strays: Sequence[DeadEnd]) -> list[str]:
    """Mark entities deleted that belong to no record; returns the ids of those that may still belong to one."""
    wanted = {each.key[0] for each in strays if each.place != edges.TABLE}
    for entity, ids in _by_entity(strays):
        statement = _MAY_END.format(
            items=_items(workspace, entity),
            links=workspace.canonical(links.TABLE),
            table=workspace.canonical(entity.table),
            tag=sql.Literal(entity.tag),
            external_id=external_id(entity, sql.Identifier("found", "record_id")),
            is_whole=_state(entity, _WHOLE),
            is_read=_state(entity, _READ),
        )
        adapter, of_sources = entity.stream.adapter, ids_of_sources(CANONICAL.tables[entity.table])
        found = workspace.rows(statement, ids=ids, adapter=adapter, of_sources=of_sources)
        ended = [identifier for (identifier,) in found]
        workspace.update(entity.table, _ENDED, _BY_ID, ids=ended, adapter=adapter)
        wanted -= set(ended)
    return sorted(wanted)


def end_gone(workspace: Workspace, gone: Sequence[DeadEnd]) -> None:
    """Mark deleted, with their links and edges, the entities of records that are gone from the source."""
    by_place: dict[tuple[str, str], list[str]] = defaultdict(list)
    for each in gone:
        by_place[each.place, STREAMS[each.stream or ""].adapter].append(each.key[0])
    adapters = list(CANONICAL.adapters)
    for (table, adapter), ids in by_place.items():
        workspace.update(table, _ENDED, _BY_ID, ids=ids, adapter=adapter)
        tag = CANONICAL.tables[table].tag
        workspace.update(links.TABLE, _LINK_ENDED, _LINKS_OF, ids=ids, tag=tag, adapters=adapters)
        workspace.update(edges.TABLE, _edge_ended(), _EDGES_OF, ids=ids, sources=edges.OURS)


def end_edges(workspace: Workspace, found: Sequence[DeadEnd], kept: Collection[str]) -> None:
    """Mark edges deleted, but for those of entities that are kept."""
    keys = [each.key for each in found if each.place == edges.TABLE and not set(each.key) & set(kept)]
    if keys:
        sources, targets, types = map(list, zip(*keys, strict=True))
        by_key = _BY_KEY.format(same_edge=edges.SAME_EDGE)
        workspace.update(edges.TABLE, _edge_ended(), by_key, sources=sources, targets=targets, types=types)


def _edge_ended() -> sql.Composed:
    """The assignments: an edge is ended on behalf of the source that it says it was made from, else of the first."""
    adapters = CANONICAL.adapters
    return sql.SQL(
        '"deletedAt" = now(), "deletedBy" = coalesce(substring(target.metadata ->> \'source\' FROM {}), {})'
    ).format(sql.Literal(f"^({'|'.join(map(re.escape, adapters))})_"), sql.Literal(adapters[0]))


def _by_entity(strays: Sequence[DeadEnd]) -> Iterator[tuple[Entity, list[str]]]:
    """Each declaration of the entities' tables, with the ids of the table's rows."""
    for table in CANONICAL.tables.values():
        ids = [each.key[0] for each in strays if each.place == table.name]
        for entity in table.entities if ids else ():
            yield entity, ids


def _items(workspace: Workspace, entity: Entity) -> sql.Composed:
    own = sql.SQL("item ->> 'stream' = {}").format(sql.Literal(entity.stream.name))
    is_of_stream = own if entity.is_qualified else sql.SQL("(item -> 'stream' IS NULL OR {})").format(own)
    return _ITEMS.format(table=workspace.canonical(entity.table), is_of_stream=is_of_stream)


def _state(entity: Entity, holds: sql.SQL) -> sql.Composed:
    return _STATE.format(stream=sql.Literal(entity.stream.name), holds=holds)
