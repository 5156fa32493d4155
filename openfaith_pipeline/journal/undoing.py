"""Undo the changes of one sync to one table of one org: find them in the journal, then apply the opposite.

A row is in conflict when undoing later journal entries would change it too, or when a column that the sync wrote now
holds another value (changes made by people are not journaled). Later changes that were themselves undone leave the row
as the sync left it and cause no conflict.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import Cursor, sql

from openfaith_pipeline.journal.tables import JournaledTable
from openfaith_pipeline.journal.writing import Write, journaled, or_of_deletion

# Changes that are not undone yet: the sync may have been rolled back in part, or run again under its id.
# before, after: the columns that the sync changed. image: the row as it was, unless something changed it since.
# image_if_absent: the same without the entries since the row was made anew. Most
# rows have one entry and no later ones: these need no sorting, and images are wide.
_FIND = sql.SQL("""
CREATE TEMP TABLE {found} ON COMMIT DROP AS
WITH own AS MATERIALIZED (
    SELECT id, row_key, action, before::jsonb AS before, after::jsonb AS after
    FROM sync.journal WHERE sync_id = %(undone)s AND org_id = %(org_id)s AND table_name = {table_name}
        AND id > (
            SELECT coalesce(max(entry.id), 0) FROM sync.rollbacks AS earlier
            JOIN sync.journal AS entry ON entry.sync_id = earlier.rollback_id AND entry.org_id = earlier.org_id
            WHERE earlier.sync_id = %(undone)s AND earlier.org_id = %(org_id)s AND earlier.undone_at IS NULL
                AND entry.table_name = {table_name})
), changed AS MATERIALIZED (
    SELECT row_key, min(id) AS first_id, count(*) = 1 AS is_single FROM own GROUP BY row_key
), done AS MATERIALIZED (
    SELECT row_key, true AS is_single, action = 'insert' AS is_new, action = 'remove' AS is_removed,
        coalesce(before, '{{}}') AS before, coalesce(after, '{{}}') AS after
    FROM changed JOIN own USING (row_key) WHERE is_single
    UNION ALL
    SELECT row_key, false,
        (array_agg(action ORDER BY id))[1] = 'insert', (array_agg(action ORDER BY id DESC))[1] = 'remove',
        sync.merge_images(before ORDER BY id DESC), sync.merge_images(after ORDER BY id)
    FROM changed JOIN own USING (row_key) WHERE NOT is_single GROUP BY row_key
), disputed AS MATERIALIZED (
    SELECT DISTINCT row_key, first_id FROM sync.journal AS entry JOIN changed USING (row_key)
    WHERE entry.org_id = %(org_id)s AND entry.table_name = {table_name} AND entry.id >= first_id
        AND entry.id >= (SELECT min(first_id) FROM changed) AND entry.sync_id <> %(undone)s
), since AS MATERIALIZED (
    SELECT row_key, sync.merge_images(entry.before::jsonb ORDER BY entry.id DESC) AS image,
        sync.merge_images(entry.before::jsonb ORDER BY entry.id DESC)
            FILTER (WHERE made_anew IS NULL OR entry.id < made_anew) AS image_if_absent,
        sync.merge_images(entry.before::jsonb ORDER BY entry.id DESC)
            FILTER (WHERE entry.sync_id <> %(undone)s) AS before_others,
        (array_agg(entry.action ORDER BY entry.id)
            FILTER (WHERE entry.sync_id <> %(undone)s))[1] = 'insert' AS was_absent,
        array_agg(DISTINCT entry.cause || ' ' || entry.sync_id)
            FILTER (WHERE entry.sync_id <> %(undone)s) AS changed_by
    FROM (
        SELECT *, min(id) FILTER (WHERE action = 'insert') OVER (PARTITION BY row_key) AS made_anew
        FROM disputed JOIN sync.journal AS entry USING (row_key)
        WHERE entry.org_id = %(org_id)s AND entry.table_name = {table_name} AND entry.id >= first_id
            AND entry.id >= (SELECT min(first_id) FROM disputed)
    ) AS entry
    GROUP BY row_key
)
SELECT done.row_key, done.is_single, done.is_new, done.is_removed, done.after,
    coalesce(since.image, done.before) AS image, coalesce(since.image_if_absent, done.before) AS image_if_absent,
    since.before_others, since.was_absent, since.changed_by
FROM done LEFT JOIN since USING (row_key)""")

# An upgrade that adds columns moves values in the table and in the journal. The lock makes us read both before or
# after.
_HOLD = sql.SQL("LOCK TABLE {table} IN ROW SHARE MODE")

# People may change canonical rows meanwhile; the rows compared next are the rows that will be written.
_LOCK = sql.SQL(
    "SELECT count(*) FROM (SELECT FROM {table} AS target, pg_temp.{found} AS found WHERE {same_as_found}"
    " FOR UPDATE OF target) AS locked"
)
# A row with a single entry whose image still matches needs no second look: its before and after are the entry's.
# `after` is null if it equals the image.
_COMPARE = sql.SQL("""
CREATE TEMP TABLE {undoing} ON COMMIT DROP AS
SELECT row_key, is_new, CASE WHEN present IS NULL THEN image_if_absent ELSE image END AS image,
    present IS NOT NULL AS is_present, conflict,
    CASE WHEN is_as_told THEN judged.after ELSE differing.before END AS before,
    CASE WHEN NOT is_as_told THEN differing.after END AS after
