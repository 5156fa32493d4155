"""Field data: the answers to a church's own fields, as custom fields of the record they were given for.

The item's name is `pco_<slug>` of the definition. Where that name is taken, by an attribute of the record or by an
older definition with the same slug, it is `pco_<slug>_<definition id>`. The definition's data type gives `_tag`; an
answer that is not of that type stays a string. Several answers to one definition (checkboxes) are one string, sorted
and joined by ", ". An answer that still names a merged person is the survivor's, unless that one has answered too. No
item without a live definition: it is the definition that names it.
"""

from typing import Final

from psycopg import sql

from openfaith_pipeline.planning_center.streams import people
from openfaith_pipeline.transform.entity import Enrichment
from openfaith_pipeline.transform.workspace import Workspace

_NAMES: Final = sql.SQL("""
WITH taken AS (
    SELECT unnest(%(attributes)s::text[]) AS slug
    UNION
    SELECT jsonb_object_keys(r._extra) FROM {records} r
    WHERE r.org_id = %(org_id)s AND jsonb_typeof(r._extra) = 'object'
),
slugs AS (
    SELECT d.id, lower(d.data_type) AS data_type, COALESCE(NULLIF(btrim(d.slug), ''), 'field_' || d.id) AS slug
    FROM {definitions} d
    WHERE d.org_id = %(org_id)s AND d._deleted_at IS NULL AND d.deleted_at IS NULL
)
SELECT id, data_type, 'pco_' || slug || CASE
        WHEN slug IN (SELECT slug FROM taken)
          OR row_number() OVER (PARTITION BY slug ORDER BY length(id), id COLLATE "C") > 1
        THEN '_' || id ELSE '' END AS name
    FROM slugs
    ORDER BY id COLLATE "C"
""")

_ANSWERS: Final = sql.SQL("""
WITH answers AS (
    SELECT COALESCE(gone.survivor_id, f.customizable_id) AS id, f.field_definition_id,
        array_agg(COALESCE(f.value, f.file_name)) FILTER (WHERE gone.survivor_id IS NULL) AS own,
        array_agg(COALESCE(f.value, f.file_name)) AS every
    FROM {data} f
    LEFT JOIN pg_temp.transform_survivors gone ON gone.entity_type = 'person' AND gone.record_id = f.customizable_id
    WHERE f.org_id = %(org_id)s AND f.customizable_type = %(type)s AND f._deleted_at IS NULL
        AND COALESCE(f.value, f.file_name) IS NOT NULL AND {among}
    GROUP BY 1, f.field_definition_id
),
counted AS (SELECT id, field_definition_id, COALESCE(own, every) AS given FROM answers),
named AS (
    SELECT a.id, n.name, n.data_type, CASE
        WHEN cardinality(a.given) = 1 THEN a.given[1]
        ELSE (SELECT string_agg(value, ', ' ORDER BY value COLLATE "C") FROM unnest(a.given) AS value)
        END AS value
    FROM counted a JOIN pg_temp.transform_field_names n ON n.id = a.field_definition_id
),
typed AS (
    SELECT id, name, value, CASE
        WHEN data_type = 'number' AND value ~ '^[+-]?[0-9]{{1,40}}([.][0-9]{{1,40}})?$' THEN 'number'
        WHEN data_type = 'boolean' AND lower(value) IN ('true', 'false', 't', 'f', 'yes', 'no', '1', '0') THEN 'boolean'
        WHEN data_type = 'date' AND value ~ '^[0-9]{{4}}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$' THEN 'date'
        ELSE 'string' END AS tag
    FROM named
)
SELECT id, string_agg(
    '{{"_tag":"' || tag || '","name":' || to_json(name)::text || ',"source":"pco","value":' || CASE tag
        WHEN 'number' THEN (value::numeric)::text
        WHEN 'boolean' THEN to_json(lower(value) IN ('true', 't', 'yes', '1'))::text
        ELSE to_json(value)::text END || '}}',
    ',' ORDER BY name COLLATE "C") AS items
FROM typed
GROUP BY id
""")


def read_field_names(workspace: Workspace) -> list[list[str | None]]:
    """Of each of the church's own fields that live: id, data type and the name of its items, by id."""
    names = _NAMES.format(records=workspace.raw(people.PEOPLE), definitions=workspace.raw(people.FIELD_DEFINITIONS))
    return [list(name) for name in workspace.rows(names, attributes=list(people.PEOPLE.attributes))]


def put_field_names(workspace: Workspace, names: list[list[str | None]]) -> None:
    """Fill `pg_temp.transform_field_names`."""
    workspace.create("transform_field_names", sql.SQL("(id text, data_type text, name text) ON COMMIT DROP"))
    workspace.copy("transform_field_names", [[tuple(name) for name in names]])


def _prepare_fields_of_people(workspace: Workspace) -> None:
    answers = _ANSWERS.format(
        data=workspace.raw(people.FIELD_DATA),
        among=workspace.among("person", sql.Identifier("f", "customizable_id")),
    )
    workspace.create("transform_fields", sql.SQL("(id text, items text) ON COMMIT DROP"))
    workspace.execute(
        sql.SQL("INSERT INTO pg_temp.transform_fields {}").format(answers),
        type=people.PEOPLE.type,
    )
    workspace.analyze("transform_fields")


FIELD_DATA_OF_PEOPLE: Final = Enrichment(
    prepare=_prepare_fields_of_people,
    join=sql.SQL("LEFT JOIN pg_temp.transform_fields fields ON fields.id = r.id"),
    items=sql.SQL("fields.items"),
    streams=(people.FIELD_DATA, people.FIELD_DEFINITIONS),
)
