"""Custom fields: values of a record that the entity has no column for.

An item is `{_tag, name: "<adapter>_<attribute>", source: "<adapter>", value}`; an attribute that is null gives none. A
record replaces the items of its own source and keeps every other item, in its order and before these.
Items are put together as JSON text and cast once for each row, which is several times faster than building jsonb.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final, LiteralString

from psycopg import sql

from openfaith_pipeline.canonical.model import Entity
from openfaith_pipeline.catalog.stream import ColumnType
from openfaith_pipeline.transform.enrichment import Enrichment
from openfaith_pipeline.transform.values import json_scalar, plain_value

TAGS: Final[Mapping[ColumnType, str]] = {
    ColumnType.TEXT: "string",
    ColumnType.INTEGER: "number",
    ColumnType.FLOAT: "number",
    ColumnType.BOOLEAN: "boolean",
    ColumnType.DATE: "date",
    ColumnType.TIMESTAMP: "date",
}

# A value typed only by its JSON: text, numbers and booleans unchanged, arrays and objects as JSON text.
_JSON_ITEM: Final[LiteralString] = (
    "CASE jsonb_typeof({value})"
    " WHEN 'null' THEN NULL"
    " WHEN 'number' THEN '{{\"_tag\":\"number\"'"
    " WHEN 'boolean' THEN '{{\"_tag\":\"boolean\"'"
    ' ELSE \'{{"_tag":"string"\' END'
    " || ',\"name\":' || to_json({prefix} || {name})::text || {source} ||"
    " CASE WHEN jsonb_typeof({value}) IN ('object', 'array') THEN to_json(({value})::text)::text"
    " ELSE ({value})::text END || '}}'"
)


def custom_fields(entity: Entity, enrichments: Sequence[Enrichment] = ()) -> sql.Composable:
    """SQL for `customFields`: other people's items of `e`, then the source's of `r`."""
    items: list[sql.Composable] = [_attribute_item(entity, name) for name in entity.unmapped_attributes]
    items += _unheld_items(entity)
    items.append(_extra_items(entity.stream.adapter))
    items += [enrichment.items for enrichment in enrichments if enrichment.items is not None]
    ours = sql.SQL("('[' || array_to_string(ARRAY[{}]::text[], ',') || ']')::jsonb").format(sql.SQL(", ").join(items))
    return sql.SQL("{} || {}").format(items_of_others("customFields", "source", entity.stream.adapter), ours)


def items_of_others(column: str, key: str, adapter: str) -> sql.Composable:
    """SQL for the items of the list `column` of `e` whose `key` is not this adapter; `[]` for a new row."""
    # Lax jsonpath takes even a value that is not a list, or items that are not objects, without an error. A key that is
    # no text is not ours either; whether it differs from ours would be unknown, and the item lost.
    path = f'$[*] ? (!exists(@.{key} ? (@ == "{adapter}")))'
    return sql.SQL("CASE WHEN e.id IS NULL THEN '[]'::jsonb ELSE jsonb_path_query_array({}, {}) END").format(
        sql.Identifier("e", column), sql.Literal(path)
    )


def _attribute_item(entity: Entity, attribute: str) -> sql.Composable:
    kind = entity.stream.attributes[attribute]
    value = sql.Identifier("r", attribute)
    if kind is ColumnType.JSON:
        return _json_item(entity.stream.adapter, sql.Literal(attribute), value)
    # Null stays null through to_json and ||, and array_to_string leaves it out.
    return item(
        entity.stream.adapter, attribute, TAGS[kind], sql.SQL("to_json({})::text").format(json_scalar(kind, value))
    )


def item(adapter: str, name: str, tag: str, json_text: sql.Composable) -> sql.Composable:
    """SQL: an item as text, null if the value's JSON is."""
    head = {"_tag": tag, "name": f"{adapter}_{name}", "source": adapter}
    return sql.SQL("{} || {} || '}}'").format(sql.Literal(json.dumps(head)[:-1] + ', "value": '), json_text)


def _unheld_items(entity: Entity) -> list[sql.Composable]:
    return [
        sql.SQL("CASE WHEN {} IS NULL THEN {} END").format(
            plain_value(rule, entity.stream), _attribute_item(entity, attribute)
        )
        for rule in entity.columns.values()
        if rule.is_lossy
        for attribute in rule.attributes
    ]


def _extra_items(adapter: str) -> sql.Composable:
    """SQL: attributes outside the catalog, as stored by the load."""
    return sql.SQL(
        "CASE WHEN jsonb_typeof(r._extra) = 'object' THEN ("
        "SELECT string_agg({item}, ',' ORDER BY extra.key COLLATE \"C\") FROM jsonb_each(r._extra) extra) END"
    ).format(item=_json_item(adapter, sql.Identifier("extra", "key"), sql.Identifier("extra", "value")))


def _json_item(adapter: str, name: sql.Composable, value: sql.Composable) -> sql.Composable:
    return sql.SQL(_JSON_ITEM).format(
        prefix=sql.Literal(f"{adapter}_"),
        source=sql.Literal(f',"source":{json.dumps(adapter)},"value":'),
        name=name,
        value=value,
    )
