"""Raw records of one entity -> its rows, by comparison: rows that already say the same are not written."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from psycopg import sql

from openfaith_pipeline.canonical.addresses import is_item_of
from openfaith_pipeline.canonical.model import Entity
from openfaith_pipeline.review.conflict_policies import Policy
from openfaith_pipeline.sources import CANONICAL
from openfaith_pipeline.transform.answers import answers_of
from openfaith_pipeline.transform.conflicts import Edited, judge, keeping, read_edited, settle, unjudged_fields
from openfaith_pipeline.transform.custom_fields import custom_fields, items_of_others
from openfaith_pipeline.transform.deletion import deleted_at, deleted_by
from openfaith_pipeline.transform.enrichment import Enrichment
from openfaith_pipeline.transform.fields import fields_of
from openfaith_pipeline.transform.identity import adapter_of, among_links, is_link_of, link_of, record_id_of
from openfaith_pipeline.transform.links import created_at, updated_at
from openfaith_pipeline.transform.phone_numbers import phones_of
from openfaith_pipeline.transform.values import value, with_default
from openfaith_pipeline.transform.workspace import Workspace

_FOUND: Final = sql.SQL(
    'pg_temp.transform_changes d WHERE target.id = d.id AND target."orgId" = %(org_id)s AND NOT d.is_new'
)
# Somebody else wrote the row after it was compared.
_STALE: Final = sql.SQL("target.xmin <> d.version")


def write_entity(workspace: Workspace, entity: Entity, edited: Edited) -> tuple[int, int, int]:
    """Write the changes of one entity; returns the numbers of rows inserted, updated and left alone.

    Columns that the source feeds equal the source afterwards, unless the policy of an edited field keeps the local
    value; no other column of an existing row is touched.
    """
    enrichments = [*phones_of(entity), *answers_of(entity), *fields_of(entity)]
    for enrichment in enrichments:
        enrichment.prepare(workspace)
    fed = _fed_columns(workspace, entity, enrichments)
    others = _ended_records(workspace, entity)
    others += _outranked_records(workspace, entity, others)
    found = _find_locked(workspace, entity, _Changed(fed, enrichments, others), edited)
    updated = _update(workspace, entity, fed) if found else 0
    inserted = _insert(workspace, entity, fed)
    workspace.execute(sql.SQL("INSERT INTO pg_temp.transform_written SELECT id FROM pg_temp.transform_changes"))
    records = workspace.total(
        sql.SQL("SELECT count(*) FROM {} WHERE org_id = %(org_id)s").format(workspace.raw(entity.stream))
    )
    return inserted, updated, records - len(others) - inserted - updated


class _Changed(NamedTuple):
    """fed: canonical column -> SQL, which needs the enrichments and the join `kept`.

    others: ids of records that give no row of their own.
    """

    fed: Mapping[str, sql.Composable]
    enrichments: Sequence[Enrichment]
    others: list[str]
    kept: sql.Composable = sql.SQL("")


def _fed_columns(
    workspace: Workspace, entity: Entity, enrichments: Sequence[Enrichment]
) -> Mapping[str, sql.Composable]:
    """Canonical column -> SQL, for every column that the source feeds."""
    fed = {name: with_default(rule, value(workspace, rule, entity.stream)) for name, rule in entity.columns.items()}
    fed["createdAt"] = created_at(entity)
    if entity.has_updated_at:
        fed["updatedAt"] = updated_at(entity)
    fed["deletedAt"] = deleted_at("e")
    fed["deletedBy"] = deleted_by("e", entity.stream.adapter)
    others = items_of_others("externalIds", "type", entity.stream.adapter)
    fed["externalIds"] = sql.SQL("{} || {}").format(others, _own_external_id(entity))
    fed["customFields"] = custom_fields(entity, enrichments)
    return fed


def _own_external_id(entity: Entity) -> sql.Composable:
    stream = sql.SQL(", 'stream', {}::text").format(sql.Literal(entity.stream.name))
    return sql.SQL("jsonb_build_array(jsonb_build_object('id', r.id, 'type', {}::text{}))").format(
        adapter_of(entity), stream if entity.is_qualified else sql.SQL("")
    )


def _ended_records(workspace: Workspace, entity: Entity) -> list[str]:
    """Merged records: their row stays as it was, or is their survivor's. A missing row is created, to be ended."""
    if entity.stream.name not in CANONICAL.merges:
        return []
    statement = sql.SQL("""
        SELECT r.id FROM {raw} r
        JOIN pg_temp.transform_survivors gone ON gone.stream = {stream} AND gone.record_id = r.id
        JOIN {link}
        JOIN {survivor_link}
        LEFT JOIN {table} e ON e.id = l."entityId" AND e."orgId" = %(org_id)s
        WHERE r.org_id = %(org_id)s AND {among} AND (e.id IS NOT NULL OR l."entityId" = k."entityId")""").format(
        among=workspace.among(entity.stream, sql.Identifier("r", "id")),
        raw=workspace.raw(entity.stream),
        stream=sql.Literal(entity.stream.name),
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
                SELECT o."entityId" FROM {links} o
                WHERE o."orgId" = %(org_id)s AND {is_link} AND {linked_among}
                GROUP BY o."entityId" HAVING count(*) > 1)) ranked
        WHERE ranked.rank > 1""").format(
        raw=workspace.raw(entity.stream),
        link=link_of(workspace, entity, sql.Identifier("r", "id")),
        among=workspace.among(entity.stream, sql.Identifier("r", "id")),
        links=workspace.canonical("externalLinks"),
        linked_among=among_links(workspace, entity, "o"),
        is_link=is_link_of(entity, "o"),
    )
    ranked = [record_id for (record_id,) in workspace.rows(statement, ended=ended)]
    return ranked + _ceded_records(workspace, entity)


def _ceded_records(workspace: Workspace, entity: Entity) -> list[str]:
    """Records that share their entity with one of a stream that is declared earlier for the table."""
    entities = CANONICAL.tables[entity.table].entities
    earlier = entities[: entities.index(entity)]
    if not earlier:
        return []
    statement = sql.SQL("""
        SELECT r.id FROM {links} o JOIN {links} l ON l."orgId" = o."orgId" AND l."entityId" = o."entityId"
            AND {is_link}
        JOIN {raw} r ON r.org_id = %(org_id)s AND r.id = {record_id}
        WHERE o."orgId" = %(org_id)s AND {is_first} AND {among}""").format(
        links=workspace.canonical("externalLinks"),
        is_link=is_link_of(entity, "l"),
        raw=workspace.raw(entity.stream),
        record_id=record_id_of(entity, "l"),
        is_first=sql.SQL("({})").format(sql.SQL(" OR ").join(is_link_of(first, "o") for first in earlier)),
        among=among_links(workspace, entity, "l"),
    )
    return [record_id for (record_id,) in workspace.rows(statement)]


def _find_locked(workspace: Workspace, entity: Entity, changed: _Changed, edited: Edited) -> int:
    """Find the changes and lock the existing rows; returns the number of these.

    If somebody wrote such a row after it was compared, or edited it after its edits were judged, all are judged and
    compared again: nobody's change is lost.
    """
    while True:
        policies = {field: policy for field, policy in edited.get(entity.table, {}).items() if _is_fed(entity, field)}
        _find_unedited(workspace, entity, changed, policies)
        found, stale = workspace.lock(entity.table, _FOUND, _STALE)
        if not stale and not (found and _is_unjudged(workspace, entity, policies)):
            if policies:
                settle(workspace, entity)
            return found
        edited = read_edited(workspace)


def _is_unjudged(workspace: Workspace, entity: Entity, policies: Mapping[str, Policy]) -> bool:
    """Whether a locked row has an edit that was not judged: it was made before the row was compared, but too late."""
    unjudged = unjudged_fields(workspace, entity, are_others_judged=bool(policies))
    return any(_is_fed(entity, field) for field in unjudged)


def _find_unedited(workspace: Workspace, entity: Entity, changed: _Changed, policies: Mapping[str, Policy]) -> None:
    """Find the changes, without the fields whose local values are kept. policies: by edited field."""
    if policies:
        judge(workspace, entity, policies, changed.fed, changed.enrichments, changed.others)
        fed, kept = keeping(changed.fed, policies)
        changed = changed._replace(fed=fed, kept=kept)
    _find_changes(workspace, entity, changed)


def _is_fed(entity: Entity, field: str) -> bool:
    """Whether the entity's records give the field its values."""
    return field in entity.columns or is_item_of(field, entity.stream.adapter)


