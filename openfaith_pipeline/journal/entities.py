"""Keep an entity, its link and its edges together when a sync is undone in part.

The journal is undone row by row. When some rows stay as they are because of later changes, that alone could take the
link from an entity that stays (its record would then come back as a second entity), or bring back an entity whose
record is linked to another one by now. The same holds for edges, which join linked entities.
"""

from collections.abc import Iterator, Sequence
from typing import Final, LiteralString

from psycopg import sql

from openfaith_pipeline.database.canonical_tables import CANONICAL_PREFIX
from openfaith_pipeline.journal.tables import JournaledTable, canonical_rows
from openfaith_pipeline.journal.undoing import Undoing
from openfaith_pipeline.journal.writing import journaled

_EDGE_ENDS: Final = ("sourceEntityId", "targetEntityId")

_KEEP: Final = sql.SQL("""
UPDATE pg_temp.{undoing} AS link SET conflict = 'what it names is kept' FROM pg_temp.{found} AS found
WHERE found.row_key = link.row_key AND link.conflict IS NULL AND link.is_new AND link.is_present
    AND found.after ->> 'entityId' IN ({kept})""")

# Every entity that a link names after the undoing, or would name if no row were kept.
_UNLINKED: Final = sql.SQL("""
CREATE TEMP TABLE undoing_unlinked ON COMMIT DROP AS
SELECT entity_id, adapter FROM (
    SELECT found.after ->> 'entityId' AS entity_id, found.row_key ->> 'adapter' AS adapter FROM pg_temp.{found} AS found
    UNION SELECT found.image ->> 'entityId', found.row_key ->> 'adapter' FROM pg_temp.{found} AS found
    UNION SELECT undoing.before ->> 'entityId', undoing.row_key ->> 'adapter' FROM pg_temp.{undoing} AS undoing
) AS named
WHERE NOT EXISTS (SELECT FROM {links} AS link WHERE link."orgId" = %(org_id)s AND link."entityId" = named.entity_id)""")

_END: Final = sql.SQL(r"""
UPDATE {table} AS target SET "deletedAt" = now(), "deletedBy" = (
    SELECT min(adapter) FROM pg_temp.undoing_unlinked WHERE entity_id IN ({ends})
)
WHERE target."orgId" = %(org_id)s AND target."deletedAt" IS NULL AND ({is_unlinked})
    AND coalesce(to_jsonb(target) -> 'metadata' ->> 'source', '') NOT LIKE '%%\_merging'""")


def keep_links_of_kept(undoings: Sequence[Undoing]) -> None:
    """Keep the links of entities that are kept or joined by a kept edge. Call after every `find`."""
    kept = list(_kept_ids(undoings))
    for links in _links(undoings):
        if kept:
            links.execute(_KEEP.format(**links.names, kept=sql.SQL(" UNION ALL ").join(kept)))


def end_unlinked(undoings: Sequence[Undoing]) -> None:
    """Mark entities that the undoing left without a link as deleted, with their edges. Call after every `apply`."""
    for links in _links(undoings):
        links.execute(_UNLINKED.format(**links.names, links=links.table.identifier))
        for table in {undoing.table for undoing in undoings if is_entity(undoing.table)}:
            _end(links, table, "id")
        _end(links, canonical_rows(links.table.schema, "edges"), *_EDGE_ENDS)


def _end(links: Undoing, table: JournaledTable, *columns: LiteralString) -> None:
    ends = [sql.Identifier("target", column) for column in columns]
    unlinked = [sql.SQL("{} IN (SELECT entity_id FROM pg_temp.undoing_unlinked)").format(end) for end in ends]
    ended = _END.format(
        table=table.identifier, ends=sql.SQL(", ").join(ends), is_unlinked=sql.SQL(" OR ").join(unlinked)
    )
    links.execute(journaled(table, ended))


def _kept_ids(undoings: Sequence[Undoing]) -> Iterator[sql.Composable]:
    for undoing in undoings:
        columns = ("id",) if is_entity(undoing.table) else _EDGE_ENDS if _is(undoing.table, "edges") else ()
        for column in columns:
            statement = sql.SQL(
                "SELECT row_key ->> {} FROM pg_temp.{undoing} WHERE is_present AND conflict IS NOT NULL"
            )
            yield statement.format(sql.Literal(column), **undoing.names)


def _links(undoings: Sequence[Undoing]) -> Iterator[Undoing]:
    return (undoing for undoing in undoings if _is(undoing.table, "externalLinks"))


def _is(table: JournaledTable, name: str) -> bool:
    return table.name == f"{CANONICAL_PREFIX}{name}"


def is_entity(table: JournaledTable) -> bool:
    """Whether the table's rows are entities, not links, edges or registers."""
    return table.name.startswith(CANONICAL_PREFIX) and table.key == ("id",) and table.deleted is not None
