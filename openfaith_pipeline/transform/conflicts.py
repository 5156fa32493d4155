"""Fields that people changed in OpenFaith: the source's change, a person's and both are told apart, field by field.

A field is a column or an item of the custom fields, each by its address (`canonical/addresses.py`).
`sync.local_edits` has each field that somebody else changed since the source's value was written, with that value, the
base; a trigger notes it. So every other field still has the value of its last sync, and nothing is copied. From base,
local and source value, and the policy, follows which value stays and whether a person is asked.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from psycopg import sql

from openfaith_pipeline.canonical.addresses import ITEMS, column_of, is_item
from openfaith_pipeline.canonical.model import Entity
from openfaith_pipeline.journal import CONFLICTS, LOCAL_EDITS, Write, journaled
from openfaith_pipeline.review.conflict_policies import Policy, policies_by_field
from openfaith_pipeline.transform.deletion import deleted_by_person
from openfaith_pipeline.transform.enrichment import Enrichment
from openfaith_pipeline.transform.identity import is_link_of, record_id_of
from openfaith_pipeline.transform.links import updated_at
from openfaith_pipeline.transform.workspace import Workspace

Edited = Mapping[str, Mapping[str, Policy]]
"""By table: the fields that somebody changed in OpenFaith, in whichever row, with their policies."""

# is_over: the source's value is written, or is there already, and the edit is forgotten. asks: a person decides. A row
# that somebody removed is recreated, and has no local value.
_JUDGED: Final = sql.SQL("""
ON COMMIT DROP AS
SELECT judged.*, NOT is_over AND policy = 'ask' AND source <> base AND NOT is_deleted AS asks
FROM (
    SELECT compared.*, local IS NULL OR local = source OR local = base OR policy = 'source'
        OR (policy = 'newest' AND source <> base AND source_changed_at > edited_at) AS is_over
    FROM (
        SELECT edit.entity_id AS id, edit.field, edit.base, sync.field_value(to_jsonb(e), edit.field) AS local,
            sync.field_value(to_jsonb(d), edit.field) AS source, edit.edited_at, edit.edited_by,
            CASE WHEN starts_with(edit.field, {items}) THEN {item_changed_at} ELSE {changed_at} END
                AS source_changed_at,
            %(policies)s::jsonb ->> edit.field AS policy,
            r._deleted_at IS NOT NULL OR {deleted_by_person} AS is_deleted
        FROM sync.local_edits edit
        JOIN {links} l ON l."orgId" = edit.org_id AND l."entityId" = edit.entity_id AND {is_link}
        JOIN {raw} r ON r.org_id = edit.org_id AND r.id = {record_id}
        LEFT JOIN {table} e ON e.id = edit.entity_id AND e."orgId" = edit.org_id
        {joins}
        CROSS JOIN LATERAL (SELECT {values}) d
        WHERE edit.org_id = %(org_id)s AND edit.entity_table = {name} AND edit.field = ANY(%(fields)s)
            AND {among} AND r.id <> ALL (%(others)s::text[])
        OFFSET 0) compared
    OFFSET 0) judged""")

_KEPT: Final = sql.SQL("""
LEFT JOIN (
    SELECT id, array_agg(field) AS fields, array_agg(field) FILTER (WHERE starts_with(field, {items})) AS items
    FROM pg_temp.transform_edits WHERE NOT is_over GROUP BY id
) kept ON kept.id = l."entityId\"""").format(items=sql.Literal(ITEMS))
_KEPT_COLUMN: Final = sql.SQL("CASE WHEN {name} = ANY(kept.fields) THEN e.{column} ELSE {value} END")
# Read from the row as it is now, which somebody may have written since its edits were judged.
_KEPT_ITEMS: Final = sql.SQL("""
CASE WHEN kept.items IS NULL THEN {value} ELSE (
    SELECT sync.put_fields(
        jsonb_build_object({column}, {value}), jsonb_object_agg(address, sync.field_value(to_jsonb(e), address)))
    FROM unnest(kept.items) AS address
) -> {column} END""")
_SAME_FIELD: Final = sql.SQL(
    "target.org_id = %(org_id)s AND target.entity_table = {name} AND target.entity_id = d.id AND target.field = d.field"
)
# Somebody may have changed the field again, in a row that is not written here: that edit stands.
_FORGET: Final = sql.SQL(
    "DELETE FROM sync.local_edits AS target USING pg_temp.transform_edits d"
    " WHERE {same} AND d.is_over AND target.edited_at = d.edited_at"
)
# The newer of both stays until the source's value is another one than this.
_HEED: Final = sql.SQL(
    "UPDATE sync.local_edits AS target SET base = d.source FROM pg_temp.transform_edits d"
    " WHERE {same} AND NOT d.is_over AND d.policy = 'newest' AND target.base <> d.source"
)
_ASK: Final = sql.SQL("""
INSERT INTO sync.conflicts AS target (id, org_id, entity_table, entity_id, field, base, local, source,
    source_changed_at, edited_at, edited_by, sync_id)
SELECT 'conflict-' || nextval('sync.conflict_number'), %(org_id)s, {name}, d.id, d.field, d.base, d.local, d.source,
    d.source_changed_at, d.edited_at, d.edited_by, %(sync_id)s
FROM pg_temp.transform_edits d
WHERE d.asks AND NOT EXISTS (SELECT FROM sync.conflicts AS target WHERE {same} AND target.decision IS NULL)""")
_RESTATE: Final = sql.SQL("""
UPDATE sync.conflicts AS target SET base = d.base, local = d.local, source = d.source,
    source_changed_at = d.source_changed_at, edited_at = d.edited_at, edited_by = d.edited_by
FROM pg_temp.transform_edits d WHERE {same} AND d.asks AND target.decision IS NULL
    AND (target.base, target.local, target.source, target.edited_at)
        IS DISTINCT FROM (d.base, d.local, d.source, d.edited_at)""")
