"""External links: which OpenFaith entity each source record is.

A link is made for every record, and at once for a record that is only named by another's relationship; so an entity has
its id before its row, and no row is ever written without a link.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from psycopg import sql
from typeid import TypeID

from openfaith_pipeline.canonical.model import Entity
from openfaith_pipeline.canonical.relationships import Relationship
from openfaith_pipeline.sources import CANONICAL
from openfaith_pipeline.transform.deletion import deleted_at, deleted_by
from openfaith_pipeline.transform.holding import holding
from openfaith_pipeline.transform.identity import (
    adapter_of,
    among_links,
    external_id,
    is_link_of,
    link_of,
    record_id_of,
)
from openfaith_pipeline.transform.survivors import survivor_of
from openfaith_pipeline.transform.workspace import Workspace

TABLE: Final = "externalLinks"


def create_written(workspace: Workspace) -> None:
    """Create the temporary table for the entities whose rows this transform writes; `refresh_links` reads it."""
    workspace.create("transform_written", sql.SQL("(id text) ON COMMIT DROP"))


def created_at(entity: Entity) -> sql.Composable:
    """SQL: when the record `r` was created: as the source says, else the best known; never null for an existing row."""
    return sql.SQL("COALESCE({})").format(sql.SQL(", ").join(sql.Identifier("r", name) for name in entity.known_since))


def updated_at(entity: Entity) -> sql.Composable:
    """SQL: when the source says the record last changed; null if it does not say."""
    return sql.Identifier("r", "updated_at") if entity.has_updated_at else sql.SQL("NULL::timestamptz")


def add_missing_links(workspace: Workspace, entities: Collection[Entity], naming: Collection[Relationship]) -> int:
    """Link every record of these entities, and every record that these relationships name; returns how many are new."""
    columns = sql.SQL("(stream text, external_id text, entity_id text) ON COMMIT DROP")
    workspace.create("transform_links", columns)
    named = {end.stream.name for each in naming for end in _ends(each)}
    own = {entity.stream.name for entity in entities}
    linked = [entity for entity in CANONICAL.entities.values() if entity.stream.name in named | own]
    workspace.copy(
        "transform_links", (rows for entity in linked for rows in _new_links(workspace, entity, own, naming))
    )
    inserted = sum(_insert_links(workspace, entity) for entity in _unlinked_entities(workspace))
    merged = [entity for entity in linked if entity.stream.name in CANONICAL.merges]
    return inserted + sum(_link_to_survivors(workspace, entity) for entity in merged)


def _ends(relationship: Relationship) -> tuple[Entity, ...]:
    """The entities that the relationship's rows name; a record that is an edge names both."""
    return (relationship.owner, relationship.target) if relationship.edge else (relationship.target,)


def _unlinked_entities(workspace: Workspace) -> list[Entity]:
    found = workspace.rows(sql.SQL("SELECT DISTINCT stream FROM pg_temp.transform_links"))
    return [CANONICAL.entities[name] for (name,) in found]


def _new_links(
    workspace: Workspace, entity: Entity, own: Collection[str], naming: Iterable[Relationship]
) -> Iterator[list[tuple[str, str, str]]]:
    for unlinked in workspace.batches(_unlinked(workspace, entity, own, naming)):
        yield [(entity.stream.name, record_id, str(TypeID(entity.id_prefix))) for (record_id,) in unlinked]


def _unlinked(
    workspace: Workspace, entity: Entity, own: Collection[str], naming: Iterable[Relationship]
) -> sql.Composed:
    """SQL: ids of records to be linked."""
    records = [ids for each in naming for ids in _ids_named_by(workspace, each, entity)]
    if entity.stream.name in own:
        records += _own_ids(workspace, entity)
    # In the order of the links' key: entity ids are ordered by time, so all the table's indexes grow at their ends.
    return sql.SQL(
        'SELECT record.id FROM ({records}) record LEFT JOIN {link} WHERE l."entityId" IS NULL'
        ' ORDER BY record.id COLLATE "C"'
    ).format(records=sql.SQL(" UNION ").join(records), link=link_of(workspace, entity, sql.Identifier("record", "id")))


