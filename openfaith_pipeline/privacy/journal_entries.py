"""The journal without a person: no entry of their rows, and no value of theirs in the entries of others.

A rollback works by the journal, so no older sync brings back rows without an entry. `as_of` shows the past without
them.
"""

from collections.abc import Sequence
from typing import Any, Final

from psycopg import Cursor, sql
from psycopg.types.json import Jsonb

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database.canonical_tables import CANONICAL_PREFIX
from openfaith_pipeline.database.table_names import raw_name
from openfaith_pipeline.journal.tables import CONFLICTS, LOCAL_EDITS, link_rows
from openfaith_pipeline.privacy.entities import canonical_name, entities_of
from openfaith_pipeline.privacy.local_edits import fed_columns
from openfaith_pipeline.privacy.openfaith_rows import PersonEntities
from openfaith_pipeline.privacy.person_records import PersonRecords
from openfaith_pipeline.privacy.raw_rows import linked_targets
from openfaith_pipeline.sources import CANONICAL, PERSONAL, STREAMS

_REMOVE: Final = sql.SQL("""
DELETE FROM sync.journal WHERE org_id = %(org_id)s AND table_name = %(table)s AND row_key ->> {key} = ANY(%(ids)s)
""")

# Older entries of a row changed by the erasure get the row's present values, so that no erased value is left, and
# a rollback finds the row in the state that it left. References stay: those to the person are cleared already, and by
# one to somebody else that person's values are found when they are erased.
_REDACT: Final = """
WITH made AS MATERIALIZED (
    SELECT table_name, row_key, sync.merge_images(after::jsonb ORDER BY id) AS now_is FROM sync.journal
    WHERE org_id = %(org_id)s AND sync_id = %(erasure_id)s AND after IS NOT NULL
    GROUP BY table_name, row_key
)
UPDATE sync.journal AS entry SET
    before = CASE WHEN entry.before IS NOT NULL THEN (
        SELECT coalesce(json_object_agg(key, CASE WHEN %(references)s::jsonb -> entry.table_name ? key THEN value
            ELSE coalesce(made.now_is -> key, value) END), '{}')
        FROM jsonb_each(entry.before::jsonb)) END,
    after = CASE WHEN entry.after IS NOT NULL THEN (
        SELECT coalesce(json_object_agg(key, CASE WHEN %(references)s::jsonb -> entry.table_name ? key THEN value
            ELSE coalesce(made.now_is -> key, value) END), '{}')
        FROM jsonb_each(entry.after::jsonb)) END
FROM made
WHERE entry.org_id = %(org_id)s AND entry.table_name = made.table_name AND entry.row_key = made.row_key
    AND entry.sync_id <> %(erasure_id)s
"""

_NAMES: Final = sql.SQL("""
coalesce({image} ->> {id} = ANY(%(ids)s)
    AND (%(types)s::text[] IS NULL OR coalesce({image} ->> {type} = ANY(%(types)s), true)), false)""")

# An entry has the changed columns only, and seldom the reference. The person that the row named then is in the
# nearest earlier entry with a reference, or else in the first later one. In images of a row while it named the person,
# the reference is cleared, and columns that describe them get the row's present values. `part` counts the entries with
# a reference.
_REDACT_NAMING: Final = sql.SQL("""
WITH naming AS MATERIALIZED (
    SELECT DISTINCT row_key FROM sync.journal
    WHERE org_id = %(org_id)s AND table_name = %(table)s AND ({before_names} OR {after_names})
), told AS (
    SELECT id, row_key, {before_names} AS was, {after_names} AS is_now,
        coalesce(before::jsonb ? {id}, false) OR coalesce(after::jsonb ? {id}, false) AS tells
    FROM sync.journal JOIN naming USING (row_key) WHERE org_id = %(org_id)s AND table_name = %(table)s
), parts AS (
    SELECT told.*, count(*) FILTER (WHERE tells) OVER (PARTITION BY row_key ORDER BY id) AS part FROM told
), known AS (
    SELECT parts.*, CASE WHEN part = 0 THEN bool_or(was) FILTER (WHERE tells AND part = 1) OVER (PARTITION BY row_key)
        ELSE bool_or(is_now) FILTER (WHERE tells) OVER (PARTITION BY row_key, part) END AS names
    FROM parts
), judged AS (
    SELECT id, row_key ->> 'id' AS record_id, CASE WHEN tells THEN was ELSE names END AS was,
        CASE WHEN tells THEN is_now ELSE names END AS is_now
    FROM known
)
UPDATE sync.journal AS entry SET
    before = CASE WHEN entry.before IS NULL OR judged.was IS NOT TRUE THEN entry.before ELSE {before} END,
    after = CASE WHEN entry.after IS NULL OR judged.is_now IS NOT TRUE THEN entry.after ELSE {after} END
FROM judged LEFT JOIN {raw} AS present ON present.org_id = %(org_id)s AND present.id = judged.record_id,
    LATERAL (SELECT to_jsonb(present) AS row) AS live
WHERE entry.org_id = %(org_id)s AND entry.table_name = %(table)s AND entry.id = judged.id
    AND (judged.was OR judged.is_now)
RETURNING judged.record_id
""")
_REDACTED: Final = sql.SQL("""(
        SELECT coalesce(json_object_agg(key, CASE WHEN key = ANY(%(names)s) THEN 'null'
            WHEN key = ANY(%(columns)s) THEN coalesce(live.row -> key, 'null') ELSE value END), '{{}}')
        FROM jsonb_each(entry.{image}::jsonb))""")

