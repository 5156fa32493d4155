"""A write and its journal entries in one statement: neither exists without the other.

The outer part of a statement sees the table as it was before the statement, so a join with the written rows gives the
image before. Where others may change the rows at the same time (people edit the canonical tables), the writer must lock
them first: a statement that waited for another transaction would overwrite its change but see the row from before it.
"""

from enum import StrEnum
from functools import cache
from typing import Final, LiteralString

from psycopg import sql

from openfaith_pipeline.journal.tables import JournaledTable


class Write(StrEnum):
    """Kind of statement, by its effect on rows."""

    INSERT = "insert"
    """Inserts only (ON CONFLICT DO NOTHING skips existing rows): there is no image before."""
    CHANGE = "change"
    """UPDATE, or INSERT ... ON CONFLICT DO UPDATE."""
    REMOVE = "remove"
    """DELETE."""


_COLUMNS: Final = sql.SQL("(org_id, table_name, row_key, action, before, after, sync_id, cause)")

_INSERTED: Final = sql.SQL(
    "INSERT INTO sync.journal {columns}"
    " SELECT %(org_id)s, {table_name}, {key}, 'insert', NULL, to_json(written), %(sync_id)s, %(cause)s FROM {written}"
)
_REMOVED: Final = sql.SQL(
    "INSERT INTO sync.journal {columns}"
    " SELECT %(org_id)s, {table_name}, {key}, 'remove', to_json(written), NULL, %(sync_id)s, %(cause)s FROM {written}"
)
# An update keeps only the columns that differ. Comparing images as JSON includes columns that this version does not
# know.
_CHANGED: Final = sql.SQL("""
INSERT INTO sync.journal {columns}
SELECT %(org_id)s, {table_name}, image.key, {action}, image.differing -> 0,
    CASE WHEN image.differing IS NULL THEN to_json(image.written) ELSE image.differing -> 1 END,
    %(sync_id)s, %(cause)s
FROM (
    SELECT key, present, written, CASE WHEN was IS NOT NULL THEN (
        SELECT json_build_array(
            coalesce(json_object_agg(field.key, was -> field.key), '{{}}'),
            coalesce(json_object_agg(field.key, field.value), '{{}}'))
        FROM jsonb_each(is_now) AS field WHERE was -> field.key <> field.value {deletion}
    ) END AS differing
    FROM (
        SELECT {key} AS key, present, written, to_jsonb(present) AS was,
            CASE WHEN present.{org} IS NOT NULL THEN to_jsonb(written) END AS is_now
        FROM {written} LEFT JOIN {table} AS present ON present.{org} = %(org_id)s AND {same_row}
        OFFSET 0
    ) AS row
    OFFSET 0
) AS image""")
_ACTION: Final = sql.SQL("CASE WHEN image.differing IS NULL THEN 'insert' {tombstones} ELSE 'update' END")
_TOMBSTONES: Final = sql.SQL(
    "WHEN (image.present).{deleted} IS NULL AND (image.written).{deleted} IS NOT NULL THEN 'delete'"
    " WHEN (image.present).{deleted} IS NOT NULL AND (image.written).{deleted} IS NULL THEN 'restore'"
)

_OF_DELETION: Final = sql.SQL(
    "OR {key} IN ({deleted}, {deleted_by}) AND ({was} -> {deleted}, {was} -> {deleted_by})"
    " IS DISTINCT FROM ({is_now} -> {deleted}, {is_now} -> {deleted_by})"
)


def journaled(table: JournaledTable, write: sql.Composable, does: Write = Write.CHANGE) -> sql.Composed:
    """Wrap `write` in one statement that also journals each row it writes; its row count is the number of rows written.

    write: an INSERT, UPDATE or DELETE that calls its table `target` (`INSERT INTO t AS target`, `UPDATE t AS target`),
        without RETURNING. All rows must belong to one org.
    Statement parameters, besides those of `write`: org_id, sync_id, cause.
    """
    return sql.SQL("WITH written AS ({} RETURNING target.*) {}").format(write, entries_of(table, does))


@cache
def entries_of(table: JournaledTable, does: Write = Write.CHANGE) -> sql.Composed:
    """INSERT of journal entries for the rows of a CTE named `written`, which must return all columns of its table."""
    key = [sql.SQL("{}, written.{}").format(sql.Literal(name), sql.Identifier(name)) for name in table.key]
    same_row = [sql.SQL("present.{0} = written.{0}").format(sql.Identifier(name)) for name in table.key]
    statement = {Write.INSERT: _INSERTED, Write.CHANGE: _CHANGED, Write.REMOVE: _REMOVED}[does]
    return statement.format(
        columns=_COLUMNS,
        table_name=sql.Literal(table.full_name),
        key=sql.SQL("jsonb_build_object({})").format(sql.SQL(", ").join(key)),
        action=_ACTION.format(tombstones=_tombstones(table)),
        deletion=or_of_deletion(table, "field.key", "was", "is_now"),
        written=sql.Identifier("written"),
        table=table.identifier,
        org=sql.Identifier(table.org),
        same_row=sql.SQL(" AND ").join(same_row),
    )


def or_of_deletion(
    table: JournaledTable, key: LiteralString, was: LiteralString, is_now: LiteralString
) -> sql.Composable:
    """SQL: `OR` whether the key is of a deletion that differs between two images, in its moment or in who did it."""
    if table.deleted_by is None:
        return sql.SQL("")
    return _OF_DELETION.format(
        key=sql.SQL(key),
        was=sql.SQL(was),
        is_now=sql.SQL(is_now),
        deleted=sql.Literal(table.deleted),
        deleted_by=sql.Literal(table.deleted_by),
    )


def _tombstones(table: JournaledTable) -> sql.Composable:
    return _TOMBSTONES.format(deleted=sql.Identifier(table.deleted)) if table.deleted else sql.SQL("")
