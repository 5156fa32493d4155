"""Keep a field's value and its edit together when a sync is undone in part.

People's edits are noted by a trigger and not journaled. When a row is kept, an edit that the sync forgot by
writing the field must not be noted again: the field no longer has that edit's value. When a row is undone, an edit
made since is gone with its value; if it stayed noted, the restored value would count as a person's. A row can be as the
sync left it, and so undone in any mode, because a person wrote the same value again.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from psycopg import sql

from openfaith_pipeline.database.canonical_tables import CANONICAL_PREFIX
from openfaith_pipeline.journal.entities import is_entity
from openfaith_pipeline.journal.tables import LOCAL_EDITS
from openfaith_pipeline.journal.undoing import Undoing
from openfaith_pipeline.journal.writing import Write, journaled

# The part of an address before its dot is the column that holds the field.
_KEEP: Final = sql.SQL("""
UPDATE pg_temp.{edits} AS edit SET conflict = 'its row is kept'
FROM pg_temp.{undoing} AS kept JOIN pg_temp.{found} AS found USING (row_key)
WHERE edit.conflict IS NULL AND kept.conflict IS NOT NULL AND edit.row_key ->> 'entity_table' = {entity}
    AND edit.row_key ->> 'entity_id' = kept.row_key ->> 'id'
    AND (found.is_new OR found.after ? split_part(edit.row_key ->> 'field', '.', 1)
        AND sync.field_value(found.image, edit.row_key ->> 'field')
            IS DISTINCT FROM sync.field_value(found.after, edit.row_key ->> 'field'))""")

# An edit that the sync itself forgot or changed is restored from the journal.
_FORGET: Final = sql.SQL("""
DELETE FROM sync.local_edits AS target USING pg_temp.{undoing} AS undoing
WHERE {chosen} AND target.org_id = %(org_id)s AND target.entity_table = {entity}
    AND target.entity_id = undoing.row_key ->> 'id'
    AND (undoing.is_new OR undoing.before ? split_part(target.field, '.', 1)
        AND sync.field_value(undoing.before, target.field)
            IS DISTINCT FROM sync.field_value(coalesce(undoing.after, undoing.image), target.field))
    AND NOT EXISTS (
        SELECT FROM sync.journal AS entry WHERE entry.sync_id = %(undone)s AND entry.org_id = %(org_id)s
            AND entry.table_name = {table_name} AND entry.row_key = jsonb_build_object(
                'entity_table', target.entity_table, 'entity_id', target.entity_id, 'field', target.field))""")


def keep_edits_of_kept(undoings: Sequence[Undoing]) -> None:
    """Keep the edits, as they are noted, of the fields that the sync wrote in a row that is kept."""
    for edits in (undoing for undoing in undoings if undoing.table == LOCAL_EDITS):
        for rows in _rows(undoings):
            rows.execute(_KEEP.format(**rows.names, edits=edits.names["undoing"], entity=_entity(rows)))


def forget_undone_edits(undoings: Sequence[Undoing], *, overwrite: bool) -> None:
    """Forget the edits that were made since the sync and whose values are undone. Call before any `apply`."""
    for rows in _rows(undoings):
        chosen = rows.chosen(overwrite=overwrite)
        names = {**rows.names, "entity": _entity(rows), "chosen": chosen}
        names["table_name"] = sql.Literal(LOCAL_EDITS.full_name)
        rows.execute(journaled(LOCAL_EDITS, _FORGET.format(**names), Write.REMOVE))


def _rows(undoings: Sequence[Undoing]) -> Iterator[Undoing]:
    return (undoing for undoing in undoings if is_entity(undoing.table))


def _entity(rows: Undoing) -> sql.Literal:
    return sql.Literal(rows.table.name.removeprefix(CANONICAL_PREFIX))
