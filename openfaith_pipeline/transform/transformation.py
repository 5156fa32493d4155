"""One org's transform: links first, then entities, edges and the register of types, in the caller's transaction.

After the first whole transform only changes are considered (changes.py, scope.py); everything again if the changes are
not known, and on demand, which also shows whether following the changes had missed anything.
"""

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from openfaith_pipeline.canonical.model import Entity
from openfaith_pipeline.canonical.relationships import Relationship
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.orgs.erased import check_not_erased
from openfaith_pipeline.sources import CANONICAL
from openfaith_pipeline.telemetry.spans import span
from openfaith_pipeline.transform import changes, conflicts, edges, entity_relationships, links
from openfaith_pipeline.transform.answers import put_field_names, read_field_names
from openfaith_pipeline.transform.merges import Merged, merge_entities
from openfaith_pipeline.transform.scope import LARGEST, create_owners, create_scope, streams_in
from openfaith_pipeline.transform.survivors import find_survivors
from openfaith_pipeline.transform.upsert import write_entity
from openfaith_pipeline.transform.workspace import OWNERS, SCOPE, Workspace

logger = logging.getLogger(__name__)

TABLES: Final = (*CANONICAL.tables, links.TABLE, edges.TABLE, entity_relationships.TABLE)
"""The canonical tables written here, named by what follows `openfaith_`; a table stands after those it follows from."""

Counts = dict[str, tuple[int, int, int]]
"""By table: rows inserted, updated and left alone. A partial transform does not count the last."""


def _sources() -> Mapping[str, tuple[str, ...]]:
    mergers = [merges.stream for merges in CANONICAL.merges.values()]
    fields = [each.stream for each in CANONICAL.fields if each.on.name in CANONICAL.edges]
    related = [end.stream for each in CANONICAL.relationships if each.is_edge for end in (each.owner, each.target)]
    records = [edge.stream for edge in CANONICAL.edges.values()]
    streams = {
        name: [stream for entity in table.entities for stream in CANONICAL.sources_of(entity.stream)]
        for name, table in CANONICAL.tables.items()
    }
    streams[links.TABLE] = [*(entity.stream for entity in CANONICAL.entities.values()), *records, *mergers]
    streams |= {table: [*related, *records, *fields, *mergers] for table in (edges.TABLE, entity_relationships.TABLE)}
    return {table: tuple(dict.fromkeys(stream.name for stream in streams[table])) for table in TABLES}


SOURCES: Final = _sources()
"""Canonical table -> names of the raw streams that feed it."""


# For the transaction only. Statistics lag behind a first load, and then a nested loop over two large tables looks cheap
# and takes minutes; hash joins of one church's rows are never far from the best and fit in this memory. Compiling
# the wide generated statements costs more than it saves. The few records of a partial transform are looked up.
_PLANNER_SETTINGS: Final = sql.SQL(
    "SELECT set_config('work_mem', '64MB', true),"
    # Batches are read to their end.
    " set_config('cursor_tuple_fraction', '1', true),"
    " set_config('jit', 'off', true)"
)


@dataclass(frozen=True)
class TransformResult:
    """Changes to one canonical table of one org.

    inserted, updated: rows written; marking a row deleted and restoring it are updates.
    unchanged: rows that already equalled the source.
    row_count: the org's rows in the table now, except those marked deleted.
    missed: rows written that following the changes should have found, but did not.
    conflicts: fields of the table that wait for a person's decision now.
    """

    table: str
    inserted: int
    updated: int
    unchanged: int
    row_count: int
    missed: int = 0
    conflicts: int = 0

    @property
    def is_changed(self) -> bool:
        return bool(self.inserted or self.updated)


def transform_org(
    connection: psycopg.Connection[Any],
    org_id: str,
    *,
    schema: str,
    sync_id: str,
    tables: Collection[str] | None = None,
    is_full: bool = False,
) -> dict[str, TransformResult]:
    """Update the canonical tables of one org from its raw tables; returns a result for each requested table.

    The caller commits or rolls back. Where the changes since the last time are known, only they are considered; is_full
    compares everything regardless. `tables` limits the tables to write, which are then compared whole; the links they
    need are made in any case. Transforms of one org wait for each other. `sync_id` is the journal's origin of the
    changes.
    Raises UsageError for a table that is not in TABLES.
    """
    wanted = _in_order(tables)
    with (
        span("transform", {"openfaith.org_id": org_id, "openfaith.sync_id": sync_id}) as transforming,
        connection.cursor(row_factory=tuple_row) as cursor,
    ):
        workspace = Workspace(cursor, org_id, schema, sync_id)
        take_turn(cursor, org_id)
        changes.be_quiet(cursor, is_quiet=True)
        results = _transform_all(workspace, is_full=is_full) if wanted == TABLES else _transform_some(workspace, wanted)
        changes.be_quiet(cursor, is_quiet=False)
        changed = sum(result.inserted + result.updated for result in results.values())
        transforming.set_attribute("openfaith.rows", changed)
        waiting = conflicts.count_waiting(workspace)
    results = {name: replace(result, conflicts=waiting.get(name, 0)) for name, result in results.items()}
    for result in results.values():
        logger.info("transformed %s of %s for %s: %s", result.table, org_id, sync_id, result)
    return results


