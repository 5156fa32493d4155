"""Answers to a church's own fields, as custom fields of the record they were given for.

The item's name is `<adapter>_<slug>` of the definition. Where that name is taken, by an attribute or a field of the
record or by an older definition with the same slug, it is `<adapter>_<slug>_<definition id>`. The definition's data
type gives `_tag`; an answer that is not of that type stays a string. Several answers to one definition (checkboxes)
are one string, sorted and joined by ", ". An answer that still names a merged person is the survivor's, unless that
one has answered too. There is no item without a live definition, which names it.
"""

from functools import partial
from typing import Final

from psycopg import sql

from openfaith_pipeline.canonical.model import Answers, Entity
from openfaith_pipeline.sources import CANONICAL
from openfaith_pipeline.transform.enrichment import Enrichment
from openfaith_pipeline.transform.values import plain_value
from openfaith_pipeline.transform.workspace import Workspace

_NAMES: Final = sql.SQL("""
WITH taken AS (
    SELECT unnest(%(attributes)s::text[]) AS slug
    UNION
    SELECT jsonb_object_keys(r._extra) FROM {records} r
    WHERE r.org_id = %(org_id)s AND jsonb_typeof(r._extra) = 'object'
),
slugs AS (
    SELECT d.id, lower(d.{data_type}) AS data_type, COALESCE(NULLIF(btrim(d.{slug}), ''), 'field_' || d.id) AS slug
    FROM {definitions} d
    WHERE d.org_id = %(org_id)s AND d._deleted_at IS NULL AND d.{deleted} IS NULL
)
SELECT {stream}, id, data_type, %(adapter)s::text || '_' || slug || CASE
        WHEN slug IN (SELECT slug FROM taken)
          OR row_number() OVER (PARTITION BY slug ORDER BY length(id), id COLLATE "C") > 1
        THEN '_' || id ELSE '' END AS name
    FROM slugs
    ORDER BY id COLLATE "C"
""")

_ANSWERS: Final = sql.SQL("""
WITH answers AS (
    SELECT COALESCE(gone.survivor_id, {via}) AS id, {definition} AS definition_id,
        array_agg({value}) FILTER (WHERE gone.survivor_id IS NULL) AS own,
        array_agg({value}) AS every, max({changed_at}) AS changed_at
    FROM {data} r
    LEFT JOIN pg_temp.transform_survivors gone ON gone.stream = {on} AND gone.record_id = {via}
    WHERE r.org_id = %(org_id)s AND {is_of_type} AND r._deleted_at IS NULL
        AND {value} IS NOT NULL AND {among}
    GROUP BY 1, 2
),
counted AS (SELECT id, definition_id, COALESCE(own, every) AS given, changed_at FROM answers),
named AS (
    SELECT a.id, a.changed_at, n.name, n.data_type, CASE
        WHEN cardinality(a.given) = 1 THEN a.given[1]
        ELSE (SELECT string_agg(value, ', ' ORDER BY value COLLATE "C") FROM unnest(a.given) AS value)
        END AS value
    FROM counted a JOIN pg_temp.transform_field_names n ON n.stream = {stream} AND n.id = a.definition_id
),
typed AS (
    SELECT id, changed_at, name, value, CASE
        WHEN data_type = 'number' AND value ~ '^[+-]?[0-9]{{1,40}}([.][0-9]{{1,40}})?$' THEN 'number'
        WHEN data_type = 'boolean' AND lower(value) IN ('true', 'false', 't', 'f', 'yes', 'no', '1', '0') THEN 'boolean'
        WHEN data_type = 'date' AND value ~ '^[0-9]{{4}}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$' THEN 'date'
        ELSE 'string' END AS tag
    FROM named
)
SELECT id, string_agg(
    '{{"_tag":"' || tag || '","name":' || to_json(name)::text || ',"source":"' || %(adapter)s::text || '","value":'
        || CASE tag
        WHEN 'number' THEN (value::numeric)::text
        WHEN 'boolean' THEN to_json(lower(value) IN ('true', 't', 'yes', '1'))::text
        ELSE to_json(value)::text END || '}}',
    ',' ORDER BY name COLLATE "C") AS items, max(changed_at)
FROM typed
GROUP BY id
""")


def read_field_names(workspace: Workspace) -> list[list[str | None]]:
    """The church's live fields: the stream of their answers, and each field's id, data type and item name."""
    return [list(name) for answers in CANONICAL.answers for name in _names(workspace, answers)]


def put_field_names(workspace: Workspace, names: list[list[str | None]]) -> None:
    """Fill `pg_temp.transform_field_names`."""
    columns = sql.SQL("(stream text, id text, data_type text, name text) ON COMMIT DROP")
    workspace.create("transform_field_names", columns)
    workspace.copy("transform_field_names", [[tuple(name) for name in names]])


def answers_of(entity: Entity) -> list[Enrichment]:
    """The answers given for the entity's records."""
    return [_enrichment(number, answers) for number, answers in enumerate(CANONICAL.answers_on(entity.stream))]


def _enrichment(number: int, answers: Answers) -> Enrichment:
    table = f"transform_answers_{number}"
    names = {"table": sql.Identifier("pg_temp", table), "alias": sql.Identifier(f"answers_{number}")}
    return Enrichment(
        prepare=partial(_prepare, answers, table),
        join=sql.SQL("LEFT JOIN {table} {alias} ON {alias}.id = r.id").format(**names),
        items=sql.SQL("{alias}.items").format(**names),
        changed_at=sql.SQL("{alias}.changed_at").format(**names),
    )


def _names(workspace: Workspace, answers: Answers) -> list[tuple[str | None, ...]]:
    statement = _NAMES.format(
        records=workspace.raw(answers.on),
        definitions=workspace.raw(answers.definitions),
        stream=sql.Literal(answers.stream.name),
        slug=sql.Identifier(answers.slug),
        data_type=sql.Identifier(answers.data_type),
        deleted=sql.Identifier(answers.deleted),
    )
    fields = [name for each in CANONICAL.fields_on(answers.on) for name in each.values]
    attributes = [*answers.on.attributes, *fields]
    return workspace.rows(statement, attributes=attributes, adapter=answers.stream.adapter)


def _prepare(answers: Answers, table: str, workspace: Workspace) -> None:
    via = sql.Identifier("r", f"{answers.via}_id")
    statement = _ANSWERS.format(
        data=workspace.raw(answers.stream),
        via=via,
        definition=sql.Identifier("r", f"{answers.definition}_id"),
        value=plain_value(answers.value, answers.stream),
        changed_at=sql.SQL("r.updated_at" if "updated_at" in answers.stream.attributes else "NULL::timestamptz"),
        on=sql.Literal(answers.on.name),
        stream=sql.Literal(answers.stream.name),
        is_of_type=_is_of_type(answers),
        among=workspace.among(answers.on, via),
    )
    workspace.create(table, sql.SQL("(id text, items text, changed_at timestamptz) ON COMMIT DROP"))
    filled = sql.SQL("INSERT INTO {} {}").format(sql.Identifier("pg_temp", table), statement)
    workspace.execute(filled, adapter=answers.stream.adapter)
    workspace.analyze(table)


def _is_of_type(answers: Answers) -> sql.Composable:
    if answers.stream.belongs_to[answers.via]:
        return sql.SQL("true")
    return sql.SQL("{} = {}").format(sql.Identifier("r", f"{answers.via}_type"), sql.Literal(answers.on.type))
