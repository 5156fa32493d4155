"""One org's transform: links first, then entities, edges and the register of types, in the caller's transaction."""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from openfaith_pipeline.catalog import Stream
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.transform import edges, entity_relationships, links
from openfaith_pipeline.transform.entity import Entity
from openfaith_pipeline.transform.merges import Merged, merge_entities
from openfaith_pipeline.transform.registry import ENTITIES, MERGES, RELATIONSHIPS
from openfaith_pipeline.transform.survivors import find_survivors
from openfaith_pipeline.transform.upsert import write_entity
from openfaith_pipeline.transform.workspace import Workspace

logger = logging.getLogger(__name__)

TABLES: Final = (*ENTITIES, links.TABLE, edges.TABLE, entity_relationships.TABLE)
"""The canonical tables written here, named by what follows `openfaith_`; a table stands after those it follows from."""

_WHOLE_ORG_TABLES: Final[Mapping[str, Callable[[Workspace], tuple[int, int, int]]]] = {
    edges.TABLE: edges.write_edges,
    entity_relationships.TABLE: entity_relationships.write_entity_relationships,
}


def _sources() -> Mapping[str, tuple[str, ...]]:
    related = [stream for r in RELATIONSHIPS for stream in (r.owner.stream, r.target.stream)]
    every = [entity.stream for entity in ENTITIES.values()]
    mergers = [merges.stream for merges in MERGES.values()]
    streams: dict[str, Iterable[Stream]] = {table: entity.streams for table, entity in ENTITIES.items()}
    streams |= {table: (*streams[table], merges.stream) for table, merges in MERGES.items()}
    streams[links.TABLE] = [*every, *mergers]
    streams |= {table: [*related, *mergers] for table in (edges.TABLE, entity_relationships.TABLE)}
    return {table: tuple(dict.fromkeys(stream.name for stream in streams[table])) for table in TABLES}


SOURCES: Final = _sources()
"""Canonical table -> names of the raw streams that feed it."""


# For the transaction only. Statistics lag behind a first load, and then a nested loop over two large tables looks cheap
# and takes minutes; hash joins of one church's rows are never far from the best and fit in this memory. Compiling
# the wide generated statements costs more than it saves.
_PLANNER_SETTINGS: Final = sql.SQL(
    "SELECT set_config('enable_nestloop', 'off', true), set_config('work_mem', '64MB', true),"
    " set_config('jit', 'off', true)"
)


@dataclass(frozen=True)
class TransformResult:
    """What a transform did to one canonical table of one org.

    inserted, updated: rows written; marking a row deleted and restoring it are updates.
    unchanged: rows that already said what the source says.
    row_count: the org's rows in the table now, those marked deleted left out.
    """

    table: str
    inserted: int
    updated: int
    unchanged: int
    row_count: int


def transform_org(
    connection: psycopg.Connection[Any],
    org_id: str,
    *,
    schema: str,
    sync_id: str,
    tables: Collection[str] | None = None,
) -> dict[str, TransformResult]:
    """Bring the canonical tables of one org up to its raw tables; returns a result for each table asked for.

    The caller commits or rolls back. `tables` limits what is written; the links that these need are made all the same.
    Transforms of one org wait for each other. `sync_id` says in the journal on whose behalf it was done.
    Raises UsageError for a table that is none of TABLES.
    """
    wanted = _in_order(tables)
    with connection.cursor(row_factory=tuple_row) as cursor:
        workspace = Workspace(cursor, org_id, schema, sync_id)
        _prepare(workspace)
        counts = _write(workspace, wanted)
        results = {table: TransformResult(table, *counts[table], _row_count(workspace, table)) for table in wanted}
    for result in results.values():
        logger.info("transformed %s of %s for %s: %s", result.table, org_id, sync_id, result)
    return results


def take_turn(cursor: psycopg.Cursor[Any], org_id: str) -> None:
    """Be, until the transaction ends, the only one to write the org's canonical tables on the source's behalf."""
    cursor.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('openfaith_pipeline.transform ' || %s::text, 0))", (org_id,)
    )


def _in_order(tables: Collection[str] | None) -> tuple[str, ...]:
    if tables is None:
        return TABLES
    unknown = set(tables) - set(TABLES)
    if unknown:
        raise UsageError(f"no canonical table {', '.join(sorted(unknown))}; there are {', '.join(TABLES)}")
    return tuple(table for table in TABLES if table in tables)


def _prepare(workspace: Workspace) -> None:
    take_turn(workspace.cursor, workspace.org_id)
    workspace.execute(_PLANNER_SETTINGS)


def _write(workspace: Workspace, wanted: tuple[str, ...]) -> dict[str, tuple[int, int, int]]:
    needs_all_links = not ENTITIES.keys() >= set(wanted)
    linked = [entity for table, entity in ENTITIES.items() if needs_all_links or table in wanted]
    links.create_written(workspace)
    find_survivors(workspace)
    added = links.add_missing_links(workspace, linked)
    counts = {table: write_entity(workspace, ENTITIES[table]) for table in wanted if table in ENTITIES}
    # A merge is of rows, links and edges together.
    merged = {
        table: merge_entities(workspace, ENTITIES[table])
        for table in MERGES
        if {table, links.TABLE, edges.TABLE} <= set(wanted)
    }
    counts[links.TABLE] = _refresh_links(workspace, linked, added)
    for table, write in _WHOLE_ORG_TABLES.items():
        if table in wanted:
            counts[table] = write(workspace)
    for table, each in merged.items():
        _add_merged(counts, table, each)
    return counts


def _add_merged(counts: dict[str, tuple[int, int, int]], table: str, merged: Merged) -> None:
    written = {table: (0, merged.entities), links.TABLE: (0, merged.links)}
    written[edges.TABLE] = (merged.edges_made, merged.edges_changed)
    for name, (inserted, updated) in written.items():
        before = counts[name]
        counts[name] = (before[0] + inserted, before[1] + updated, max(0, before[2] - inserted - updated))


def _refresh_links(workspace: Workspace, linked: Collection[Entity], added: int) -> tuple[int, int, int]:
    updated = sum(links.refresh_links(workspace, entity) for entity in linked)
    return added, updated, links.count_links(workspace, linked) - added - updated


def _row_count(workspace: Workspace, table: str) -> int:
    live = sql.SQL("true") if table == entity_relationships.TABLE else sql.SQL('"deletedAt" IS NULL')
    return workspace.count(
        sql.SQL('SELECT count(*) FROM {} WHERE "orgId" = %(org_id)s AND {}').format(workspace.canonical(table), live)
    )
