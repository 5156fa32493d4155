"""External links: which OpenFaith entity each Planning Center record is.

A link is made for every record, and at once for a record that is only named by another's relationship; so an entity has
its id before its row, and no row is ever written without a link.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from psycopg import sql
from typeid import TypeID

from openfaith_pipeline.transform.deletion import deleted_at, deleted_by
from openfaith_pipeline.transform.entity import Entity
from openfaith_pipeline.transform.registry import ENTITIES, MERGES, RELATIONSHIPS, Relationship
from openfaith_pipeline.transform.survivors import is_merged, survivor_of
from openfaith_pipeline.transform.workspace import Workspace

TABLE: Final = "externalLinks"


def create_written(workspace: Workspace) -> None:
    """An empty list of the entities whose rows this transform writes; `refresh_links` reads it."""
    workspace.create("transform_written", sql.SQL("(id text) ON COMMIT DROP"))


def link_of(workspace: Workspace, entity: Entity, record_id: sql.Composable, alias: str = "l") -> sql.Composable:
    """SQL to follow JOIN: the link, as `alias`, of the entity's record with this id."""
    return sql.SQL(
        '{links} {link} ON {link}."orgId" = %(org_id)s AND {link}.adapter = %(adapter)s'
        ' AND {link}."entityType" = {tag} AND {link}."externalId" = {record_id}'
    ).format(
        links=workspace.canonical(TABLE),
        link=sql.Identifier(alias),
        tag=sql.Literal(entity.tag),
        record_id=record_id,
    )


def add_missing_links(workspace: Workspace, entities: Iterable[Entity]) -> int:
    """Link every record of these entities, and every record that they point to; returns how many links are new."""
    owners = {entity.table for entity in entities}
    targets = {r.target.table for r in RELATIONSHIPS if r.owner.table in owners}
    workspace.create("transform_links", sql.SQL("(entity_type text, external_id text, entity_id text) ON COMMIT DROP"))
    linked = [entity for table, entity in ENTITIES.items() if table in owners | targets]
    workspace.copy("transform_links", (rows for entity in linked for rows in _new_links(workspace, entity, owners)))
    inserted = sum(_insert_links(workspace, entity) for entity in linked)
    return inserted + sum(_link_to_survivors(workspace, entity) for entity in linked if entity.table in MERGES)


def _new_links(workspace: Workspace, entity: Entity, owners: set[str]) -> Iterator[list[tuple[str, str, str]]]:
    for unlinked in workspace.batches(_unlinked(workspace, entity, owners)):
        yield [(entity.tag, external_id, str(TypeID(entity.id_prefix))) for (external_id,) in unlinked]


def _unlinked(workspace: Workspace, entity: Entity, owners: set[str]) -> sql.Composed:
    """SQL: ids of records to be linked."""
    named = [_ids_named_by(workspace, r) for r in RELATIONSHIPS if r.target is entity and r.owner.table in owners]
    own = [
        sql.SQL("SELECT id FROM {} WHERE org_id = %(org_id)s AND {}").format(
            workspace.raw(entity.stream), workspace.among(entity.tag, sql.Identifier("id"))
        )
    ]
    if entity.table in MERGES:
        survivors = sql.SQL("SELECT survivor_id FROM pg_temp.transform_survivors WHERE entity_type = {} AND {}")
        among = workspace.among(entity.tag, sql.Identifier("survivor_id"))
        own.append(survivors.format(sql.Literal(entity.tag), among))
    records = sql.SQL(" UNION ").join([*(own if entity.table in owners else []), *named])
    # In the order of the links' key: entity ids are ordered by time, so all the table's indexes grow at their ends.
    return sql.SQL(
        'SELECT record.id FROM ({records}) record LEFT JOIN {link} WHERE l."entityId" IS NULL'
        ' ORDER BY record.id COLLATE "C"'
    ).format(records=records, link=link_of(workspace, entity, sql.Identifier("record", "id")))


def _ids_named_by(workspace: Workspace, relationship: Relationship) -> sql.Composable:
    column = sql.Identifier("r", f"{relationship.key}_id")
    named, survivors = survivor_of(relationship.target, column, "named")
    return sql.SQL(
        "SELECT {named} AS id FROM {raw} r {survivors}"
        " WHERE r.org_id = %(org_id)s AND r._deleted_at IS NULL AND {column} IS NOT NULL AND NOT {is_merged}"
        " AND {among}"
    ).format(
        among=workspace.among(relationship.owner.tag, sql.Identifier("r", "id")),
        named=named,
        raw=workspace.raw(relationship.owner.stream),
        survivors=survivors,
        column=column,
        is_merged=is_merged(relationship.owner, sql.Identifier("r", "id")),
    )