def _own_ids(workspace: Workspace, entity: Entity) -> Iterator[sql.Composable]:
    yield sql.SQL("SELECT id FROM {} WHERE org_id = %(org_id)s AND {}").format(
        workspace.raw(entity.stream), workspace.among(entity.stream, sql.Identifier("id"))
    )
    if entity.stream.name in CANONICAL.merges:
        survivors = sql.SQL("SELECT survivor_id FROM pg_temp.transform_survivors WHERE stream = {} AND {}")
        among = workspace.among(entity.stream, sql.Identifier("survivor_id"))
        yield survivors.format(sql.Literal(entity.stream.name), among)


def _ids_named_by(workspace: Workspace, relationship: Relationship, entity: Entity) -> Iterator[sql.Composable]:
    held = holding(workspace, relationship)
    ends = [(relationship.target, held.far)] + ([(relationship.owner, held.near)] if relationship.edge else [])
    for end, column in ends:
        if end is not entity:
            continue
        named, survivors = survivor_of(entity, column, "named")
        # An edge that lacks an end names nothing: a partial transform, which knows edges by their near ends, misses it.
        yield sql.SQL(
            "SELECT {named} AS id FROM {rows} {survivors} WHERE {holds} AND {near} IS NOT NULL AND {far} IS NOT NULL"
        ).format(named=named, rows=held.rows, survivors=survivors, holds=held.condition, near=held.near, far=held.far)


def _insert_links(workspace: Workspace, entity: Entity) -> int:
    # Another writer may have made the same link meanwhile: that link stays, and everything below reads the table.
    rows = sql.SQL("""
        ("orgId", adapter, "entityType", "externalId", "entityId",
            "createdAt", "updatedAt", "lastProcessedAt", "deletedAt", "deletedBy")
        SELECT %(org_id)s, {adapter}, {tag}, {external_id}, n.entity_id,
            COALESCE({created_at}, now()), {updated_at}, now(), r._deleted_at,
            CASE WHEN r._deleted_at IS NOT NULL THEN {adapter} END
        FROM pg_temp.transform_links n
        LEFT JOIN {raw} r ON r.org_id = %(org_id)s AND r.id = n.external_id
        WHERE n.stream = {stream}
        ON CONFLICT DO NOTHING""").format(
        created_at=created_at(entity),
        updated_at=updated_at(entity),
        raw=workspace.raw(entity.stream),
        adapter=adapter_of(entity),
        tag=sql.Literal(entity.tag),
        external_id=external_id(entity, sql.Identifier("n", "external_id")),
        stream=sql.Literal(entity.stream.name),
    )
    return workspace.insert(TABLE, rows)


def _link_to_survivors(workspace: Workspace, entity: Entity) -> int:
    """Link merged records that never were an entity here to the survivor's entity."""
    rows = sql.SQL("""
        ("orgId", adapter, "entityType", "externalId", "entityId", "createdAt", "lastProcessedAt",
            "deletedAt", "deletedBy")
        SELECT %(org_id)s, {adapter}, {tag}, {external_id}, l."entityId", gone.merged_at, now(),
            r._deleted_at, CASE WHEN r._deleted_at IS NOT NULL THEN {adapter} END
        FROM pg_temp.transform_survivors gone
        JOIN {survivor_link}
        LEFT JOIN {raw} r ON r.org_id = %(org_id)s AND r.id = gone.survivor_id
        WHERE gone.stream = {stream} AND {among}
        ORDER BY gone.record_id COLLATE "C"
        ON CONFLICT DO NOTHING""").format(
        survivor_link=link_of(workspace, entity, sql.Identifier("gone", "survivor_id")),
        raw=workspace.raw(entity.stream),
        adapter=adapter_of(entity),
        tag=sql.Literal(entity.tag),
        external_id=external_id(entity, sql.Identifier("gone", "record_id")),
        stream=sql.Literal(entity.stream.name),
        among=workspace.among(entity.stream, sql.Identifier("gone", "record_id")),
    )
    return workspace.insert(TABLE, rows)