def _find_changes(workspace: Workspace, entity: Entity, changed: _Changed) -> None:
    names = [sql.Identifier(name) for name in changed.fed]
    values = [sql.SQL("{} AS {}").format(value, sql.Identifier(name)) for name, value in changed.fed.items()]
    statement = sql.SQL("""
        ON COMMIT DROP AS
        SELECT d.*, e.id IS NULL AS is_new, e.xmin AS version
        FROM {raw} r
        JOIN {link}
        LEFT JOIN {table} e ON e.id = l."entityId" AND e."orgId" = %(org_id)s
        {joins} {kept}
        CROSS JOIN LATERAL (SELECT l."entityId" AS id, {values}) d
        WHERE r.org_id = %(org_id)s AND {among} AND r.id <> ALL (%(others)s::text[])
            AND (e.id IS NULL OR ({present}) IS DISTINCT FROM ({wanted}))""").format(
        raw=workspace.raw(entity.stream),
        link=link_of(workspace, entity, sql.Identifier("r", "id")),
        table=workspace.canonical(entity.table),
        among=workspace.among(entity.stream, sql.Identifier("r", "id")),
        joins=sql.SQL(" ").join(each.join for each in changed.enrichments),
        kept=changed.kept,
        values=sql.SQL(", ").join(values),
        present=sql.SQL(", ").join(sql.SQL("e.{}").format(name) for name in names),
        wanted=sql.SQL(", ").join(sql.SQL("d.{}").format(name) for name in names),
    )
    workspace.create("transform_changes", statement, others=changed.others)
    workspace.analyze("transform_changes", "id", "is_new")


def _update(workspace: Workspace, entity: Entity, fed: Mapping[str, sql.Composable]) -> int:
    assignments = sql.SQL(", ").join(sql.SQL("{0} = d.{0}").format(sql.Identifier(name)) for name in fed)
    return workspace.update_locked(entity.table, assignments, _FOUND)


def _insert(workspace: Workspace, entity: Entity, fed: Mapping[str, sql.Composable]) -> int:
    # An id that another org already uses is left to it rather than ending the whole church's transform.
    rows = sql.SQL("""
        (id, "orgId", {columns})
        SELECT id, %(org_id)s, {columns} FROM pg_temp.transform_changes WHERE is_new ORDER BY id COLLATE "C"
        ON CONFLICT (id) DO NOTHING""").format(columns=sql.SQL(", ").join(map(sql.Identifier, fed)))
    return workspace.insert(entity.table, rows)
