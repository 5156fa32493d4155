"""Raw records of one entity -> its rows, by comparison: rows that already say the same are not written."""

from collections.abc import Mapping

from psycopg import sql

from openfaith_pipeline.transform.custom_fields import custom_fields, items_of_others
from openfaith_pipeline.transform.deletion import deleted_at, deleted_by
from openfaith_pipeline.transform.entity import Entity
from openfaith_pipeline.transform.links import link_of
from openfaith_pipeline.transform.registry import MERGES
from openfaith_pipeline.transform.workspace import Workspace


def write_entity(workspace: Workspace, entity: Entity) -> tuple[int, int, int]:
    """Write what changed of one entity; returns the numbers of rows inserted, updated and left alone.

    Columns that the source feeds equal the source afterwards; no other column of an existing row is touched.
    """
    for enrichment in entity.enrichments:
        enrichment.prepare(workspace)
    fed = _fed_columns(entity)
    others = _ended_records(workspace, entity)
    others += _outranked_records(workspace, entity, others)
    _find_changes(workspace, entity, fed, others)
    updated = _update(workspace, entity, fed)
    inserted = _insert(workspace, entity, fed)
    workspace.execute(sql.SQL("INSERT INTO pg_temp.transform_written SELECT id FROM pg_temp.transform_changes"))
    records = workspace.total(
        sql.SQL("SELECT count(*) FROM {} WHERE org_id = %(org_id)s").format(workspace.raw(entity.stream))
    )
    return inserted, updated, records - len(others) - inserted - updated


def _fed_columns(entity: Entity) -> Mapping[str, sql.Composable]:
    """Canonical column -> SQL, for every column that the source feeds."""
    ours = sql.SQL("jsonb_build_array(jsonb_build_object('id', r.id, 'type', %(adapter)s::text))")
    fed: dict[str, sql.Composable] = {name: column.expression for name, column in entity.columns.items()}
    fed["createdAt"] = entity.created_at
    if "updated_at" in entity.stream.attributes:
        fed["updatedAt"] = entity.updated_at
    fed["deletedAt"] = deleted_at("e")
    fed["deletedBy"] = deleted_by("e")
    fed["externalIds"] = sql.SQL("{} || {}").format(items_of_others("externalIds", "type"), ours)
    fed["customFields"] = custom_fields(entity)
    return fed


def _ended_records(workspace: Workspace, entity: Entity) -> list[str]:
    """Merged records: their row stays as it was last, or is their survivor's. One not made yet is made, to be ended."""
    if entity.table not in MERGES:
        return []
    statement = sql.SQL("""
        SELECT r.id FROM {raw} r
        JOIN pg_temp.transform_survivors gone ON gone.entity_type = {tag} AND gone.record_id = r.id
        JOIN {link}
        JOIN {survivor_link}
        LEFT JOIN {table} e ON e.id = l."entityId" AND e."orgId" = %(org_id)s
        WHERE r.org_id = %(org_id)s AND {among} AND (e.id IS NOT NULL OR l."entityId" = k."entityId")""").format(
        among=workspace.among(entity.tag, sql.Identifier("r", "id")),
        raw=workspace.raw(entity.stream),
        tag=sql.Literal(entity.tag),
        link=link_of(workspace, entity, sql.Identifier("r", "id")),
        survivor_link=link_of(workspace, entity, sql.Identifier("gone", "survivor_id"), alias="k"),
        table=workspace.canonical(entity.table),
    )
    return [record_id for (record_id,) in workspace.rows(statement)]


def _outranked_records(workspace: Workspace, entity: Entity, ended: list[str]) -> list[str]:
    """Records that share their entity with a better one: two links may lead to one entity, which is one row.

    A live record goes before a deleted one, then the lower id.
    """
    statement = sql.SQL("""
        SELECT ranked.id FROM (
            SELECT r.id, row_number() OVER (
                PARTITION BY l."entityId" ORDER BY r._deleted_at IS NOT NULL, length(r.id), r.id COLLATE "C") AS rank
            FROM {raw} r JOIN {link}
            WHERE r.org_id = %(org_id)s AND {among} AND r.id <> ALL (%(ended)s::text[]) AND l."entityId" IN (
                SELECT "entityId" FROM {links}
                WHERE "orgId" = %(org_id)s AND adapter = %(adapter)s AND "entityType" = {tag} AND {linked_among}
                GROUP BY "entityId" HAVING count(*) > 1)) ranked
        WHERE ranked.rank > 1""").format(
        raw=workspace.raw(entity.stream),
        link=link_of(workspace, entity, sql.Identifier("r", "id")),
        among=workspace.among(entity.tag, sql.Identifier("r", "id")),
        links=workspace.canonical("externalLinks"),
        linked_among=workspace.among(entity.tag, sql.Identifier("externalId")),
        tag=sql.Literal(entity.tag),
    )
    return [record_id for (record_id,) in workspace.rows(statement, ended=ended)]


def _find_changes(workspace: Workspace, entity: Entity, fed: Mapping[str, sql.Composable], others: list[str]) -> None:
    names = [sql.Identifier(name) for name in fed]
    values = [sql.SQL("{} AS {}").format(value, sql.Identifier(name)) for name, value in fed.items()]
    statement = sql.SQL("""
        ON COMMIT DROP AS
        SELECT d.*, e.id IS NULL AS is_new
        FROM {raw} r
        JOIN {link}
        LEFT JOIN {table} e ON e.id = l."entityId" AND e."orgId" = %(org_id)s
        {enrichments}
        CROSS JOIN LATERAL (SELECT l."entityId" AS id, {values}) d
        WHERE r.org_id = %(org_id)s AND {among} AND r.id <> ALL (%(others)s::text[])
            AND (e.id IS NULL OR ({present}) IS DISTINCT FROM ({wanted}))""").format(
        raw=workspace.raw(entity.stream),
        link=link_of(workspace, entity, sql.Identifier("r", "id")),
        table=workspace.canonical(entity.table),
        among=workspace.among(entity.tag, sql.Identifier("r", "id")),
        enrichments=sql.SQL(" ").join(enrichment.join for enrichment in entity.enrichments),
        values=sql.SQL(", ").join(values),
        present=sql.SQL(", ").join(sql.SQL("e.{}").format(name) for name in names),
        wanted=sql.SQL(", ").join(sql.SQL("d.{}").format(name) for name in names),
    )
    workspace.create("transform_changes", statement, others=others)
    workspace.analyze("transform_changes", "id", "is_new")


def _update(workspace: Workspace, entity: Entity, fed: Mapping[str, sql.Composable]) -> int:
    return workspace.update(
        entity.table,
        sql.SQL(", ").join(sql.SQL("{0} = d.{0}").format(sql.Identifier(name)) for name in fed),
        sql.SQL('pg_temp.transform_changes d WHERE target.id = d.id AND target."orgId" = %(org_id)s AND NOT d.is_new'),
    )


def _insert(workspace: Workspace, entity: Entity, fed: Mapping[str, sql.Composable]) -> int:
    # An id that another org already uses is left to it rather than ending the whole church's transform.
    rows = sql.SQL("""
        (id, "orgId", {columns})
        SELECT id, %(org_id)s, {columns} FROM pg_temp.transform_changes WHERE is_new ORDER BY id COLLATE "C"
        ON CONFLICT (id) DO NOTHING""").format(columns=sql.SQL(", ").join(map(sql.Identifier, fed)))
    return workspace.insert(entity.table, rows)
