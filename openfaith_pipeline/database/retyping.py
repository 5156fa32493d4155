"""Columns that a newer catalog declares with another type: convert their values, in rows and in the journal.

The rules are those of `load/values.py`. Afterwards a value that fits is in the column, even one that did not fit the
old type and was kept in `_extra`; a value that does not fit the new type is kept in `_extra`. The journal's images are
converted the same way, so that rolling back an older sync afterwards gives the same rows as rolling back first.
"""

from collections.abc import Mapping
from typing import Any, Final

from psycopg import Connection, sql
from sqlalchemy import Table

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database.adoption import FITTING
from openfaith_pipeline.database.raw_tables import TYPES, type_name
from openfaith_pipeline.database.table_names import STAGING_SCHEMA

OLD_TYPES: Final = frozenset({"double precision", *map(type_name, TYPES.values())})
"""Types that a column may have had before."""

# All of these functions are temporary and disappear with the connection. A column's value in the source's format, with
# times in UTC.
_AS_SENT: Final = r"""
CREATE OR REPLACE FUNCTION pg_temp.as_sent(value jsonb, was text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT CASE WHEN was = 'timestamp with time zone' AND jsonb_typeof(value) = 'string'
        THEN to_jsonb(regexp_replace(value #>> '{}', '\+00:00$', 'Z')) ELSE value END
$$
"""

# extra: the current `_extra`; held: the columns as JSON. Returns the columns in their new types, and the new `_extra`.
_RETYPED: Final = sql.SQL("""
DECLARE
    rest jsonb := nullif(extra, 'null');
    columns jsonb := '{{}}';
    sent jsonb;
    fitting jsonb;
BEGIN
    {moves}
    RETURN columns || jsonb_build_object('_extra', nullif(rest, '{{}}'));
END""")
_MOVE: Final = sql.SQL("""
    sent := coalesce(nullif(pg_temp.as_sent(held -> {name}, {was}), 'null'), nullif(rest -> {name}, 'null'));
    fitting := pg_temp.fitting(sent, {becomes});
    rest := CASE WHEN fitting IS NULL AND sent IS NOT NULL
        THEN coalesce(rest, '{{}}') || jsonb_build_object({name}, sent) ELSE rest - {name} END;
    columns := columns || jsonb_build_object({name}, fitting);""")
_CREATE_RETYPED: Final = sql.SQL(
    "CREATE OR REPLACE FUNCTION pg_temp.retyped(extra jsonb, held jsonb) RETURNS jsonb LANGUAGE plpgsql AS {}"
)

# `_extra` of the row at the time of an entry that does not include it, from the next entry that does.
_EXTRA_THEN: Final = sql.SQL("""
CREATE OR REPLACE FUNCTION pg_temp.extra_then(entry sync.journal) RETURNS jsonb STABLE LANGUAGE sql AS $$
    SELECT coalesce((
        SELECT coalesce((later.before -> '_extra')::jsonb, 'null') FROM sync.journal AS later
        WHERE later.org_id = entry.org_id AND later.table_name = entry.table_name AND later.row_key = entry.row_key
            AND later.id > entry.id AND (later.before -> '_extra') IS NOT NULL
        ORDER BY later.id LIMIT 1
    ), (
        SELECT coalesce(_extra, 'null') FROM {table} AS present
        WHERE present.org_id = entry.org_id AND present.id = entry.row_key ->> 'id'
    ))
$$""")

# One image of an entry. unknown: columns that are neither in the image nor in `_extra`.
_RETYPED_IMAGE: Final = """
CREATE OR REPLACE FUNCTION pg_temp.retyped_image(image jsonb, unknown text[], entry sync.journal)
RETURNS jsonb STABLE LANGUAGE plpgsql AS $$
DECLARE
    columns jsonb := pg_temp.retyped(image -> '_extra', image);
BEGIN
    IF NOT image ? '_extra' THEN
        IF columns -> '_extra' = 'null' THEN
            columns := columns - '_extra';
        ELSE
            columns := pg_temp.retyped(pg_temp.extra_then(entry), image);
        END IF;
    END IF;
    RETURN image || (columns - unknown);
END $$
"""

# Columns that are equal in both images did not change. If one image needs `_extra`, so does the other. STABLE: all of
# these see the journal as it was before the statement.
_RETYPED_IMAGES: Final = """
CREATE OR REPLACE FUNCTION pg_temp.retyped_images(entry sync.journal, names text[])
RETURNS jsonb[] STABLE LANGUAGE plpgsql AS $$
DECLARE
    before jsonb := entry.before;
    after jsonb := entry.after;
    unknown text[];
    same text[];
BEGIN
    unknown := ARRAY(SELECT name FROM unnest(names) AS name
        WHERE NOT coalesce(before ? name, after ? name)
            AND NOT coalesce(before -> '_extra' ? name, false) AND NOT coalesce(after -> '_extra' ? name, false));
    before := pg_temp.retyped_image(before, unknown, entry);
    after := pg_temp.retyped_image(after, unknown, entry);
    IF before IS NOT NULL AND after IS NOT NULL THEN
        IF (before ? '_extra') <> (after ? '_extra') THEN
            before := jsonb_build_object('_extra', pg_temp.extra_then(entry)) || before;
            after := jsonb_build_object('_extra', pg_temp.extra_then(entry)) || after;
        END IF;
        same := ARRAY(SELECT key FROM jsonb_each(before) WHERE value = after -> key);
        RETURN ARRAY[before - same, after - same];
    END IF;
    RETURN ARRAY[before, after];
END $$
"""