# The OpenFaith rows that were made of those: their fields were written by other syncs, and later.
_REDACT_MADE: Final = sql.SQL("""
UPDATE sync.journal AS entry SET
    before = CASE WHEN entry.before IS NOT NULL THEN {before} END,
    after = CASE WHEN entry.after IS NOT NULL THEN {after} END
FROM unnest(%(ids)s::text[]) AS made (id) LEFT JOIN {table} AS present USING (id),
    LATERAL (SELECT to_jsonb(present) AS row) AS live
WHERE entry.org_id = %(org_id)s AND entry.table_name = %(table)s AND entry.row_key ->> 'id' = made.id
    AND (entry.before::jsonb ?| %(columns)s::text[] OR entry.after::jsonb ?| %(columns)s::text[])
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
    asked = {"org_id": records.org_id, "erasure_id": erasure_id, "references": Jsonb(_references())}
    # In the other order, no entry would show any more that a row has named the person.
    redacted = _redact_naming(cursor, records) + cursor.execute(_REDACT, asked).rowcount
    cursor.execute("DELETE FROM sync.journal WHERE org_id = %(org_id)s AND sync_id = %(erasure_id)s", asked)
    return {"sync.journal": removed, "references in sync.journal": redacted}


def _references() -> dict[str, list[str]]:
    """By raw table, the columns of its to-one relationships."""
    return {
        stream.raw_table: [f"{name}_{part}" for name in stream.belongs_to for part in ("id", "type")]
        for stream in STREAMS.values()
    }


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


def _redact_naming(cursor: Cursor[Any], records: PersonRecords) -> int:
    """Redact the entries of rows that named the person, now or once, and of the OpenFaith rows made of them."""
    redacted = 0
    for stream in STREAMS.values():
        personal, about = PERSONAL.of(stream), set[str]()
        for name in stream.belongs_to:
            # A record that was theirs and is another's now was about them in everything.
            described = stream.columns if name in personal.erased_with else personal.describes.get(name, ())
            ids, number = _redact_named(cursor, records, stream, name, ("_extra", *described))
            redacted += number
            about |= ids if name in {*personal.erased_with, *personal.describes} else set()
        redacted += _redact_made(cursor, records, stream, about - {*records.ids(stream)})
    return redacted


def _redact_named(
    cursor: Cursor[Any], records: PersonRecords, stream: Stream, relationship: str, columns: Sequence[str]
) -> tuple[set[str], int]:
    """Redact the images of rows while they named the person; returns their ids, and the number of entries."""
    id, type = sql.Literal(f"{relationship}_id"), sql.Literal(f"{relationship}_type")
    before, after = sql.Identifier("before"), sql.Identifier("after")
    statement = _REDACT_NAMING.format(
        raw=raw_name(stream),
        id=id,
        before_names=_NAMES.format(image=before, id=id, type=type),
        after_names=_NAMES.format(image=after, id=id, type=type),
        before=_REDACTED.format(image=before),
        after=_REDACTED.format(image=after),
    )
    asked = {
        "org_id": records.org_id,
        "table": stream.raw_table,
        "names": [f"{relationship}_id", f"{relationship}_type"],
        "columns": list(columns),
    }
    found: list[str] = []
    for ids, types in records.named_through(stream, relationship):
        rows = cursor.execute(statement, {**asked, "ids": ids, "types": types}).fetchall()
        found += [identifier for (identifier,) in rows]
    return {*found}, len(found)


def _redact_made(cursor: Cursor[Any], records: PersonRecords, stream: Stream, ids: set[str]) -> int:
    entity, personal = CANONICAL.entities.get(stream.name), PERSONAL.of(stream)
    if entity is None or not ids:
        return 0
    described = [name for names in personal.describes.values() for name in names]
    attributes = [*stream.attributes] if personal.erased_with else described
    statement = _REDACT_MADE.format(
        table=canonical_name(records.schema, entity.table),
        before=_REDACTED.format(image=sql.Identifier("before")),
        after=_REDACTED.format(image=sql.Identifier("after")),
    )
    asked = {
        "org_id": records.org_id,
        "table": f"{records.schema}.{CANONICAL_PREFIX}{entity.table}",
        "ids": entities_of(cursor, records.org_id, records.schema, entity, ids),
        "names": list[str](),
        "columns": fed_columns(entity, attributes, [*personal.erased_with, *personal.describes]),
    }
    return cursor.execute(statement, asked).rowcount