def _insert_links(workspace: Workspace, entity: Entity) -> int:
    # Another writer may have made the same link meanwhile: theirs stands, and everything below reads the table.
    rows = sql.SQL("""
        ("orgId", adapter, "entityType", "externalId", "entityId",
            "createdAt", "updatedAt", "lastProcessedAt", "deletedAt", "deletedBy")
        SELECT %(org_id)s, %(adapter)s, n.entity_type, n.external_id, n.entity_id,
            COALESCE({created_at}, now()), {updated_at}, now(), r._deleted_at,
            CASE WHEN r._deleted_at IS NOT NULL THEN %(adapter)s END
        FROM pg_temp.transform_links n
        LEFT JOIN {raw} r ON r.org_id = %(org_id)s AND r.id = n.external_id
        WHERE n.entity_type = {tag}
        ON CONFLICT DO NOTHING""").format(
        created_at=entity.created_at,
        updated_at=entity.updated_at,
        raw=workspace.raw(entity.stream),
        tag=sql.Literal(entity.tag),
    )
    return workspace.insert(TABLE, rows)


def _link_to_survivors(workspace: Workspace, entity: Entity) -> int:
    """Link the merged records that never were an entity here to what stands for them."""
    rows = sql.SQL("""
        ("orgId", adapter, "entityType", "externalId", "entityId", "createdAt", "lastProcessedAt",
            "deletedAt", "deletedBy")
        SELECT %(org_id)s, %(adapter)s, gone.entity_type, gone.record_id, l."entityId", gone.merged_at, now(),
            r._deleted_at, CASE WHEN r._deleted_at IS NOT NULL THEN %(adapter)s END
        FROM pg_temp.transform_survivors gone
        JOIN {survivor_link}
        LEFT JOIN {raw} r ON r.org_id = %(org_id)s AND r.id = gone.survivor_id
        WHERE gone.entity_type = {tag} AND {among}
        ORDER BY gone.record_id COLLATE "C"
        ON CONFLICT DO NOTHING""").format(
        survivor_link=link_of(workspace, entity, sql.Identifier("gone", "survivor_id")),
        raw=workspace.raw(entity.stream),
        tag=sql.Literal(entity.tag),
        among=workspace.among(entity.tag, sql.Identifier("gone", "record_id")),
    )
    return workspace.insert(TABLE, rows)


def refresh_links(workspace: Workspace, entity: Entity) -> int:
    """Bring the links up to their records, or to those that stand for them; returns how many older links changed.

    `lastProcessedAt` moves only with a change of the record or of its entity's row, so that a run without changes
    writes nothing.
    """
    standing, survivors = survivor_of(entity, sql.Identifier("l", "externalId"), "gone")
    stale = sql.SQL("""
        ON COMMIT DROP AS
        SELECT l."externalId", {created_at} AS "createdAt", {updated_at} AS "updatedAt",
            {deleted_at} AS "deletedAt", {deleted_by} AS "deletedBy"
        FROM {links} l {survivors} JOIN {raw} r ON r.org_id = %(org_id)s AND r.id = {standing}
        WHERE l."orgId" = %(org_id)s AND l.adapter = %(adapter)s AND l."entityType" = {tag} AND {among} AND (
                (l."createdAt", l."updatedAt", l."deletedAt", l."deletedBy")
                    IS DISTINCT FROM ({created_at}, {updated_at}, {deleted_at}, {deleted_by})
                OR (l."lastProcessedAt" < now() AND l."entityId" IN (SELECT id FROM pg_temp.transform_written)))
        """).format(
        links=workspace.canonical(TABLE),
        created_at=entity.created_at,
        updated_at=entity.updated_at,
        deleted_at=deleted_at("l"),
        deleted_by=deleted_by("l"),
        raw=workspace.raw(entity.stream),
        standing=standing,
        survivors=survivors,
        among=workspace.among(entity.tag, sql.Identifier("l", "externalId")),
        tag=sql.Literal(entity.tag),
    )
    workspace.create("transform_stale_links", stale)
    workspace.analyze("transform_stale_links")
    assignments = sql.SQL(
        '"createdAt" = d."createdAt", "updatedAt" = d."updatedAt", "lastProcessedAt" = now(),'
        ' "deletedAt" = d."deletedAt", "deletedBy" = d."deletedBy"'
    )
    found = sql.SQL(
        'pg_temp.transform_stale_links d WHERE target."orgId" = %(org_id)s AND target.adapter = %(adapter)s'
        ' AND target."entityType" = {} AND target."externalId" = d."externalId"'
    ).format(sql.Literal(entity.tag))
    return workspace.update(TABLE, assignments, found)


def count_links(workspace: Workspace, entities: Iterable[Entity]) -> int:
    """How many links the org has to these entities."""
    return workspace.total(
        sql.SQL(
            'SELECT count(*) FROM {} WHERE "orgId" = %(org_id)s AND adapter = %(adapter)s'
            ' AND "entityType" = ANY(%(tags)s)'
        ).format(workspace.canonical(TABLE)),
        tags=[entity.tag for entity in entities],
    )
