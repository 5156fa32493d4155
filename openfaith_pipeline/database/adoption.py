"""Moving values out of `_extra` into the columns that a newer catalog declares for them, in rows and in their history.

A value fits by the rules of `load/rows.py`; one that does not stays in `_extra`, so nothing is lost. The content hash
stays as it was: the next whole listing counts such a row as updated once. The journal's images are moved the same way,
so that what was journaled before reads, and is rolled back, as if the column had been there already.
"""

from collections.abc import Collection
from typing import Any, Final

from psycopg import Connection, sql
from psycopg.types.json import Jsonb
from sqlalchemy import Table

from openfaith_pipeline.catalog import Stream
from openfaith_pipeline.database.raw_tables import STAGING_SCHEMA, TYPES, type_name

# All of these are temporary: gone with the connection.
# The value as its column would give it as JSON, when it fits the type; NULL when it does not.
_FITTING: Final = r"""
CREATE OR REPLACE FUNCTION pg_temp.fitting(value jsonb, type text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    kind text := jsonb_typeof(value);
    content text := value #>> '{}';
BEGIN
    IF type = 'jsonb' AND kind <> 'null' THEN RETURN value; END IF;
    IF kind NOT IN ('string', 'number', 'boolean') OR (kind = 'boolean') > (type IN ('boolean', 'text')) THEN
        RETURN NULL;
    END IF;
    CASE type
        WHEN 'text' THEN RETURN to_jsonb(content);
        WHEN 'boolean' THEN RETURN CASE WHEN kind = 'boolean' THEN value END;
        WHEN 'bigint' THEN
            RETURN CASE WHEN content::numeric = trunc(content::numeric) THEN to_jsonb(content::numeric::bigint) END;
        WHEN 'double precision' THEN
            RETURN CASE WHEN content ~ '^[-+]?[.\d]' THEN to_jsonb(content::double precision) END;
        WHEN 'date' THEN RETURN CASE WHEN content ~ '^\d{4}-\d\d-\d\d$' THEN to_jsonb(content::date) END;
        WHEN 'timestamp with time zone' THEN
            RETURN CASE WHEN content ~ '^\d{4}-\d\d-\d\d' THEN to_jsonb(content::timestamptz) END;
    END CASE;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END $$
"""

# Each new column's value by its name, null where `_extra` has none for it, and what `_extra` is without them.
# attributes: name -> type. relationships: name -> the part (id, type) of each of its columns.
_ADOPTED: Final = """
CREATE OR REPLACE FUNCTION pg_temp.adopted(extra jsonb, attributes jsonb, relationships jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    rest jsonb := nullif(extra, 'null');
    columns jsonb := '{}';
    name text;
    type text;
    parts jsonb;
    fitting jsonb;
BEGIN
    FOR name, type IN SELECT * FROM jsonb_each_text(attributes) LOOP
        fitting := pg_temp.fitting(extra -> name, type);
        columns := columns || jsonb_build_object(name, fitting);
        IF fitting IS NOT NULL OR extra -> name = 'null' THEN rest := rest - name; END IF;
    END LOOP;
    FOR name, parts IN SELECT * FROM jsonb_each(relationships) LOOP
        columns := columns || (
            SELECT jsonb_object_agg(
                part.key, coalesce(extra #> ARRAY['relationships', name, part.value], columns -> part.key))
            FROM jsonb_each_text(parts) AS part);
        rest := rest #- ARRAY['relationships', name];
    END LOOP;
    IF rest -> 'relationships' = '{}' THEN rest := rest - 'relationships'; END IF;
    RETURN columns || jsonb_build_object('_extra', nullif(rest, '{}'));
END $$
"""

# Of an entry that has both images, columns that are the same in both did not change.
_ADOPTED_IMAGE: Final = """
CREATE OR REPLACE FUNCTION pg_temp.adopted_image(image jsonb, other jsonb, attributes jsonb, relationships jsonb)
RETURNS jsonb LANGUAGE sql AS $$
    SELECT CASE WHEN other IS NULL THEN moved.image ELSE (
        SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each(moved.image)
        WHERE value IS DISTINCT FROM moved.other -> key) END
    FROM (SELECT
        image || pg_temp.adopted(image -> '_extra', attributes, relationships) AS image,
        other || pg_temp.adopted(other -> '_extra', attributes, relationships) AS other
    ) AS moved WHERE image ? '_extra'
    UNION ALL SELECT image WHERE NOT image ? '_extra'
$$
"""

_MOVE: Final = sql.SQL("""
UPDATE {table} SET ({columns}, _extra) = (
    SELECT {columns}, _extra FROM jsonb_populate_record(
        NULL::{table}, pg_temp.adopted(_extra, {attributes}, {relationships})))
WHERE _extra ?| {names} OR _extra -> 'relationships' ?| {relationship_names}""")

# A removed row may be put back over another of its key, so its image has to say of each column what it held.
_MOVE_HISTORY: Final = sql.SQL("""
UPDATE sync.journal SET
    before = pg_temp.adopted_image(before::jsonb, after::jsonb, {attributes}, {relationships})::json,
    after = pg_temp.adopted_image(after::jsonb, before::jsonb, {attributes}, {relationships})::json
WHERE table_name = {table_name} AND (action = 'remove' OR EXISTS (
    SELECT FROM (VALUES ((before -> '_extra')::jsonb), ((after -> '_extra')::jsonb)) AS image (extra)
    WHERE extra ?| {names} OR extra -> 'relationships' ?| {relationship_names}))""")


def adopt_extras(connection: Connection[Any], stream: Stream, table: Table, added: Collection[str]) -> None:
    """Fill the columns just added to a raw or staging table from `_extra`, where load keeps what it does not know.

    Of a raw table, in the journal too. In the transaction that added the columns: who waits for the table sees both.
    """
    attributes = {name: type_name(TYPES[stream.columns[name]]) for name in added & stream.columns.keys()}
    relationships = {
        name: {f"{name}_{part}": part for part in ("id", "type") if f"{name}_{part}" in stream.columns}
        for name in stream.belongs_to
        if f"{name}_id" in added
    }
    if not attributes:
        return
    for function in (_FITTING, _ADOPTED, _ADOPTED_IMAGE):
        connection.execute(function)
    names = {
        "table": sql.Identifier(str(table.schema), table.name),
        "table_name": sql.Literal(table.fullname),
        "columns": sql.SQL(", ").join(map(sql.Identifier, attributes)),
        "attributes": sql.Literal(Jsonb(attributes)),
        "relationships": sql.Literal(Jsonb(relationships)),
        "names": sql.Literal(list(attributes)),
        "relationship_names": sql.Literal(list(relationships)),
    }
    for statement in (_MOVE,) if table.schema == STAGING_SCHEMA else (_MOVE, _MOVE_HISTORY):
        connection.execute(statement.format(**names))