def take_turn(cursor: psycopg.Cursor[Any], org_id: str) -> None:
    """Be, until the transaction ends, the only one to write the org's canonical tables on the source's behalf.

    Raises UnknownOrg if the org was erased.
    """
    cursor.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('openfaith_pipeline.transform ' || %s::text, 0))", (org_id,)
    )
    check_not_erased(cursor, org_id)


def set_planner(workspace: Workspace) -> None:
    """Have Postgres plan, until the transaction ends, for the tables that the transform reads."""
    workspace.execute(_PLANNER_SETTINGS)
    workspace.use_nested_loops(are_used=workspace.is_partial)


def _in_order(tables: Collection[str] | None) -> tuple[str, ...]:
    if tables is None:
        return TABLES
    unknown = set(tables) - set(TABLES)
    if unknown:
        raise UsageError(f"no canonical table {', '.join(sorted(unknown))}; there are {', '.join(TABLES)}")
    return tuple(table for table in TABLES if table in tables)


def _transform_some(workspace: Workspace, wanted: tuple[str, ...]) -> dict[str, TransformResult]:
    """Compare everything of some tables. Notes are kept for the other tables."""
    put_field_names(workspace, read_field_names(workspace))
    counts = _write(workspace, wanted)
    return {table: TransformResult(table, *counts[table], _row_count(workspace, table)) for table in wanted}


def _transform_all(workspace: Workspace, *, is_full: bool) -> dict[str, TransformResult]:
    state = changes.read_state(workspace)
    followed = _follow(workspace, state) if state else None
    if followed and not is_full:
        return followed
    is_undisturbed = not changes.drop_notes(workspace)
    results = compare_everything(workspace)
    if followed is None:
        return results
    # Changes by others in these moments are not misses.
    is_undisturbed = is_undisturbed and not changes.are_noted(workspace)
    return {name: _together(followed[name], result, is_undisturbed) for name, result in results.items()}


def compare_everything(
    workspace: Workspace, afterwards: Callable[[Workspace], object] = lambda _: None
) -> dict[str, TransformResult]:
    """Write all tables by comparing everything, then the steps `afterwards`, and keep the state of it all.

    Take or drop the notes before.
    """
    names = read_field_names(workspace)
    put_field_names(workspace, names)
    counts = _write(workspace, TABLES)
    afterwards(workspace)
    results = {table: TransformResult(table, *counts[table], _row_count(workspace, table)) for table in TABLES}
    changes.write_state(workspace, {name: _totals(result) for name, result in results.items()}, names)
    return results


def _follow(workspace: Workspace, state: changes.State) -> dict[str, TransformResult] | None:
    """Apply only the noted changes; None if everything has to be compared, in which case the notes are taken."""
    if not state.is_noted:
        return {table: TransformResult(table, 0, 0, records, live) for table, (records, live) in state.totals.items()}
    workspace = replace(workspace, is_partial=True)
    notes = changes.take_notes(workspace)
    names = read_field_names(workspace) if notes.are_of_field_names else state.field_names
    if notes.whole or names != state.field_names:
        return None
    put_field_names(workspace, names)
    find_survivors(workspace)
    if create_scope(workspace, notes.sources) > LARGEST:
        return None
    edges.create_joined(workspace)
    counts = _write(workspace, TABLES, is_register_whole=notes.are_of_register)
    results = {
        table: _partial_result(workspace, table, counts[table], state.totals[table], is_noted=notes.are_of(table))
        for table in TABLES
    }
    changes.write_state(workspace, {name: _totals(result) for name, result in results.items()}, names)
    return results


def _partial_result(
    workspace: Workspace, table: str, counts: tuple[int, int, int], totals: tuple[int, int], *, is_noted: bool
) -> TransformResult:
    (inserted, updated, _), (records, live) = counts, totals
    if inserted or updated or is_noted:
        live = _row_count(workspace, table)
    return TransformResult(table, inserted, updated, max(0, records - updated), live)


