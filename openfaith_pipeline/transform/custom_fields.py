"""Custom fields: what the source knows about a record and the entity has no column for.

An item is `{_tag, name: "pco_<attribute>", source: "pco", value}`; an attribute that is null gives none. A transform
replaces the items whose source is `pco` and keeps every other item, in its order and before ours.
Items are put together as JSON text and cast once for each row, which is several times faster than building jsonb.
"""

import json
from collections.abc import Mapping
from typing import Final, LiteralString

from psycopg import sql

from openfaith_pipeline.catalog.stream import ColumnType
from openfaith_pipeline.transform.entity import Entity
from openfaith_pipeline.transform.workspace import ADAPTER

TAGS: Final[Mapping[ColumnType, str]] = {
    ColumnType.TEXT: "string",
    ColumnType.INTEGER: "number",
    ColumnType.FLOAT: "number",
    ColumnType.BOOLEAN: "boolean",
    ColumnType.DATE: "date",
    ColumnType.TIMESTAMP: "date",
}

# A value whose type only its JSON tells: text, numbers and booleans as they are, anything deeper as its JSON text.
_JSON_ITEM: Final[LiteralString] = (
    "CASE jsonb_typeof({value})"
    " WHEN 'null' THEN NULL"
    " WHEN 'number' THEN '{{\"_tag\":\"number\"'"
    " WHEN 'boolean' THEN '{{\"_tag\":\"boolean\"'"
    ' ELSE \'{{"_tag":"string"\' END'
    ' || \',"name":\' || to_json(\'pco_\' || {name})::text || \',"source":"pco","value":\' ||'
    " CASE WHEN jsonb_typeof({value}) IN ('object', 'array') THEN to_json(({value})::text)::text"
    " ELSE ({value})::text END || '}}'"
)


def custom_fields(entity: Entity) -> sql.Composable:
    """SQL for `customFields`: other people's items of `e`, then the source's of `r`."""
    items: list[sql.Composable] = [_attribute_item(entity, name) for name in entity.unmapped_attributes]
    items += _unheld_items(entity)
    items.append(_EXTRA_ITEMS)
    items += [enrichment.items for enrichment in entity.enrichments if enrichment.items is not None]
    ours = sql.SQL("('[' || array_to_string(ARRAY[{}]::text[], ',') || ']')::jsonb").format(sql.SQL(", ").join(items))
    return sql.SQL("{} || {}").format(items_of_others("customFields", "source"), ours)


def items_of_others(column: str, key: str) -> sql.Composable:
    """SQL for the items of the list `column` of `e` whose `key` is not ours; `[]` for a new row."""
    # Lax jsonpath takes even a value that is no list, or items that are no objects, without an error.
    path = f'$[*] ? (!(@.{key} == "{ADAPTER}"))'
    return sql.SQL("CASE WHEN e.id IS NULL THEN '[]'::jsonb ELSE jsonb_path_query_array({}, {}) END").format(
        sql.Identifier("e", column), sql.Literal(path)
    )


def _attribute_item(entity: Entity, attribute: str) -> sql.Composable:
    kind = entity.stream.attributes[attribute]
    value = sql.Identifier("r", attribute)
    if kind is ColumnType.JSON:
        return sql.SQL(_JSON_ITEM).format(value=value, name=sql.Literal(attribute))
    head = {"_tag": TAGS[kind], "name": f"{ADAPTER}_{attribute}", "source": ADAPTER}
    # Null stays null through to_json and ||, and array_to_string leaves it out.
    return sql.SQL("{} || to_json({})::text || '}}'").format(
        sql.Literal(json.dumps(head)[:-1] + ', "value": '), _as_json_scalar(kind, value)
    )


def _as_json_scalar(kind: ColumnType, value: sql.Composable) -> sql.Composable:
    if kind is ColumnType.TIMESTAMP:
        return sql.SQL("(to_json({} AT TIME ZONE 'UTC') #>> '{{}}') || 'Z'").format(value)
    return value


def _unheld_items(entity: Entity) -> list[sql.Composable]:
    return [
        sql.SQL("CASE WHEN {} IS NULL THEN {} END").format(column.value, _attribute_item(entity, attribute))
        for column in entity.columns.values()
        if column.is_lossy
        for attribute in column.attributes
    ]


# What the catalog does not know yet, as the load kept it.
_EXTRA_ITEMS: Final = sql.SQL(
    "CASE WHEN jsonb_typeof(r._extra) = 'object' THEN ("
    "SELECT string_agg({item}, ',' ORDER BY extra.key COLLATE \"C\") FROM jsonb_each(r._extra) extra) END"
).format(item=sql.SQL(_JSON_ITEM).format(value=sql.Identifier("extra", "value"), name=sql.Identifier("extra", "key")))