_SETTLED: Final = sql.SQL(
    "UPDATE sync.conflicts AS target SET decision = 'settled', decided_at = now(), decided_by = %(sync_id)s"
)
_SETTLE: Final = sql.SQL(
    "{settled} FROM pg_temp.transform_edits d WHERE {same} AND target.decision IS NULL AND NOT d.asks"
)
# Conflicts about an edit that was taken back, or a row that is deleted, merged away or gone.
_SETTLE_ENDED: Final = sql.SQL("""
{settled} FROM (
    SELECT waiting.id FROM sync.conflicts waiting
    LEFT JOIN sync.local_edits edit USING (org_id, entity_table, entity_id, field)
    LEFT JOIN {table} e ON e.id = waiting.entity_id AND e."orgId" = waiting.org_id
    WHERE waiting.org_id = %(org_id)s AND waiting.entity_table = {name} AND waiting.decision IS NULL
        AND (edit.field IS NULL OR e.id IS NULL OR e."deletedAt" IS NOT NULL)) d
WHERE target.org_id = %(org_id)s AND target.id = d.id""")

# Of the rows to be written, which are locked by now.
_UNJUDGED: Final = sql.SQL("""
SELECT DISTINCT edit.field
FROM sync.local_edits edit JOIN pg_temp.transform_changes d ON d.id = edit.entity_id AND NOT d.is_new
WHERE edit.org_id = %(org_id)s AND edit.entity_table = {name} AND NOT {is_judged}""")
_IS_JUDGED: Final = sql.SQL(
    "EXISTS (SELECT FROM pg_temp.transform_edits judged WHERE judged.id = edit.entity_id"
    " AND judged.field = edit.field AND judged.edited_at = edit.edited_at)"
)


def read_edited(workspace: Workspace) -> Edited:
    """The edited fields of the org, most often none."""
    found = workspace.rows(
        sql.SQL("SELECT DISTINCT entity_table, field FROM sync.local_edits WHERE org_id = %(org_id)s")
    )
    return policies_by_field(workspace.cursor.connection, workspace.org_id, found) if found else {}