def _totals(result: TransformResult) -> tuple[int, int]:
    return result.inserted + result.updated + result.unchanged, result.row_count


def _together(followed: TransformResult, compared: TransformResult, is_undisturbed: bool) -> TransformResult:
    beyond = compared.inserted + compared.updated
    if beyond and is_undisturbed:
        logger.warning("following the changes of %s had missed %s rows", compared.table, beyond)
    return replace(
        compared,
        inserted=followed.inserted + compared.inserted,
        updated=followed.updated + compared.updated,
        unchanged=max(0, compared.unchanged - followed.inserted - followed.updated),
        missed=beyond if is_undisturbed else 0,
    )


def _write(workspace: Workspace, wanted: tuple[str, ...], *, is_register_whole: bool = False) -> Counts:
    set_planner(workspace)
    links.create_written(workspace)
    if not workspace.is_partial:  # whose scope already follows from them
        find_survivors(workspace)
    streams = _streams_to_read(workspace)
    linked = _linked_entities(wanted, streams)
    added = links.add_missing_links(workspace, linked, _naming(linked, streams))
    edited = conflicts.read_edited(workspace)
    counts = dict.fromkeys((table for table in wanted if table in CANONICAL.tables), (0, 0, 0))
    written = [entity for entity in linked if entity.table in counts]
    workspace.watching.began("comparing", len(written) + len(wanted) - len(counts))
    for entity in written:
        counts[entity.table] = _sum(counts[entity.table], write_entity(workspace, entity, edited))
        workspace.watching.step(entity.stream.name)
    # A merge is of rows, links and edges together.
    merged = [
        (merges.entity.table, merge_entities(workspace, merges.entity))
        for merges in CANONICAL.merges.values()
        if {merges.entity.table, links.TABLE, edges.TABLE} <= set(wanted)
    ]
    counts[links.TABLE] = _refresh_links(workspace, linked, added)
    workspace.watching.step(links.TABLE)
    if edges.TABLE in wanted:
        if workspace.is_partial:
            create_owners(workspace)
            streams = streams_in(workspace, OWNERS)
        counts[edges.TABLE] = edges.write_edges(workspace, streams)
        workspace.watching.step(edges.TABLE)
    if entity_relationships.TABLE in wanted:
        registering = replace(workspace, is_partial=workspace.is_partial and not is_register_whole)
        counts[entity_relationships.TABLE] = entity_relationships.write_entity_relationships(registering)
        workspace.watching.step(entity_relationships.TABLE)
    for table, each in merged:
        _add_merged(counts, table, each)
    conflicts.settle_ended(workspace)
    return counts


def _streams_to_read(workspace: Workspace) -> frozenset[str]:
    """The streams with anything to read: those that changed, or, in a whole transform, those with rows of the org."""
    if workspace.is_partial:
        return streams_in(workspace, SCOPE) | streams_in(workspace, OWNERS)
    read = [entity.stream for entity in CANONICAL.entities.values()] + [
        edge.stream for edge in CANONICAL.edges.values()
    ]
    each = [
        sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {} WHERE org_id = %(org_id)s)").format(
            sql.Literal(stream.name), workspace.raw(stream)
        )
        for stream in read
    ]
    found = frozenset(name for (name,) in workspace.rows(sql.SQL(" UNION ALL ").join(each)))
    # A merger makes entities of records that no row is left of.
    return found | CANONICAL.merges.keys()


def _linked_entities(wanted: Collection[str], streams: frozenset[str]) -> list[Entity]:
    """The entities to link: all with anything to read, unless only some tables are wanted."""
    needs_all_links = not CANONICAL.tables.keys() >= set(wanted)
    return [
        entity
        for name, entity in CANONICAL.entities.items()
        if name in streams and (needs_all_links or entity.table in wanted)
    ]


def _naming(linked: Collection[Entity], streams: frozenset[str]) -> list[Relationship]:
    """The relationships that name records to link."""
    owners = {entity.stream.name for entity in linked} | (streams & CANONICAL.edges.keys())
    return [each for each in CANONICAL.relationships if each.stream.name in owners]


def _sum(one: tuple[int, int, int], other: tuple[int, int, int]) -> tuple[int, int, int]:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


def _add_merged(counts: dict[str, tuple[int, int, int]], table: str, each: Merged) -> None:
    written = {table: (0, each.entities), links.TABLE: (0, each.links)}
    written[edges.TABLE] = (each.edges_made, each.edges_changed)
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