FROM (
    SELECT *, conflict IS NULL AND changed_by IS NULL AND is_single AND NOT is_new AS is_as_told
    FROM (
        SELECT *, CASE
            WHEN changed_by IS NOT NULL
                AND ((present IS NULL) <> was_absent OR NOT was_absent AND present || before_others <> present)
            THEN array_to_string(changed_by, ', ')
            WHEN (present IS NULL) <> is_removed OR present || after <> present THEN 'a person'
            END AS conflict
        FROM (
            SELECT found.*, to_jsonb(target) AS present
            FROM pg_temp.{found} AS found LEFT JOIN {table} AS target ON {same_as_found}
            OFFSET 0
        ) AS compared OFFSET 0
    ) AS compared
) AS judged, LATERAL (
    SELECT coalesce(jsonb_object_agg(key, present -> key), '{{}}') AS before,
        coalesce(jsonb_object_agg(key, value), '{{}}') AS after
    FROM jsonb_each(CASE WHEN NOT is_new AND NOT is_as_told THEN image END) WHERE present -> key <> value {deletion}
) AS differing""")

# Only the columns that joins need: the images are wide.
_ANALYZE_FOUND = sql.SQL("ANALYZE pg_temp.{found} (row_key)")
_ANALYZE = sql.SQL("ANALYZE pg_temp.{undoing} (row_key, is_new, is_present, conflict)")

_REMOVE = sql.SQL(
    "DELETE FROM {table} AS target USING pg_temp.{undoing} AS undoing WHERE {same_row} AND undoing.is_new AND {chosen}"
)
# The rows have been locked since they were compared, so the differences found then are the changes to make now.
_RESTORE = sql.SQL("""
WITH written AS (
    UPDATE {table} AS target
    SET ({columns}) = (SELECT {values} FROM jsonb_populate_record(target, undoing.image) AS past)
    FROM pg_temp.{undoing} AS undoing WHERE {same_row} AND NOT undoing.is_new AND {chosen}
    RETURNING undoing.row_key, undoing.before, coalesce(undoing.after, undoing.image) AS after
)
INSERT INTO sync.journal (org_id, table_name, row_key, action, before, after, sync_id, cause)
SELECT %(org_id)s, {table_name}, row_key, CASE
    WHEN before -> {deleted}::text = after -> {deleted}::text THEN 'update'
    WHEN before -> {deleted}::text = 'null' THEN 'delete'
    WHEN after -> {deleted}::text = 'null' THEN 'restore'
    ELSE 'update' END,
    before::json, after::json, %(sync_id)s, %(cause)s
FROM written""")
# The image is a whole row, with its key, only where a sync removed it. A row that a person removed stays so.
_RETURN = sql.SQL(
    "INSERT INTO {table} AS target ({all_columns}) SELECT {all_values} FROM pg_temp.{undoing} AS undoing,"
    " jsonb_populate_record(NULL::{table}, undoing.image) AS past"
    " WHERE NOT undoing.is_present AND NOT undoing.is_new AND undoing.image ?& {key} AND {chosen}"
)
_GONE = sql.SQL("SELECT count(*) FROM pg_temp.{undoing} WHERE NOT is_present AND NOT is_new AND NOT image ?& {key}")
_COLUMNS = sql.SQL("""
SELECT attname, attnotnull AND atttypid = 'jsonb'::regtype,
    attname IN (SELECT jsonb_object_keys(image) FROM pg_temp.{undoing} WHERE NOT is_new)