def judge(
    workspace: Workspace,
    entity: Entity,
    policies: Mapping[str, Policy],
    fed: Mapping[str, sql.Composable],
    enrichments: Sequence[Enrichment],
    others: Sequence[str],
) -> None:
    """Fill `pg_temp.transform_edits`: each edited field of the entity's records, and which value it keeps.

    fed: SQL of the source's values by column, which needs the enrichments. others: ids of records that give no row.
    """
    columns = dict.fromkeys(map(column_of, policies))
    values = [sql.SQL("{} AS {}").format(fed[name], sql.Identifier(name)) for name in columns]
    changed_at = sql.SQL("coalesce({}, r._synced_at)").format(updated_at(entity))
    statement = _JUDGED.format(
        items=sql.Literal(ITEMS),
        changed_at=changed_at,
        item_changed_at=_latest(changed_at, enrichments),
        links=workspace.canonical("externalLinks"),
        is_link=is_link_of(entity, "l"),
        raw=workspace.raw(entity.stream),
        record_id=record_id_of(entity, "l"),
        table=workspace.canonical(entity.table),
        deleted_by_person=deleted_by_person("e"),
        joins=sql.SQL(" ").join(each.join for each in enrichments),
        values=sql.SQL(", ").join(values),
        name=sql.Literal(entity.table),
        among=workspace.among(entity.stream, sql.Identifier("r", "id")),
    )
    workspace.create(
        "transform_edits", statement, policies=json.dumps(policies), fields=list(policies), others=list(others)
    )
    workspace.analyze("transform_edits")


def unjudged_fields(workspace: Workspace, entity: Entity, *, are_others_judged: bool) -> list[str]:
    """Fields that somebody edited, after the edits were judged, in rows of `pg_temp.transform_changes` that are locked.

    are_others_judged: whether `pg_temp.transform_edits` is of this entity.
    """
    is_judged = _IS_JUDGED if are_others_judged else sql.SQL("false")
    statement = _UNJUDGED.format(name=sql.Literal(entity.table), is_judged=is_judged)
    return [field for (field,) in workspace.rows(statement)]


def keeping(
    fed: Mapping[str, sql.Composable], policies: Mapping[str, Policy]
) -> tuple[Mapping[str, sql.Composable], sql.Composable]:
    """The columns' SQL, with local values that are kept, and the join that this needs."""
    return {**fed, **{column_of(address): _kept(fed, address) for address in policies}}, _KEPT


def _kept(fed: Mapping[str, sql.Composable], address: str) -> sql.Composable:
    column = column_of(address)
    if is_item(address):
        return _KEPT_ITEMS.format(column=sql.Literal(column), value=fed[column])
    return _KEPT_COLUMN.format(name=sql.Literal(column), column=sql.Identifier(column), value=fed[column])


def _latest(changed_at: sql.Composable, enrichments: Sequence[Enrichment]) -> sql.Composable:
    """SQL: when the record, or one that gives it custom fields, changed at the source."""
    others = [each.changed_at for each in enrichments if each.changed_at is not None]
    return sql.SQL("greatest({})").format(sql.SQL(", ").join([changed_at, *others]))


def settle(workspace: Workspace, entity: Entity) -> None:
    """Bring the noted edits and the conflicts up to the verdicts, with the rows and in their transaction."""
    names = {"name": sql.Literal(entity.table), "same": _SAME_FIELD.format(name=sql.Literal(entity.table))}
    names["settled"] = _SETTLED
    workspace.execute(journaled(LOCAL_EDITS, _FORGET.format(**names), Write.REMOVE))
    workspace.execute(journaled(LOCAL_EDITS, _HEED.format(**names)))
    workspace.execute(journaled(CONFLICTS, _SETTLE.format(**names)))
    workspace.execute(journaled(CONFLICTS, _RESTATE.format(**names)))
    workspace.execute(journaled(CONFLICTS, _ASK.format(**names), Write.INSERT))


def settle_ended(workspace: Workspace) -> None:
    """Close the conflicts of edits and rows that no longer exist."""
    for table in count_waiting(workspace):
        ended = _SETTLE_ENDED.format(settled=_SETTLED, table=workspace.canonical(table), name=sql.Literal(table))
        workspace.execute(journaled(CONFLICTS, ended))


def count_waiting(workspace: Workspace) -> Mapping[str, int]:
    """The org's conflicts that wait for a decision, by table."""
    return dict(
        workspace.rows(
            sql.SQL(
                "SELECT entity_table, count(*) FROM sync.conflicts WHERE org_id = %(org_id)s AND decision IS NULL"
                " GROUP BY 1"
            )
        )
    )