_CHANGE_HISTORY: Final = sql.SQL("""
UPDATE sync.journal SET (before, after) = (
    SELECT images[1]::json, images[2]::json FROM pg_temp.retyped_images(journal, {names}) AS images)
WHERE table_name = {table_name} AND EXISTS (
    SELECT FROM (VALUES (before::jsonb), (after::jsonb)) AS image (fields)
    WHERE fields ?| {names} OR fields -> '_extra' ?| {names})""")

_CHANGE: Final = sql.SQL(
    "ALTER TABLE {table} {columns},"
    " ALTER COLUMN _extra TYPE jsonb USING nullif(pg_temp.retyped(_extra, {held}) -> '_extra', 'null')"
)
_CHANGE_COLUMN: Final = sql.SQL("ALTER COLUMN {name} TYPE {type} USING {value}")

# Quarantine entries for values that fit now are resolved, once their sync has published.
_SETTLE: Final = sql.SQL("""
UPDATE sync.quarantine AS held SET resolved_at = now() FROM {table} AS present
WHERE held.stream = {stream} AND held.field = {field} AND held.resolved_at IS NULL
    AND present.org_id = held.org_id AND present.id = held.record_id AND present.{name} IS NOT NULL
    AND EXISTS (
        SELECT FROM sync.stream_syncs AS done WHERE done.sync_id = held.sync_id AND done.org_id = held.org_id
            AND done.stream = held.stream AND done.status IN ('succeeded', 'incomplete'))""")

# Earlier versions left such values empty: records with open entries about these columns are read again by the next
# sync.
_READ_AGAIN: Final = sql.SQL("""
UPDATE sync.stream_states AS state SET last_full_at = NULL
WHERE state.stream = {stream} AND EXISTS (
    SELECT FROM sync.quarantine AS held WHERE held.org_id = state.org_id AND held.stream = state.stream
        AND held.field = ANY({fields}) AND held.resolved_at IS NULL)""")


def retype_columns(connection: Connection[Any], stream: Stream, table: Table, old_types: Mapping[str, str]) -> None:
    """Change columns of a raw or staging table to the declared types, in the caller's transaction.

    old_types: Postgres' name of the current type, by column.
    """
    connection.execute(FITTING)
    connection.execute(_AS_SENT)
    connection.execute(_CREATE_RETYPED.format(sql.Literal(_body(table, old_types).as_string(connection))))
    names = {"table": sql.Identifier(str(table.schema), table.name), "names": sql.Literal(sorted(old_types))}
    if table.schema == STAGING_SCHEMA:
        connection.execute(_alteration(table, old_types))
        return
    # A concurrent rollback must read table and journal both before this, or both after it.
    connection.execute(sql.SQL("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE").format(**names))
    for function in (_EXTRA_THEN.format(**names), _RETYPED_IMAGE, _RETYPED_IMAGES):
        connection.execute(function)
    connection.execute(_CHANGE_HISTORY.format(table_name=sql.Literal(table.fullname), **names))
    connection.execute(_alteration(table, old_types))
    _settle(connection, stream, table, old_types)


def _body(table: Table, old_types: Mapping[str, str]) -> sql.Composed:
    moves = [
        _MOVE.format(name=sql.Literal(name), was=sql.Literal(was), becomes=sql.Literal(type_name(table.c[name].type)))
        for name, was in sorted(old_types.items())
    ]
    return _RETYPED.format(moves=sql.SQL("").join(moves))


def _alteration(table: Table, old_types: Mapping[str, str]) -> sql.Composed:
    """ALTER TABLE for all columns in a single statement, so that the table is rewritten only once."""
    held = sql.SQL("jsonb_build_object({})").format(
        sql.SQL(", ").join(
            sql.SQL("{}, to_jsonb({})").format(sql.Literal(name), sql.Identifier(name)) for name in sorted(old_types)
        )
    )
    columns = [
        _CHANGE_COLUMN.format(
            name=sql.Identifier(name),
            type=sql.SQL(type_name(table.c[name].type)),
            value=_value(name, type_name(table.c[name].type), held),
        )
        for name in sorted(old_types)
    ]
    name = sql.Identifier(str(table.schema), table.name)
    return _CHANGE.format(table=name, columns=sql.SQL(", ").join(columns), held=held)


def _value(name: str, becomes: str, held: sql.Composable) -> sql.Composable:
    if becomes == "jsonb":
        return sql.SQL("nullif(pg_temp.retyped(_extra, {}) -> {}, 'null')").format(held, sql.Literal(name))
    return sql.SQL("(pg_temp.retyped(_extra, {}) ->> {})::{}").format(held, sql.Literal(name), sql.SQL(becomes))


def _settle(connection: Connection[Any], stream: Stream, table: Table, old_types: Mapping[str, str]) -> None:
    of_stream = {"table": sql.Identifier(str(table.schema), table.name), "stream": sql.Literal(stream.name)}
    for name in old_types:
        connection.execute(_SETTLE.format(name=sql.Identifier(name), field=sql.Literal(name), **of_stream))
    connection.execute(_READ_AGAIN.format(fields=sql.Literal(sorted(old_types)), **of_stream))
