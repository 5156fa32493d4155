"""The parents that a child route visits: the published records of the parent's stream, in a fixed order."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from psycopg import sql
from psycopg_pool import AsyncConnectionPool

from openfaith_pipeline.catalog import Stream
from openfaith_pipeline.load.sessions import raw_name
from openfaith_pipeline.walk import Parent, Route

_BATCH = 1000


async def parents_of(
    pool: AsyncConnectionPool[Any], org_id: str, route: Route, catalog: Mapping[str, Stream], after: str | None
) -> AsyncIterator[Parent]:
    """The records to fill the path's placeholders with, for each parent after the given id.

    A parent whose own way from the top is not known is left out: no path leads to its children. Where a child's change
    is a change of its parent, only parents changed since the last sync of the children are visited.
    """
    statement = _statement(route, catalog)
    last = after or ""
    while True:
        asked = {"org_id": org_id, "lead": route.lead.name, "after": last, "is_whole": route.is_whole}
        async with pool.connection() as connection:
            rows = await (await connection.execute(statement, asked)).fetchall()
        for row in rows:
            ids = {name: row[f"{name}_id"] for name in route.placeholders}
            if None not in ids.values():
                yield Parent(ids, row["is_new"])
        if len(rows) < _BATCH:
            return
        last = rows[-1]["own_id"]


def _statement(route: Route, catalog: Mapping[str, Stream]) -> sql.Composed:
    parent = catalog[route.lead.parent_of(route.path) or ""]
    columns, joins = _ancestors(route, catalog, parent)
    touched = "AND (%(is_whole)s OR coalesce(p0._synced_at >= state.last_succeeded_at, true))"
    return sql.SQL(
        "SELECT p0.id AS own_id, {columns}, coalesce(p0._first_seen_at >= state.last_succeeded_at, true) AS is_new"
        " FROM {parent} AS p0 {joins}"
        " LEFT JOIN sync.stream_states AS state ON state.org_id = p0.org_id AND state.stream = %(lead)s"
        ' WHERE p0.org_id = %(org_id)s AND p0._deleted_at IS NULL AND p0.id COLLATE "C" > %(after)s'
        ' {touched} ORDER BY p0.id COLLATE "C" LIMIT {limit}'
    ).format(
        columns=columns,
        parent=raw_name(parent),
        joins=joins,
        touched=sql.SQL(touched if route.lead.touches_parent else ""),
        limit=sql.Literal(_BATCH),
    )


def _ancestors(route: Route, catalog: Mapping[str, Stream], parent: Stream) -> tuple[sql.Composable, sql.Composable]:
    """The id of each record on the way, found in the parent's row or in those of its own ancestors."""
    *above, own = route.placeholders
    columns = [sql.SQL("p0.id AS {}").format(sql.Identifier(f"{own}_id"))]
    joins: list[sql.Composable] = []
    known = [(sql.Identifier("p0"), parent)]
    for number, name in enumerate(reversed(above), start=1):
        column = f"{name}_id"
        table, stream = next((table, stream) for table, stream in known if column in stream.columns)
        columns.append(sql.SQL("{}.{} AS {}").format(table, sql.Identifier(column), sql.Identifier(column)))
        ancestor = catalog[stream.belongs_to[name] or ""]
        alias = sql.Identifier(f"p{number}")
        joins.append(
            sql.SQL("LEFT JOIN {} AS {} ON {}.org_id = p0.org_id AND {}.id = {}.{}").format(
                raw_name(ancestor), alias, alias, alias, table, sql.Identifier(column)
            )
        )
        known.append((alias, ancestor))
    return sql.SQL(", ").join(columns), sql.SQL(" ").join(joins)
