"""Which link is which record's: the external id holds the stream where several streams have one tag.

A plain external id is the record's own, `7`; a qualified one is `groups.events:7`.
"""

import json
from collections.abc import Iterable

from psycopg import sql

from openfaith_pipeline.canonical.model import Entity
from openfaith_pipeline.canonical.registry import CanonicalTable
from openfaith_pipeline.sources import CANONICAL
from openfaith_pipeline.transform.workspace import Workspace


def adapter_of(entity: Entity) -> sql.Literal:
    """SQL: the source of the entity's records: in links, in external ids, and where it deletes a row."""
    return sql.Literal(entity.stream.adapter)


def ids_of_sources(table: CanonicalTable) -> list[str]:
    """For each source of the table, JSON that the `externalIds` of rows with an id of that source contain."""
    return [json.dumps([{"type": adapter}]) for adapter in table.adapters]


def external_id(entity: Entity, record_id: sql.Composable) -> sql.Composable:
    """SQL: the external id of the entity's record with this id."""
    if not entity.namespace:
        return record_id
    return sql.SQL("({} || {})").format(sql.Literal(entity.namespace), record_id)


def record_id_of(entity: Entity, alias: str) -> sql.Composable:
    """SQL: the id of the record that the entity's link of this alias names."""
    column = sql.Identifier(alias, "externalId")
    if not entity.namespace:
        return column
    return sql.SQL("substr({}, {})").format(column, sql.Literal(len(entity.namespace) + 1))


def is_link_of(entity: Entity, alias: str) -> sql.Composable:
    """SQL: whether the link of this alias names a record of the entity."""
    own = sql.SQL("{}.adapter = {}").format(sql.Identifier(alias), adapter_of(entity))
    return sql.SQL("({} AND {})").format(own, is_id_of(entity, alias))


def is_id_of(entity: Entity, alias: str) -> sql.Composable:
    """SQL: the same, for a row with a link's type and external id that names no source."""
    column = sql.Identifier(alias, "externalId")
    tagged = sql.SQL('{}."entityType" = {}').format(sql.Identifier(alias), sql.Literal(entity.tag))
    if entity.namespace:
        return sql.SQL("({} AND starts_with({}, {}))").format(tagged, column, sql.Literal(entity.namespace))
    others = [
        sql.SQL("NOT starts_with({}, {})").format(column, sql.Literal(other.namespace))
        for other in CANONICAL.siblings(entity)
        if other.stream.adapter == entity.stream.adapter
    ]
    return sql.SQL("({})").format(sql.SQL(" AND ").join([tagged, *others]))


def link_of(workspace: Workspace, entity: Entity, record_id: sql.Composable, alias: str = "l") -> sql.Composable:
    """SQL to follow JOIN: the link, as `alias`, of the entity's record with this id."""
    return sql.SQL(
        '{links} {link} ON {link}."orgId" = %(org_id)s AND {link}.adapter = {adapter}'
        ' AND {link}."entityType" = {tag} AND {link}."externalId" = {external_id}'
    ).format(
        links=workspace.canonical("externalLinks"),
        link=sql.Identifier(alias),
        adapter=adapter_of(entity),
        tag=sql.Literal(entity.tag),
        external_id=external_id(entity, record_id),
    )


def among_links(workspace: Workspace, entity: Entity, alias: str) -> sql.Composable:
    """SQL: whether the entity's link of this alias is one of a record to look at."""
    if not workspace.is_partial:
        return sql.SQL("true")
    records = sql.SQL("(SELECT {} FROM pg_temp.transform_scope looked_at WHERE looked_at.stream = {})")
    return sql.SQL("{} IN {}").format(
        sql.Identifier(alias, "externalId"),
        records.format(external_id(entity, sql.Identifier("looked_at", "id")), sql.Literal(entity.stream.name)),
    )


def stream_and_record_of(entity: Entity, alias: str) -> tuple[sql.Composable, sql.Composable, sql.Composable]:
    """SQL: the stream and the id of the record that a link of the entity's tag names, of whichever stream and source.

    The third is the condition that it is a link of any of them.
    """
    entities = [entity, *CANONICAL.siblings(entity)]
    is_any = sql.SQL("({})").format(sql.SQL(" OR ").join(is_link_of(each, alias) for each in entities))
    if len(entities) == 1:
        return sql.Literal(entity.stream.name), record_id_of(entity, alias), is_any
    names = [(each, sql.Literal(each.stream.name)) for each in entities]
    return _by_link(alias, names), _by_link(alias, [(each, record_id_of(each, alias)) for each in entities]), is_any


def _by_link(alias: str, values: Iterable[tuple[Entity, sql.Composable]]) -> sql.Composable:
    whens = [sql.SQL("WHEN {} THEN {}").format(is_link_of(entity, alias), value) for entity, value in values]
    return sql.SQL("CASE {} END").format(sql.SQL(" ").join(whens))
