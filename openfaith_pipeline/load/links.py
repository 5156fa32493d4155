"""To-many relationships: the link tables follow the records that a publish has changed."""

from functools import cache
from typing import Any

from psycopg import AsyncConnection, sql

from openfaith_pipeline.catalog import Stream
from openfaith_pipeline.journal import Write, journaled, link_rows
from openfaith_pipeline.load.sessions import Session, raw_name, staging_name

# The records this transaction wrote, as read last: a raw row's `_synced_at` is its transaction's `now()`.
_CHANGED = (
    "SELECT DISTINCT ON (id) id, _links, present._deleted_at IS NOT NULL AS is_deleted FROM {raw} AS present"
    " LEFT JOIN {staging} AS staged USING (id)"
    " WHERE present.org_id = %(org_id)s AND present._synced_at = now() AND present._sync_id = %(sync_id)s"
    " AND (staged._stream_sync_id = %(id)s OR present._deleted_at IS NOT NULL)"
    " ORDER BY id, _page DESC NULLS LAST, _position DESC"
)


async def publish_links(connection: AsyncConnection[Any], session: Session, stream: Stream) -> None:
    """Make the links of changed records what the records say, and drop those of deleted ones."""
    asked = {"id": session.ids[stream.name], **session.journaled_as}
    for relationship in stream.links:
        for statement in _statements(stream, relationship):
            await connection.execute(statement, {**asked, "relationship": relationship})


@cache
def _statements(stream: Stream, relationship: str) -> tuple[sql.Composed, sql.Composed]:
    table = link_rows(stream, relationship)
    names = {
        "changed": sql.SQL(_CHANGED).format(raw=raw_name(stream), staging=staging_name(stream)),
        "links": table.identifier,
    }
    delete = sql.SQL(
        "WITH changed AS ({changed}) DELETE FROM {links} AS target USING changed"
        " WHERE target.org_id = %(org_id)s AND target.id = changed.id AND (changed.is_deleted"
        " OR changed._links ? %(relationship)s AND NOT changed._links -> %(relationship)s ? target.related_id)"
    )
    insert = sql.SQL(
        "WITH changed AS ({changed}) INSERT INTO {links} AS target (org_id, id, related_id, position)"
        " SELECT DISTINCT ON (changed.id, named.id) %(org_id)s, changed.id, named.id, named.position FROM changed,"
        " jsonb_array_elements_text(changed._links -> %(relationship)s) WITH ORDINALITY AS named (id, position)"
        " WHERE NOT changed.is_deleted ORDER BY changed.id, named.id, named.position"
        " ON CONFLICT (org_id, id, related_id) DO UPDATE SET position = excluded.position"
        " WHERE target.position <> excluded.position"
    )
    return (
        journaled(table, delete.format(**names), Write.REMOVE),
        journaled(table, insert.format(**names)),
    )
