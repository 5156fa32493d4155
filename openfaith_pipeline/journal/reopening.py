"""Let one conflict of a field wait when a sync is undone.

Undoing a decision lets its conflict wait again. Since then a later sync may have found another one of the same field,
with a newer value of the source. That one stays, and the older is settled by the rollback. No trigger notes changes of
conflicts for the transform.
"""

from collections.abc import Sequence
from typing import Final

from psycopg import sql

from openfaith_pipeline.database.canonical_tables import CANONICAL_PREFIX
from openfaith_pipeline.journal.tables import CONFLICTS, LOCAL_EDITS
from openfaith_pipeline.journal.undoing import Undoing

_SETTLE: Final = sql.SQL("""
UPDATE pg_temp.{undoing} AS again SET image = again.image || settled.columns, after = again.after || settled.columns
FROM (
    SELECT coalesce(to_jsonb(present), '{{}}') || undoing.image AS row
    FROM pg_temp.{undoing} AS undoing
    LEFT JOIN sync.conflicts AS present ON present.org_id = %(org_id)s AND present.id = undoing.row_key ->> 'id'
    WHERE NOT undoing.is_new AND undoing.image -> 'decision' = 'null' AND {chosen}
) AS opened, (
    SELECT jsonb_build_object('decision', 'settled', 'decided_at', now(), 'decided_by', %(sync_id)s::text) AS columns
) AS settled
WHERE again.row_key ->> 'id' = opened.row ->> 'id' AND EXISTS (
    SELECT FROM sync.conflicts AS waiting
    WHERE waiting.org_id = %(org_id)s AND waiting.decision IS NULL AND waiting.id <> opened.row ->> 'id'
        AND waiting.entity_table = opened.row ->> 'entity_table' AND waiting.entity_id = opened.row ->> 'entity_id'
        AND waiting.field = opened.row ->> 'field' AND NOT EXISTS (
            SELECT FROM pg_temp.{undoing} AS undoing WHERE undoing.row_key ->> 'id' = waiting.id AND {chosen}
                AND (undoing.is_new OR undoing.image -> 'decision' <> 'null')))""")

_LOOK_AGAIN: Final = sql.SQL("""
INSERT INTO sync.untransformed (org_id, source, key)
SELECT DISTINCT %(org_id)s, {prefix} || noted.entity_table, ARRAY[noted.entity_id] FROM {noted} AS noted""")
_WAITING: Final = sql.SQL("""(
    SELECT conflict.entity_table, conflict.entity_id FROM sync.conflicts AS conflict
    JOIN pg_temp.{undoing} AS undoing ON undoing.row_key ->> 'id' = conflict.id
    WHERE conflict.org_id = %(org_id)s AND conflict.decision IS NULL)""")
_EDITED: Final = sql.SQL(
    "(SELECT row_key ->> 'entity_table' AS entity_table, row_key ->> 'entity_id' AS entity_id FROM pg_temp.{undoing})"
)


def settle_outdated(undoings: Sequence[Undoing], *, overwrite: bool) -> None:
    """Do not open conflicts again where another one of the field waits. Call before any `apply`."""
    for conflicts in (undoing for undoing in undoings if undoing.table == CONFLICTS):
        conflicts.execute(_SETTLE.format(**conflicts.names, chosen=conflicts.chosen(overwrite=overwrite)))


def look_again(undoings: Sequence[Undoing]) -> None:
    """Have the next transform judge these again, even where their rows are unchanged. Call after every `apply`."""
    for noted, table in ((_WAITING, CONFLICTS), (_EDITED, LOCAL_EDITS)):
        for undoing in (undoing for undoing in undoings if undoing.table == table):
            rows = noted.format(**undoing.names)
            undoing.execute(_LOOK_AGAIN.format(prefix=sql.Literal(CANONICAL_PREFIX), noted=rows))
