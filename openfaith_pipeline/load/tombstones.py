"""Tombstones: rows marked deleted together with their children, which may come back together."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection, sql

from openfaith_pipeline.catalog.placeholders import placeholders_of
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database.table_names import raw_name, staging_name
from openfaith_pipeline.journal import Write, journaled, link_rows, raw_rows
from openfaith_pipeline.load.sessions import Session
from openfaith_pipeline.sources import STREAMS


class Child(NamedTuple):
    """A stream whose records exist under a record of another, which they name in `column`."""

    stream: Stream
    column: str


@cache
def children_of(stream: Stream) -> tuple[Child, ...]:
    """Streams that are read only under this one's records, or whose changes also count as changes of those."""
    found = []
    for child in STREAMS.values():
        for relationship, target in child.belongs_to.items():
            is_under = relationship in child.touches or _is_walked_only(child, relationship)
            if target == stream.name and is_under:
                found.append(Child(child, f"{relationship}_id"))
    return tuple(found)


def _is_walked_only(child: Stream, relationship: str) -> bool:
    """Whether all its records are found below this parent. An unconfirmed path below others is only a shortcut."""
    ways = [child.paths(), child.paths(is_path_absent=True) if child.placeholders else ()]
    innermost = [[(placeholders_of(path) or ("",))[-1] for path in paths] for paths in ways]
    return any(names and set(names) == {relationship} for names in innermost)


# Planned readings need none of it: a row that was written since makes its plan stale.
_UNSTAGE: Final = """
DELETE FROM {staging} AS staged USING sync.stream_syncs AS reading
WHERE reading.org_id = %(org_id)s AND reading.stream = %(stream)s AND reading.status IN ('running', 'failed')
  AND staged._stream_sync_id = reading.id AND staged.id = ANY(%(ids)s)
"""


async def mark_deleted(
    connection: AsyncConnection[Any], journaled_as: Mapping[str, str], stream: Stream, ids: Sequence[str]
) -> int:
    """Mark live rows deleted and remove their links; returns their number. All in one transaction share one time.

    An unfinished reading may have staged such a record before it was deleted; continued, it would bring it back.
    """
    if not ids:
        return 0
    asked = {"ids": list(ids), **journaled_as}
    tombstone = sql.SQL(
        "UPDATE {} AS target SET _deleted_at = now(), _synced_at = now(), _sync_id = %(sync_id)s"
        " WHERE org_id = %(org_id)s AND id = ANY(%(ids)s) AND _deleted_at IS NULL"
    ).format(raw_name(stream))
    cursor = await connection.execute(journaled(raw_rows(stream), tombstone), asked)
    for relationship in stream.links:
        table = link_rows(stream, relationship)
        drop = sql.SQL("DELETE FROM {} AS target WHERE org_id = %(org_id)s AND id = ANY(%(ids)s)").format(
            table.identifier
        )
        await connection.execute(journaled(table, drop, Write.REMOVE), asked)
    # After the rows, as a publish does it, so that the two cannot wait for each other.
    unstage = sql.SQL(_UNSTAGE).format(staging=staging_name(stream))
    await connection.execute(unstage, {"org_id": asked["org_id"], "stream": stream.name, "ids": asked["ids"]})
    return cursor.rowcount


Rows = dict[str, Mapping[str, str]]
"""By id, the ids of the parents in the row."""


async def live_under(connection: AsyncConnection[Any], org_id: str, child: Child, ids: Collection[str]) -> Rows:
    """The child's live rows under these records."""
    return await _under(connection, org_id, child, dict.fromkeys(ids), "_deleted_at IS NULL")


async def returning(connection: AsyncConnection[Any], session: Session, stream: Stream) -> dict[str, datetime]:
    """Staged records whose row is marked deleted: the time of deletion by id."""
    cursor = await connection.execute(
        sql.SQL(
            "SELECT DISTINCT present.id, present._deleted_at FROM {} AS staged JOIN {} AS present USING (id)"
            " WHERE staged._stream_sync_id = %s AND present.org_id = %s AND present._deleted_at IS NOT NULL"
        ).format(staging_name(stream), raw_name(stream)),
        (session.ids[stream.name], session.org_id),
    )
    return {row["id"]: row["_deleted_at"] for row in await cursor.fetchall()}


async def gone_with(
    connection: AsyncConnection[Any], org_id: str, child: Child, parents: Mapping[str, datetime]
) -> tuple[Rows, dict[str, datetime]]:
    """The child's rows marked deleted at the same time as their parent, and SQL for that time by id."""
    rows = await _under(connection, org_id, child, parents, "_deleted_at = gone.moment")
    moments = {identifier: parents[named[child.column.removesuffix("_id")]] for identifier, named in rows.items()}
    return rows, moments


async def _under(
    connection: AsyncConnection[Any],
    org_id: str,
    child: Child,
    parents: Mapping[str, datetime | None],
    condition: str,
) -> Rows:
    names = {name for path in child.stream.all_paths for name in placeholders_of(path)}
    named = sorted(
        {name for name in names if f"{name}_id" in child.stream.columns} | {child.column.removesuffix("_id")}
    )
    cursor = await connection.execute(
        sql.SQL(
            "SELECT row.id, {columns} FROM {table} AS row JOIN unnest(%s::text[], %s::timestamptz[])"
            " AS gone (id, moment) ON row.{column} = gone.id WHERE row.org_id = %s AND row.{condition} ORDER BY row.id"
        ).format(
            columns=sql.SQL(", ").join(sql.Identifier("row", f"{name}_id") for name in named),
            table=raw_name(child.stream),
            column=sql.Identifier(child.column),
            condition=sql.SQL(condition),
        ),
        (list(parents), list(parents.values()), org_id),
    )
    rows = await cursor.fetchall()
    return {row["id"]: {name: row[f"{name}_id"] for name in named if row[f"{name}_id"]} for row in rows}
