"""To-many relationships: update the link tables for the records changed by a publish."""

from functools import cache
from typing import Any

from psycopg import AsyncConnection, sql

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database.table_names import raw_name, staging_name
from openfaith_pipeline.journal import Write, journaled, link_rows
from openfaith_pipeline.load.sessions import Session

# The records written by this transaction, in the last version read: a raw row's `_synced_at` is the transaction's
# `now()`.
_CHANGED = (
    "SELECT DISTINCT ON (id) id, _links, present._deleted_at IS NOT NULL AS is_deleted FROM {raw} AS present"
    " LEFT JOIN {staging} AS staged USING (id)"
    " WHERE present.org_id = %(org_id)s AND present._synced_at = now() AND present._sync_id = %(sync_id)s"
    " AND (staged._stream_sync_id = %(id)s OR present._deleted_at IS NOT NULL)"
    " ORDER BY id, _page DESC NULLS LAST, _position DESC"
)


# The current links of those records, each once, at its first position.
_NAMED = (
    "SELECT DISTINCT ON (changed.id, named.id) changed.id, named.id AS related_id, named.position FROM changed,"
    " jsonb_array_elements_text(changed._links -> %(relationship)s) WITH ORDINALITY AS named (id, position)"
    " WHERE NOT changed.is_deleted ORDER BY changed.id, named.id, named.position"
)


async def publish_links(
    connection: AsyncConnection[Any], session: Session, stream: Stream, *, are_new: bool = False
) -> None:
    """Replace the links of changed records, and delete those of deleted ones.

    are_new: no record existed before, so there are no links to delete.
    """
    asked = {"id": session.ids[stream.name], **session.journaled_as}
    for relationship in stream.links:
        drop, move, add = _statements(stream, relationship)
        for statement in (add,) if are_new else (drop, move, add):
            await connection.execute(statement, {**asked, "relationship": relationship})


@cache
def _statements(stream: Stream, relationship: str) -> tuple[sql.Composed, sql.Composed, sql.Composed]:
    table = link_rows(stream, relationship)
    names = {
        "changed": sql.SQL(_CHANGED).format(raw=raw_name(stream), staging=staging_name(stream)),
        "named": sql.SQL(_NAMED),
        "links": table.identifier,
    }
    drop = sql.SQL(
        "WITH changed AS ({changed}) DELETE FROM {links} AS target USING changed"
        " WHERE target.org_id = %(org_id)s AND target.id = changed.id AND (changed.is_deleted"
        " OR changed._links ? %(relationship)s AND NOT changed._links -> %(relationship)s ? target.related_id)"
    )
    move = sql.SQL(
        "WITH changed AS ({changed}), named AS ({named}) UPDATE {links} AS target SET position = named.position"
        " FROM named WHERE target.org_id = %(org_id)s AND target.id = named.id"
        " AND target.related_id = named.related_id AND target.position <> named.position"
    )
    add = sql.SQL(
        "WITH changed AS ({changed}), named AS ({named}) INSERT INTO {links} AS target"
        " (org_id, id, related_id, position) SELECT %(org_id)s, id, related_id, position FROM named"
        " ON CONFLICT (org_id, id, related_id) DO NOTHING"
    )
    return (
        journaled(table, drop.format(**names), Write.REMOVE),
        journaled(table, move.format(**names)),
        journaled(table, add.format(**names), Write.INSERT),
    )
