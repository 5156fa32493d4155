"""The parents that a child walk visits: the published records of the parent's stream, in a fixed order."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from psycopg import sql
from psycopg_pool import AsyncConnectionPool

from openfaith_pipeline.catalog import Stream
from openfaith_pipeline.load.sessions import raw_name

_BATCH = 1000


async def parents_of(
    pool: AsyncConnectionPool[Any], org_id: str, stream: Stream, parent: Stream, after: str | None
) -> AsyncIterator[Mapping[str, str]]:
    """{relationship: id} for the path of `stream`, for each parent after the given id.

    Ancestors further up are read from the parent's own row.
    """
    *above, own = stream.placeholders
    statement = sql.SQL(
        'SELECT {columns} FROM {parent} WHERE org_id = %s AND _deleted_at IS NULL AND id COLLATE "C" > %s'
        ' ORDER BY id COLLATE "C" LIMIT {limit}'
    ).format(
        columns=sql.SQL(", ").join(map(sql.Identifier, ["id", *(f"{name}_id" for name in above)])),
        parent=raw_name(parent),
        limit=sql.Literal(_BATCH),
    )
    last = after or ""
    while True:
        async with pool.connection() as connection:
            rows = await (await connection.execute(statement, (org_id, last))).fetchall()
        for row in rows:
            yield {own: row["id"], **{name: row[f"{name}_id"] for name in above}}
        if len(rows) < _BATCH:
            return
        last = rows[-1]["id"]