FROM pg_attribute WHERE attrelid = {relation}::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
ORDER BY attnum""")


@dataclass(frozen=True)
class Conflict:
    """A row changed since by somebody else. key: its key columns without the org.

    changed_by: causes and syncs, or users.
    """

    table: str
    key: Mapping[str, str]
    changed_by: str


@dataclass(frozen=True)
class Undone:
    """Row counts after undoing: reverted, removed, put back, and kept because of a conflict, or no longer there."""

    restored: int
    removed: int
    returned: int
    kept: int


@dataclass(frozen=True)
class Undoing:
    """The changes of one sync to one table of one org, undone in the caller's transaction.

    number: distinguishes the temporary tables of one transaction. parameters: org_id, `undone` (the sync), and the
    sync_id and cause of the undoing.
    """

    cursor: Cursor[tuple[Any, ...]]
    table: JournaledTable
    number: int
    parameters: Mapping[str, str]

    def find(self) -> int:
        """Collect the changes to undo and lock their rows. Returns the number of rows that the sync changed."""
        for statement in (_HOLD, _FIND, _ANALYZE_FOUND, _LOCK, _COMPARE):
            self.execute(statement.format(**self.names))
        found = self.cursor.rowcount
        self.execute(_ANALYZE.format(**self.names))
        return found

    def conflicts(self, limit: int) -> tuple[int, list[Conflict]]:
        """The number of rows in conflict, and the first `limit` of them."""
        self.execute(sql.SQL("SELECT count(*) FROM pg_temp.{undoing} WHERE conflict IS NOT NULL").format(**self.names))
        count = (self.cursor.fetchone() or (0,))[0]
        self.execute(
            sql.SQL(
                "SELECT row_key, conflict FROM pg_temp.{undoing} WHERE conflict IS NOT NULL ORDER BY row_key"
            ).format(**self.names)
        )
        return count, [Conflict(self.table.full_name, key, by) for key, by in self.cursor.fetchmany(limit)]

    def apply(self, *, overwrite: bool) -> Undone:
        """Restore the rows; those in conflict only with `overwrite`, if the journal has them whole."""
        kept = self._gone() if overwrite else self.conflicts(0)[0]
        names = {"chosen": self.chosen(overwrite=overwrite), **self._columns()}
        # In this order: a conflict waits again only once the one that the sync found in its place is gone.
        removed = self._write(_REMOVE, Write.REMOVE, names)
        restored = self._restore(names)
        returned = self._write(_RETURN, Write.INSERT, names)
        return Undone(restored, removed, returned, kept)

    @staticmethod
    def chosen(*, overwrite: bool) -> sql.SQL:
        """The condition of a row `undoing` that `apply` undoes."""
        return sql.SQL("true" if overwrite else "undoing.conflict IS NULL")

    def _gone(self) -> int:
        """Number of rows that stay removed."""
        self.execute(_GONE.format(**self.names))
        return int((self.cursor.fetchone() or (0,))[0])

    def _columns(self) -> dict[str, sql.Composable]:
        """SQL lists of the columns in any image, and of all columns, each with their values in the image `past`.

        An image does not tell a JSON null from no value: a column that must have a value has the former.
        """
        self.execute(_COLUMNS.format(**self.names))
        found = self.cursor.fetchall()
        changed = [(name, is_json) for name, is_json, is_changed in found if is_changed]
        both = {"": changed, "all_": [(name, is_json) for name, is_json, _ in found]}
        lists: dict[str, list[sql.Composable]] = {}
        for prefix, columns in both.items():
            lists[f"{prefix}columns"] = [sql.Identifier(name) for name, _ in columns]
            lists[f"{prefix}values"] = [_past(*column) for column in columns]
        return {name: sql.SQL(", ").join(parts) for name, parts in lists.items()}

    def _restore(self, names: Mapping[str, sql.Composable]) -> int:
        if not names["columns"].as_string(None):
            return 0
        self.cursor.execute(_RESTORE.format(**self.names, **names), self.parameters, prepare=False)
        return self.cursor.rowcount

    def _write(self, write: sql.SQL, does: Write, names: Mapping[str, sql.Composable]) -> int:
        statement = write.format(**self.names, **names)
        self.cursor.execute(journaled(self.table, statement, does), self.parameters, prepare=False)
        return self.cursor.rowcount

    def execute(self, statement: sql.Composed) -> None:
        """Execute with the undoing's parameters."""
        self.cursor.execute(statement, self.parameters, prepare=False)

    @property
    def names(self) -> dict[str, sql.Composable]:
        """Identifiers for statements: table `found` has the journal's changes, table `undoing` the changes to make."""
        table = self.table
        return {
            "undoing": sql.Identifier(f"undoing_{self.number}"),
            "found": sql.Identifier(f"found_{self.number}"),
            "table": table.identifier,
            "table_name": sql.Literal(table.full_name),
            "deleted": sql.Literal(table.deleted),
            "deletion": or_of_deletion(table, "key", "present", "(present || image)"),
            "relation": sql.Literal(table.identifier.as_string(None)),
            "key": sql.Literal(list(self.table.key)),
            "same_row": self._same_row("target", "undoing"),
            "same_as_found": self._same_row("target", "found"),
        }

    def _same_row(self, row: str, undoing: str) -> sql.Composable:
        org = sql.SQL("{} = %(org_id)s").format(sql.Identifier(row, self.table.org))
        key = [
            sql.SQL("{} = {} ->> {}").format(
                sql.Identifier(row, name), sql.Identifier(undoing, "row_key"), sql.Literal(name)
            )
            for name in self.table.key
        ]
        return sql.SQL(" AND ").join([org, *key])


def _past(column: str, is_json: bool) -> sql.Composable:
    past = sql.Identifier("past", column)
    return sql.SQL("coalesce({}, 'null')").format(past) if is_json else past
