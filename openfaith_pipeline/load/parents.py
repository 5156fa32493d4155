"""The parents that a child route visits: published records of the parent's stream, in a fixed order."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from psycopg import sql
from psycopg_pool import AsyncConnectionPool

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk import Parent, Route
from openfaith_pipeline.database.table_names import raw_name, staging_name

LIVELY_FOR = timedelta(days=7)
"""A parent with changes under it within this time is visited each time."""

_BATCH = 1000

# Before `read_from` existed, only the end of the read was recorded.
_READ_FROM = sql.SQL("coalesce(state.read_from, state.last_succeeded_at)")
_CHANGED = sql.SQL("coalesce(p0._synced_at >= {}, true)").format(_READ_FROM)
_WAS_LEFT_OUT = sql.SQL("coalesce(state.left_out -> %(path)s ? p0.id, false)")
# Whether the parent's daily time, which follows from a hash of its id, was between the last read and now.
_DAYS = sql.SQL("floor(extract(epoch FROM {}) / 86400 - (hashtext(p0.id) + 2147483648) / 4294967296.0)")
_HAS_COME = sql.SQL("{} > {}").format(_DAYS.format(sql.SQL("now()")), _DAYS.format(_READ_FROM))


class Foreseen(NamedTuple):
    """Preview of a plan's effect on a stream: the number of its staged rows, and the ids it would mark deleted."""

    stream_sync_id: int
    deletions: Sequence[str]


async def parents_of(
    pool: AsyncConnectionPool[Any],
    org_id: str,
    route: Route,
    catalog: Mapping[str, Stream],
    after: str | None,
    *,
    foreseen: Mapping[str, Foreseen] | None = None,
) -> AsyncIterator[Parent]:
    """The ids for the placeholders of the path, for each parent after the given id.

    Parents whose own parents are not known are skipped: no path leads to their children. If a change of a child also
    changes its parent, only parents changed since the children's last sync are visited. A rotating route visits those,
    and parents with changes under them within a week; the others once a day, each at its own time. Parents whose
    children could not be read the last time are always visited, as if they were new.
    foreseen: by stream name, planned changes to apply to the tables' contents.
    """
    statement = _statement(route, catalog, foreseen or {})
    last = after or ""
    while True:
        asked = {"org_id": org_id, "lead": route.lead.name, "after": last, "is_whole": route.is_whole}
        asked["path"] = route.path
        async with pool.connection() as connection:
            rows = await (await connection.execute(statement, asked)).fetchall()
        for row in rows:
            ids = {name: row[f"{name}_id"] for name in route.placeholders}
            if None not in ids.values():
                yield Parent(ids, row["is_new"])
        if len(rows) < _BATCH:
            return
        last = rows[-1]["own_id"]


def _statement(route: Route, catalog: Mapping[str, Stream], foreseen: Mapping[str, Foreseen]) -> sql.Composed:
    parent = catalog[route.lead.parent_of(route.path) or ""]
    columns, joins = _ancestors(route, catalog, parent, foreseen)
    return sql.SQL(
        "SELECT p0.id AS own_id, {columns},"
        " coalesce(p0._first_seen_at >= {read_from}, true) OR {was_left_out} AS is_new"
        " FROM {parent} AS p0 {joins}"
        " LEFT JOIN sync.stream_states AS state ON state.org_id = p0.org_id AND state.stream = %(lead)s"
        ' WHERE p0.org_id = %(org_id)s AND p0._deleted_at IS NULL AND p0.id COLLATE "C" > %(after)s'
        ' AND {chosen} ORDER BY p0.id COLLATE "C" LIMIT {limit}'
    ).format(
        columns=columns,
        parent=_rows(parent, foreseen),
        joins=joins,
        read_from=_READ_FROM,
        was_left_out=_WAS_LEFT_OUT,
        chosen=_chosen(route),
        limit=sql.Literal(_BATCH),
    )


def _chosen(route: Route) -> sql.Composable:
    """SQL condition for the parents to visit."""
    if route.is_rotating:
        return sql.SQL("({changed} OR {has_come} OR {is_lively} OR {was_left_out})").format(
            changed=_CHANGED, has_come=_HAS_COME, is_lively=_is_lively(route), was_left_out=_WAS_LEFT_OUT
        )
    if route.lead.touches_parent:
        return sql.SQL("(%(is_whole)s OR {} OR {})").format(_CHANGED, _WAS_LEFT_OUT)
    return sql.SQL("true")


def _is_lively(route: Route) -> sql.Composable:
    column = f"{route.placeholders[-1]}_id"
    if column not in route.lead.columns:
        return sql.SQL("false")
    return sql.SQL(
        "p0.id IN (SELECT child.{} FROM {} AS child WHERE child.org_id = %(org_id)s AND child._synced_at > now() - {})"
    ).format(sql.Identifier(column), raw_name(route.lead), sql.Literal(LIVELY_FOR))


def _ancestors(
    route: Route, catalog: Mapping[str, Stream], parent: Stream, foreseen: Mapping[str, Foreseen]
) -> tuple[sql.Composable, sql.Composable]:
    """SQL for the ids of all parents in the path, from the innermost parent's row or the rows of its ancestors."""
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
                _rows(ancestor, foreseen), alias, alias, alias, table, sql.Identifier(column)
            )
        )
        known.append((alias, ancestor))
    return sql.SQL(", ").join(columns), sql.SQL(" ").join(joins)


def _rows(stream: Stream, foreseen: Mapping[str, Foreseen]) -> sql.Composable:
    """The stream's raw table, or the rows that it would have after the plan."""
    if stream.name not in foreseen:
        return raw_name(stream)
    identifier, deletions = foreseen[stream.name]
    columns = [name for name in stream.columns if name.endswith("_id")]
    return sql.SQL("""(
        SELECT present.org_id, present.id, {present} present._first_seen_at, present._synced_at, present._deleted_at
        FROM {raw} AS present
        WHERE present.org_id = %(org_id)s AND present.id <> ALL ({deletions}::text[]) AND NOT EXISTS (
            SELECT FROM {staging} AS staged WHERE staged._stream_sync_id = {identifier} AND staged.id = present.id)
        UNION ALL (
        SELECT DISTINCT ON (staged.id) %(org_id)s, staged.id, {staged} coalesce(present._first_seen_at, now()),
            CASE WHEN present._content_hash = staged._content_hash AND present._deleted_at IS NULL
                THEN present._synced_at ELSE now() END,
            NULL::timestamptz
        FROM {staging} AS staged
        LEFT JOIN {raw} AS present ON present.org_id = %(org_id)s AND present.id = staged.id
        WHERE staged._stream_sync_id = {identifier}
        ORDER BY staged.id, staged._page DESC, staged._position DESC))""").format(
        present=_listed("present", columns),
        staged=_listed("staged", columns),
        raw=raw_name(stream),
        staging=staging_name(stream),
        deletions=sql.Literal(list(deletions)),
        identifier=sql.Literal(identifier),
    )


def _listed(table: str, columns: Sequence[str]) -> sql.Composable:
    return sql.SQL("").join(sql.SQL("{}, ").format(sql.Identifier(table, name)) for name in columns)
