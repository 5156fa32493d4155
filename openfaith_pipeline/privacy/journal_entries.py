"""The journal without a person: no entry of their rows, and no value of theirs in the entries of others.

A rollback works by the journal, so no older sync brings back rows without an entry. `as_of` shows the past without
them.
"""

from typing import Any, Final

from psycopg import Cursor, sql

from openfaith_pipeline.database.canonical_tables import CANONICAL_PREFIX
from openfaith_pipeline.journal.tables import CONFLICTS, LOCAL_EDITS, link_rows
from openfaith_pipeline.privacy.openfaith_rows import PersonEntities
from openfaith_pipeline.privacy.person_records import PersonRecords
from openfaith_pipeline.privacy.raw_rows import linked_targets
from openfaith_pipeline.sources import PERSONAL, STREAMS

_REMOVE: Final = sql.SQL("""
DELETE FROM sync.journal WHERE org_id = %(org_id)s AND table_name = %(table)s AND row_key ->> {key} = ANY(%(ids)s)
""")

# Older entries of a row changed by the erasure get the row's present values, so that no erased value is left, and
# a rollback finds the row in the state that it left.
_REDACT: Final = """
WITH made AS MATERIALIZED (
    SELECT table_name, row_key, sync.merge_images(after::jsonb ORDER BY id) AS now_is FROM sync.journal
    WHERE org_id = %(org_id)s AND sync_id = %(erasure_id)s AND after IS NOT NULL
    GROUP BY table_name, row_key
)
UPDATE sync.journal AS entry SET
    before = CASE WHEN entry.before IS NOT NULL THEN (
        SELECT coalesce(json_object_agg(key, coalesce(made.now_is -> key, value)), '{}')
        FROM jsonb_each(entry.before::jsonb)) END,
    after = CASE WHEN entry.after IS NOT NULL THEN (
        SELECT coalesce(json_object_agg(key, coalesce(made.now_is -> key, value)), '{}')
        FROM jsonb_each(entry.after::jsonb)) END
FROM made
WHERE entry.org_id = %(org_id)s AND entry.table_name = made.table_name AND entry.row_key = made.row_key
    AND entry.sync_id <> %(erasure_id)s
"""

# Rows that once referred to the person and refer to another now: their entries lose the reference and the description.
_REDACT_FORMER: Final = sql.SQL("""
UPDATE sync.journal AS entry SET
    before = CASE WHEN before IS NOT NULL THEN (
        SELECT coalesce(json_object_agg(key, CASE WHEN key = ANY(%(columns)s) THEN 'null' ELSE value END), '{{}}')
        FROM jsonb_each(entry.before::jsonb)) END,
    after = CASE WHEN after IS NOT NULL THEN (
        SELECT coalesce(json_object_agg(key, CASE WHEN key = ANY(%(columns)s) THEN 'null' ELSE value END), '{{}}')
        FROM jsonb_each(entry.after::jsonb)) END
WHERE org_id = %(org_id)s AND table_name = %(table)s AND (
    before ->> {id} = ANY(%(ids)s) AND (%(types)s::text[] IS NULL OR before ->> {type} = ANY(%(types)s))
    OR after ->> {id} = ANY(%(ids)s) AND (%(types)s::text[] IS NULL OR after ->> {type} = ANY(%(types)s)))
""")


_REMOVE_CONFLICTS: Final = """
DELETE FROM sync.journal AS entry USING (
    SELECT DISTINCT row_key FROM sync.journal WHERE org_id = %(org_id)s AND table_name = %(table)s
        AND (before ->> 'entity_id' = ANY(%(ids)s) OR after ->> 'entity_id' = ANY(%(ids)s))
    UNION SELECT jsonb_build_object('id', id) FROM sync.conflicts WHERE org_id = %(org_id)s AND entity_id = ANY(%(ids)s)
) AS theirs
WHERE entry.org_id = %(org_id)s AND entry.table_name = %(table)s AND entry.row_key = theirs.row_key
"""


def redact_journal(
    cursor: Cursor[Any], records: PersonRecords, entities: PersonEntities, erasure_id: str
) -> dict[str, int]:
    """Remove the person from the journal, and the erasure's own entries; returns counts."""
    removed = _remove_raw(cursor, records) + _remove_openfaith(cursor, records.org_id, entities)
    asked = {"org_id": records.org_id, "erasure_id": erasure_id}
    redacted = cursor.execute(_REDACT, asked).rowcount + _redact_former(cursor, records)
    cursor.execute("DELETE FROM sync.journal WHERE org_id = %(org_id)s AND sync_id = %(erasure_id)s", asked)
    return {"sync.journal": removed, "references in sync.journal": redacted}


def _remove_raw(cursor: Cursor[Any], records: PersonRecords) -> int:
    removed = 0
    for stream in STREAMS.values():
        targets = dict(linked_targets(stream))
        own = records.ids(stream)
        removed += _remove(cursor, records.org_id, stream.raw_table, "id", own)
        for name in stream.links:
            table = link_rows(stream, name).full_name
            removed += _remove(cursor, records.org_id, table, "id", own)
            removed += _remove(
                cursor, records.org_id, table, "related_id", sorted(records.own.get(targets.get(name, ""), ()))
            )
    return removed


def _remove_openfaith(cursor: Cursor[Any], org_id: str, entities: PersonEntities) -> int:
    def named(table: str) -> str:
        return f"{entities.schema}.{CANONICAL_PREFIX}{table}"

    removed = sum(_remove(cursor, org_id, named(table), "id", sorted(ids)) for table, ids in entities.by_table.items())
    for end in ("sourceEntityId", "targetEntityId"):
        removed += _remove(cursor, org_id, named("edges"), end, entities.ids)
    for (adapter, tag), external in entities.links.items():
        removed += cursor.execute(
            "DELETE FROM sync.journal WHERE org_id = %s AND table_name = %s AND row_key ->> 'adapter' = %s"
            " AND row_key ->> 'entityType' = %s AND row_key ->> 'externalId' = ANY(%s)",
            (org_id, named("externalLinks"), adapter, tag, sorted(external)),
        ).rowcount
    # Conflicts of the person's fields, with both values: only whole rows name the entity.
    removed += _remove(cursor, org_id, LOCAL_EDITS.full_name, "entity_id", entities.ids)
    asked = {"org_id": org_id, "table": CONFLICTS.full_name, "ids": entities.ids}
    return removed + cursor.execute(_REMOVE_CONFLICTS, asked).rowcount


def _remove(cursor: Cursor[Any], org_id: str, table: str, key: str, ids: list[str]) -> int:
    if not ids:
        return 0
    statement = _REMOVE.format(key=sql.Literal(key))
    return cursor.execute(statement, {"org_id": org_id, "table": table, "ids": ids}).rowcount


def _redact_former(cursor: Cursor[Any], records: PersonRecords) -> int:
    redacted = 0
    for stream in STREAMS.values():
        for name in stream.belongs_to:
            columns = [f"{name}_id", f"{name}_type", "_extra", *PERSONAL.of(stream).describes.get(name, ())]
            statement = _REDACT_FORMER.format(id=sql.Literal(f"{name}_id"), type=sql.Literal(f"{name}_type"))
            for ids, types in records.named_through(stream, name):
                asked = {"ids": ids, "types": types, "columns": columns}
                table = {"org_id": records.org_id, "table": stream.raw_table}
                redacted += cursor.execute(statement, {**asked, **table}).rowcount
    return redacted
