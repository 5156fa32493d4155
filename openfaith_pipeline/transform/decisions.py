"""A person's decisions of conflicts, as writes: of the row, of the noted edit and of the conflict itself."""

from collections.abc import Sequence
from typing import Final

from psycopg import sql

from openfaith_pipeline.canonical.addresses import column_of
from openfaith_pipeline.journal import CONFLICTS, LOCAL_EDITS, Write, journaled
from openfaith_pipeline.transform.workspace import Workspace

_DECIDED: Final = sql.SQL("d.org_id = %(org_id)s AND d.id = ANY(%(ids)s) AND d.decision IS NULL")
_FIELDS: Final = sql.SQL("SELECT DISTINCT entity_table, field FROM sync.conflicts d WHERE {}").format(_DECIDED)
_ROWS: Final = sql.SQL("""
sync.conflicts d
WHERE {decided} AND d.entity_table = {name} AND d.field = {field} AND target."orgId" = %(org_id)s
    AND target.id = d.entity_id""")
# The value in the column's own type: the conflict has it as JSON.
_TAKEN: Final = sql.SQL("""
{column} = (
    SELECT taken.{column} FROM jsonb_populate_record(
        NULL::{table}, sync.put_fields(to_jsonb(target), jsonb_build_object(d.field, d.source))) AS taken)""")
_STALE: Final = sql.SQL("sync.field_value(to_jsonb(target), d.field) <> d.local")
_SAME_EDIT: Final = sql.SQL(
    "target.org_id = d.org_id AND target.entity_table = d.entity_table AND target.entity_id = d.entity_id"
    " AND target.field = d.field"
)
_FORGET: Final = sql.SQL("DELETE FROM sync.local_edits AS target USING sync.conflicts d WHERE {} AND {}").format(
    _SAME_EDIT, _DECIDED
)
_HEED: Final = sql.SQL(
    "UPDATE sync.local_edits AS target SET base = d.source FROM sync.conflicts d WHERE {} AND {}"
    " AND target.base <> d.source"
).format(_SAME_EDIT, _DECIDED)
_CLOSE: Final = sql.SQL(
    "UPDATE sync.conflicts AS target SET decision = %(decision)s, decided_at = now(), decided_by = %(who)s"
    " WHERE target.org_id = %(org_id)s AND target.id = ANY(%(ids)s) AND target.decision IS NULL"
)


def take_source(workspace: Workspace, ids: Sequence[str], who: str) -> int:
    """Write the source's values; returns how many local values are no longer those that the decision is about.

    Where there are any, nothing is decided.
    """
    fields = workspace.rows(_FIELDS, ids=list(ids))
    found = [(table, field, _rows_of(table, field)) for table, field in fields]
    stale = sum(workspace.lock(table, rows, _STALE, ids=list(ids))[1] for table, _, rows in found)
    if stale:
        return stale
    for table, field, rows in found:
        assignment = _TAKEN.format(column=sql.Identifier(column_of(field)), table=workspace.canonical(table))
        workspace.update_locked(table, assignment, rows, ids=list(ids))
    workspace.execute(journaled(LOCAL_EDITS, _FORGET, Write.REMOVE), ids=list(ids))
    _close(workspace, ids, "approved", who)
    return 0


def keep_local(workspace: Workspace, ids: Sequence[str], who: str) -> None:
    """Leave the rows, and stop asking about these values of the source."""
    workspace.execute(journaled(LOCAL_EDITS, _HEED), ids=list(ids))
    _close(workspace, ids, "rejected", who)


def _rows_of(table: str, field: str) -> sql.Composed:
    return _ROWS.format(decided=_DECIDED, name=sql.Literal(table), field=sql.Literal(field))


def _close(workspace: Workspace, ids: Sequence[str], decision: str, who: str) -> None:
    workspace.execute(journaled(CONFLICTS, _CLOSE), ids=list(ids), decision=decision, who=who)
