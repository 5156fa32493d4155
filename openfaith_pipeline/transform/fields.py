"""Fields: records of a type of their own that are custom fields of an entity, or metadata of an edge.

One value is an item of its type. Several, of several records, are one string, sorted and joined by ", ".
"""

from functools import partial
from typing import Final

from psycopg import sql

from openfaith_pipeline.canonical.model import SAME_ID, Entity, Field
from openfaith_pipeline.canonical.registry import kind_of
from openfaith_pipeline.canonical.relationships import is_listed_by_owner, is_named_by_owner, owner_column
from openfaith_pipeline.canonical.rules import Rule
from openfaith_pipeline.catalog.stream import ColumnType, Stream
from openfaith_pipeline.sources import CANONICAL
from openfaith_pipeline.transform.custom_fields import TAGS, item
from openfaith_pipeline.transform.enrichment import Enrichment
from openfaith_pipeline.transform.survivors import survivor_of
from openfaith_pipeline.transform.values import json_scalar, plain_value, with_default
from openfaith_pipeline.transform.workspace import Workspace

_ITEMS: Final = sql.SQL("""
INSERT INTO {table}
SELECT id, concat_ws(',', {items}) FROM (SELECT {owner_id} AS id, {values} FROM {rows}) given
GROUP BY id""")


def fields_of(entity: Entity) -> list[Enrichment]:
    """The fields that are declared on the entity's stream."""
    return [_enrichment(number, each) for number, each in enumerate(CANONICAL.fields_on(entity.stream))]


def metadata_of(workspace: Workspace, stream: Stream) -> list[sql.Composable]:
    """SQL: the fields of an edge's record `r`, each as a JSON object; scalar subqueries."""
    return [_object(workspace, each) for each in CANONICAL.fields_on(stream)]


def _enrichment(number: int, each: Field) -> Enrichment:
    table = f"transform_fields_{number}"
    names = {"table": sql.Identifier("pg_temp", table), "alias": sql.Identifier(f"fields_{number}")}
    return Enrichment(
        prepare=partial(_prepare, each, table),
        join=sql.SQL("LEFT JOIN {table} {alias} ON {alias}.id = r.id").format(**names),
        items=sql.SQL("NULLIF({alias}.items, '')").format(**names),
    )


def _prepare(each: Field, table: str, workspace: Workspace) -> None:
    owner_id, rows = _rows(workspace, each)
    statement = _ITEMS.format(
        table=sql.Identifier("pg_temp", table),
        items=sql.SQL(", ").join(
            _item(each.on.adapter, name, sql.Identifier(f"value_{place}"), kind_of(rule, each.stream))
            for place, (name, rule) in enumerate(each.values.items())
        ),
        owner_id=owner_id,
        values=_values(each),
        rows=rows,
    )
    workspace.create(table, sql.SQL("(id text, items text) ON COMMIT DROP"))
    workspace.execute(statement)
    workspace.analyze(table)


def _values(each: Field) -> sql.Composable:
    return sql.SQL(", ").join(
        sql.SQL("{} AS {}").format(_scalar(rule, each.stream), sql.Identifier(f"value_{place}"))
        for place, rule in enumerate(each.values.values())
    )


def _scalar(rule: Rule, stream: Stream) -> sql.Composable:
    return json_scalar(kind_of(rule, stream), with_default(rule, plain_value(rule, stream)))


def _item(adapter: str, name: str, value: sql.Composable, kind: ColumnType) -> sql.Composable:
    tag = TAGS.get(kind, "string")
    one = sql.SQL("min({}::text)" if tag == "string" else "min(to_json({})::text)").format(value)
    single = sql.SQL("to_json({})::text").format(one) if tag == "string" else one
    return sql.SQL("CASE count({value}) WHEN 0 THEN NULL WHEN 1 THEN {single} ELSE {several} END").format(
        value=value, single=item(adapter, name, tag, single), several=item(adapter, name, "string", _several(value))
    )


