"""Moving values out of `_extra` into the columns that a newer catalog declares for them.

A value fits by the rules of `load/rows.py`; one that does not stays in `_extra`, so nothing is lost. The content hash
stays as it was: the next whole listing counts such a row as updated once.
"""

from collections.abc import Collection
from typing import Any, Final

from psycopg import Connection, sql

from openfaith_pipeline.catalog import Stream
from openfaith_pipeline.database.raw_tables import TYPES, type_name

# The text of a JSON value when it fits the type, NULL when it does not. Temporary: gone with the connection.
_FITTING: Final = r"""
CREATE OR REPLACE FUNCTION pg_temp.fitting(value jsonb, type text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    kind text := jsonb_typeof(value);
    content text := value #>> '{}';
BEGIN
    IF type = 'jsonb' AND kind <> 'null' THEN RETURN value::text; END IF;
    IF kind NOT IN ('string', 'number', 'boolean') OR (kind = 'boolean') > (type IN ('boolean', 'text')) THEN
        RETURN NULL;
    END IF;
    CASE type
        WHEN 'text' THEN RETURN content;
        WHEN 'boolean' THEN RETURN CASE WHEN kind = 'boolean' THEN content END;
        WHEN 'bigint' THEN
            RETURN CASE WHEN content::numeric = trunc(content::numeric) THEN content::numeric::bigint::text END;
        WHEN 'double precision' THEN
            RETURN CASE WHEN content ~ '^[-+]?[.\d]' THEN content::double precision::text END;
        WHEN 'date' THEN RETURN CASE WHEN content ~ '^\d{4}-\d\d-\d\d$' THEN content::date::text END;
        WHEN 'timestamp with time zone' THEN
            RETURN CASE WHEN content ~ '^\d{4}-\d\d-\d\d' THEN content::timestamptz::text END;
    END CASE;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END $$
"""

_ADOPT_ATTRIBUTE: Final = sql.SQL("""
UPDATE {table}
SET {column} = pg_temp.fitting(_extra -> {name}, {type})::{cast}, _extra = nullif(_extra - {name}, '{{}}')
WHERE _extra ? {name}
  AND (_extra -> {name} = 'null' OR pg_temp.fitting(_extra -> {name}, {type}) IS NOT NULL)
""")

_ADOPT_RELATIONSHIP: Final = sql.SQL("""
UPDATE {table}
SET {assignments},
    _extra = nullif(
        CASE WHEN (_extra -> 'relationships') - {name} = '{{}}' THEN _extra - 'relationships'
             ELSE _extra #- ARRAY['relationships', {name}] END,
        '{{}}')
WHERE _extra -> 'relationships' ? {name}
""")


def adopt_extras(connection: Connection[Any], table: sql.Identifier, stream: Stream, added: Collection[str]) -> None:
    """Fill the columns just added to a raw or staging table from `_extra`, where load keeps what it does not know."""
    connection.execute(_FITTING)
    for column in added & stream.columns.keys():
        _adopt_attribute(connection, table, column, type_name(TYPES[stream.columns[column]]))
    for relationship in stream.belongs_to:
        if f"{relationship}_id" in added:
            _adopt_relationship(connection, table, stream, relationship)


def _adopt_attribute(connection: Connection[Any], table: sql.Identifier, column: str, type_name: str) -> None:
    statement = _ADOPT_ATTRIBUTE.format(
        table=table,
        column=sql.Identifier(column),
        name=sql.Literal(column),
        type=sql.Literal(type_name),
        cast=sql.SQL(type_name),
    )
    connection.execute(statement)


def _adopt_relationship(connection: Connection[Any], table: sql.Identifier, stream: Stream, relationship: str) -> None:
    """The unknown relationship was kept whole, as `{"relationships": {name: {"type": ..., "id": ...}}}`."""
    assignments = [
        sql.SQL("{} = _extra #>> ARRAY['relationships', {}, {}]").format(
            sql.Identifier(f"{relationship}_{part}"), sql.Literal(relationship), sql.Literal(part)
        )
        for part in ("id", "type")
        if f"{relationship}_{part}" in stream.columns
    ]
    statement = _ADOPT_RELATIONSHIP.format(
        table=table, assignments=sql.SQL(", ").join(assignments), name=sql.Literal(relationship)
    )
    connection.execute(statement)
