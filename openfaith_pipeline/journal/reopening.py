"""Let one conflict of a field wait when a sync is undone.

Undoing a decision lets its conflict wait again. Since then a later sync may have found another one of the same field,
with what the source said last. That one stays, and follows the source; the older is settled by the rollback.
"""

from collections.abc import Sequence
from typing import Final

from psycopg import sql

from openfaith_pipeline.journal.tables import CONFLICTS
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


def settle_outdated(undoings: Sequence[Undoing], *, overwrite: bool) -> None:
    """Do not open conflicts again where another one of the field waits. Call before any `apply`."""
    for conflicts in (undoing for undoing in undoings if undoing.table == CONFLICTS):
        conflicts.execute(_SETTLE.format(**conflicts.names, chosen=conflicts.chosen(overwrite=overwrite)))