def _several(value: sql.Composable) -> sql.Composable:
    return sql.SQL("to_json(string_agg({value}::text, ', ' ORDER BY {value}::text COLLATE \"C\"))::text").format(
        value=value
    )


def _rows(workspace: Workspace, each: Field) -> tuple[sql.Composable, sql.Composable]:
    """SQL: the owner's id, and the part after FROM; the field's record is `r`."""
    names = {"on": workspace.raw(each.on), "raw": workspace.raw(each.stream)}
    live = sql.SQL("r.org_id = %(org_id)s AND r._deleted_at IS NULL")
    if is_named_by_owner(each):
        joined = sql.SQL(
            "{on} o JOIN {raw} r ON r.id = o.{named} WHERE o.org_id = %(org_id)s AND {live} AND {among}"
        ).format(named=sql.Identifier(f"{each.via}_id"), live=live, among=_among(workspace, each, "o"), **names)
        return sql.SQL("o.id"), joined
    if is_listed_by_owner(each):
        joined = sql.SQL(
            "{links} o JOIN {raw} r ON r.id = o.related_id WHERE o.org_id = %(org_id)s AND {live} AND {among}"
        ).format(links=_links(each), live=live, among=_among(workspace, each, "o"), **names)
        return sql.SQL("o.id"), joined
    column = sql.Identifier("r", owner_column(each))
    owner_id, survivors = survivor_of(CANONICAL.entities[each.on.name], column, "gone")
    owned = sql.SQL("{raw} r {survivors} WHERE {live} AND {column} IS NOT NULL AND {is_of_type} AND {among}").format(
        survivors=survivors,
        live=live,
        column=column,
        is_of_type=_is_of_type(each),
        among=workspace.among(each.on, column),
        **names,
    )
    return owner_id, owned


def _among(workspace: Workspace, each: Field, alias: str) -> sql.Composable:
    return workspace.among(each.on, sql.Identifier(alias, "id"))


def _links(each: Field) -> sql.Identifier:
    return sql.Identifier(each.on.schema, each.on.links[each.via])


def _is_of_type(each: Field) -> sql.Composable:
    if each.via == SAME_ID or each.stream.belongs_to[each.via]:
        return sql.SQL("true")
    return sql.SQL("{} = {}").format(sql.Identifier("r", f"{each.via}_type"), sql.Literal(each.on.type))


_OBJECT: Final = sql.SQL("""(
    SELECT jsonb_strip_nulls(jsonb_build_object({pairs})) FROM (
        SELECT {values} FROM {rows} AND r.org_id = %(org_id)s AND r._deleted_at IS NULL) given)""")


def _object(workspace: Workspace, each: Field) -> sql.Composable:
    pairs = [
        pair
        for place, name in enumerate(each.values)
        for pair in (sql.Literal(name), _json(sql.Identifier(f"value_{place}")))
    ]
    return _OBJECT.format(pairs=sql.SQL(", ").join(pairs), values=_values(each), rows=_rows_of_record(workspace, each))


def _json(value: sql.Composable) -> sql.Composable:
    return sql.SQL(
        "CASE WHEN count({value}) <= 1 THEN (array_agg(to_jsonb({value})) FILTER (WHERE {value} IS NOT NULL))[1]"
        " ELSE to_jsonb(string_agg({value}::text, ', ' ORDER BY {value}::text COLLATE \"C\")) END"
    ).format(value=value)


def _rows_of_record(workspace: Workspace, each: Field) -> sql.Composable:
    """The part after FROM, up to its conditions: the field's records `r` of the edge's record `record`."""
    raw = workspace.raw(each.stream)
    if is_named_by_owner(each):
        return sql.SQL("{} r WHERE r.id = record.{}").format(raw, sql.Identifier(f"{each.via}_id"))
    if is_listed_by_owner(each):
        return sql.SQL("{} k JOIN {} r ON r.id = k.related_id WHERE k.org_id = %(org_id)s AND k.id = record.id").format(
            _links(each), raw
        )
    return sql.SQL("{} r WHERE r.{} = record.id AND {}").format(
        raw, sql.Identifier(owner_column(each)), _is_of_type(each)
    )
