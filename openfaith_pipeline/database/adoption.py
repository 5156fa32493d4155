"""Move values out of `_extra` into columns that a newer catalog declares for them, in rows and in the journal.

A value fits by the rules of `load/values.py`; one that does not stays in `_extra`, so nothing is lost. The content hash
stays as it was: the next whole listing counts such a row as updated once. The journal's images are moved the same way,
so that earlier entries can be read, and rolled back, as if the column had always been there.
"""

from collections.abc import Collection, Sequence
from typing import Any, Final

from psycopg import Connection, sql
from sqlalchemy import Table

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database.raw_tables import TYPES, type_name
from openfaith_pipeline.database.table_names import STAGING_SCHEMA

# All of these are temporary and disappear with the connection. The value as its column would give it as JSON, if it
# fits the type; otherwise NULL.
FITTING: Final = r"""
CREATE OR REPLACE FUNCTION pg_temp.fitting(value jsonb, type text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    kind text := jsonb_typeof(value);
    content text := value #>> '{}';
BEGIN
    IF value IS NULL OR kind = 'null' THEN RETURN NULL; END IF;
    IF type = 'jsonb' THEN RETURN value; END IF;
    IF kind NOT IN ('string', 'number', 'boolean') OR (kind = 'boolean') > (type IN ('boolean', 'text')) THEN
        RETURN NULL;
    END IF;
    CASE type
        WHEN 'text' THEN RETURN to_jsonb(content);
        WHEN 'boolean' THEN RETURN CASE WHEN kind = 'boolean' THEN value END;
        WHEN 'bigint' THEN
            RETURN CASE WHEN content::numeric = trunc(content::numeric) THEN to_jsonb(content::numeric::bigint) END;
        WHEN 'numeric' THEN RETURN CASE WHEN content ~ '^[-+]?[.\d]' THEN to_jsonb(content::numeric) END;
        WHEN 'date' THEN
            RETURN CASE WHEN content ~ '^\d{4}-\d\d-\d\d(T00:00:00Z)?$' THEN to_jsonb(content::date) END;
        WHEN 'timestamp with time zone' THEN
            RETURN CASE WHEN content ~ '^\d{4}-\d\d-\d\d' THEN to_jsonb(content::timestamptz) END;
    END CASE;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END $$
"""

# Value of each new column by name, null if `_extra` has none, and the remaining `_extra`. Unrolled for the columns
# of one table: a loop would take most of the time, while people wait for the table.
_ADOPTED: Final = sql.SQL("""
DECLARE
    rest jsonb := nullif(extra, 'null');
    columns jsonb := '{{}}';
    fitting jsonb;
BEGIN
    {moves}
    IF rest -> 'relationships' = '{{}}' THEN rest := rest - 'relationships'; END IF;
    RETURN columns || jsonb_build_object('_extra', nullif(rest, '{{}}'));
END""")
_ATTRIBUTE: Final = sql.SQL("""
    fitting := pg_temp.fitting(extra -> {name}, {type});
    columns := columns || jsonb_build_object({name}, fitting);
    IF fitting IS NOT NULL OR extra -> {name} = 'null' THEN rest := rest - {name}; END IF;""")
_RELATED: Final = sql.SQL("""
    columns := columns || jsonb_build_object(
        {column}, coalesce(extra #> ARRAY['relationships', {name}, {part}], columns -> {column}));
    rest := rest #- ARRAY['relationships', {name}];""")

_CREATE_ADOPTED: Final = sql.SQL(
    "CREATE OR REPLACE FUNCTION pg_temp.adopted(extra jsonb) RETURNS jsonb LANGUAGE plpgsql AS {}"
)

# The images of an entry, before and after. In an entry with both, a column that is equal in both did not change.
_ADOPTED_IMAGES: Final = """
CREATE OR REPLACE FUNCTION pg_temp.adopted_images(before jsonb, after jsonb) RETURNS jsonb[] LANGUAGE plpgsql AS $$
DECLARE
    past jsonb := CASE WHEN before ? '_extra' THEN before || pg_temp.adopted(before -> '_extra') ELSE before END;
    present jsonb := CASE WHEN after ? '_extra' THEN after || pg_temp.adopted(after -> '_extra') ELSE after END;
    same text[];
BEGIN
    IF past IS NOT NULL AND present IS NOT NULL THEN
        same := ARRAY(SELECT key FROM jsonb_each(past) WHERE value = present -> key);
        RETURN ARRAY[past - same, present - same];
    END IF;
    RETURN ARRAY[past, present];
END $$
"""

_MOVE: Final = sql.SQL("""
UPDATE {table} SET ({columns}, _extra) = (
    SELECT {columns}, _extra FROM jsonb_populate_record(NULL::{table}, pg_temp.adopted(_extra)))
WHERE _extra ?| {names} OR _extra -> 'relationships' ?| {relationship_names}""")

# A removed row may later be restored over another with its key, so its image must include every column.
_MOVE_HISTORY: Final = sql.SQL("""
UPDATE sync.journal SET (before, after) = (
    SELECT images[1]::json, images[2]::json FROM pg_temp.adopted_images(before::jsonb, after::jsonb) AS images)
WHERE table_name = {table_name} AND (action = 'remove' OR EXISTS (
    SELECT FROM (VALUES ((before -> '_extra')::jsonb), ((after -> '_extra')::jsonb)) AS image (extra)
    WHERE extra ?| {names} OR extra -> 'relationships' ?| {relationship_names}))""")


def adopt_extras(connection: Connection[Any], stream: Stream, table: Table, added: Collection[str]) -> None:
    """Fill the columns just added to a raw or staging table from `_extra`, where load keeps unknown attributes.

    For a raw table also in the journal. Must run in the transaction that added the columns, so that a session waiting
    for the table sees both changes.
    """
    columns = sorted(added & stream.columns.keys())
    relationships = [name for name in stream.belongs_to if f"{name}_id" in added]
    if not columns:
        return
    connection.execute(FITTING)
    connection.execute(_CREATE_ADOPTED.format(sql.Literal(_body(stream, columns, relationships).as_string(connection))))
    connection.execute(_ADOPTED_IMAGES)
    names = {
        "table": sql.Identifier(str(table.schema), table.name),
        "table_name": sql.Literal(table.fullname),
        "columns": sql.SQL(", ").join(map(sql.Identifier, columns)),
        "names": sql.Literal(columns),
        "relationship_names": sql.Literal(relationships),
    }
    for statement in (_MOVE,) if table.schema == STAGING_SCHEMA else (_MOVE, _MOVE_HISTORY):
        connection.execute(statement.format(**names))


def _body(stream: Stream, columns: Sequence[str], relationships: Sequence[str]) -> sql.Composed:
    """Body of `pg_temp.adopted`: attributes first, since a relationship of the same column may override them."""
    attributes = [
        _ATTRIBUTE.format(name=sql.Literal(name), type=sql.Literal(type_name(TYPES[stream.columns[name]])))
        for name in columns
    ]
    related = [
        _RELATED.format(column=sql.Literal(f"{name}_{part}"), name=sql.Literal(name), part=sql.Literal(part))
        for name in relationships
        for part in ("id", "type")
        if f"{name}_{part}" in stream.columns
    ]
    return _ADOPTED.format(moves=sql.SQL("").join([*attributes, *related]))