def refresh_links(workspace: Workspace, entity: Entity) -> int:
    """Bring the links up to their records, or to those that stand for them; returns how many older links changed.

    `lastProcessedAt` moves only with a change of the record or of its entity's row, so that a run without changes
    writes nothing.
    """
    standing, survivors = survivor_of(entity, record_id_of(entity, "l"), "gone")
    stale = sql.SQL("""
        ON COMMIT DROP AS
        SELECT l."externalId", {created_at} AS "createdAt", {updated_at} AS "updatedAt",
            {deleted_at} AS "deletedAt", {deleted_by} AS "deletedBy",
            l."deletedAt" IS DISTINCT FROM {deleted_at} AS is_moved
        FROM {links} l {survivors} JOIN {raw} r ON r.org_id = %(org_id)s AND r.id = {standing}
        WHERE l."orgId" = %(org_id)s AND {is_link} AND {among} AND (
                (l."createdAt", l."updatedAt", l."deletedAt", l."deletedBy")
                    IS DISTINCT FROM ({created_at}, {updated_at}, {deleted_at}, {deleted_by})
                OR (l."lastProcessedAt" < now() AND l."entityId" IN (SELECT id FROM pg_temp.transform_written)))
        """).format(
        links=workspace.canonical(TABLE),
        created_at=created_at(entity),
        updated_at=updated_at(entity),
        deleted_at=deleted_at("l"),
        deleted_by=deleted_by("l", entity.stream.adapter),
        raw=workspace.raw(entity.stream),
        standing=standing,
        survivors=survivors,
        among=among_links(workspace, entity, "l"),
        is_link=is_link_of(entity, "l"),
    )
    workspace.create("transform_stale_links", stale)
    workspace.analyze("transform_stale_links")
    if workspace.is_partial:
        workspace.execute(_note_moved(entity))
    assignments = sql.SQL(
        '"createdAt" = d."createdAt", "updatedAt" = d."updatedAt", "lastProcessedAt" = now(),'
        ' "deletedAt" = d."deletedAt", "deletedBy" = d."deletedBy"'
    )
    found = sql.SQL(
        'pg_temp.transform_stale_links d WHERE target."orgId" = %(org_id)s AND target.adapter = {}'
        ' AND target."entityType" = {} AND target."externalId" = d."externalId"'
    ).format(adapter_of(entity), sql.Literal(entity.tag))
    return workspace.update(TABLE, assignments, found)


def _note_moved(entity: Entity) -> sql.Composed:
    """Statement: the records that were deleted or came back are among those in `transform_moved`."""
    moved = sql.SQL(
        "INSERT INTO pg_temp.transform_moved SELECT {}, {} FROM pg_temp.transform_stale_links l WHERE is_moved"
    )
    return moved.format(sql.Literal(entity.stream.name), record_id_of(entity, "l"))


def count_links(workspace: Workspace, entities: Iterable[Entity]) -> int:
    """How many links the org has to entities of these types, of their sources."""
    kinds = sorted({(entity.stream.adapter, entity.tag) for entity in entities})
    return workspace.total(
        sql.SQL(
            'SELECT count(*) FROM {} WHERE "orgId" = %(org_id)s'
            ' AND (adapter, "entityType") IN (SELECT * FROM unnest(%(adapters)s::text[], %(tags)s::text[]))'
        ).format(workspace.canonical(TABLE)),
        adapters=[adapter for adapter, _ in kinds],
        tags=[tag for _, tag in kinds],
    )
