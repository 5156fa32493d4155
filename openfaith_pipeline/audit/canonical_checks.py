"""Rules of one canonical table of one org, each a few statements that count, without a request to the source.

They check that the table is consistent with the raw tables and in itself; a verification compares its values.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from psycopg import Connection, sql
from psycopg.rows import tuple_row

from openfaith_pipeline.canonical.model import Entity
from openfaith_pipeline.canonical.registry import CanonicalTable
from openfaith_pipeline.checks import Finding
from openfaith_pipeline.sources import CANONICAL
from openfaith_pipeline.transform import changes, conflicts, edges, links
from openfaith_pipeline.transform.deletion import deleted_by_person
from openfaith_pipeline.transform.identity import ids_of_sources, is_link_of, link_of, record_id_of
from openfaith_pipeline.transform.survivors import find_survivors, is_merged
from openfaith_pipeline.transform.transformation import TABLES, set_planner
from openfaith_pipeline.transform.workspace import Workspace

_RECORDS: Final = sql.SQL("""
SELECT l."entityId" FROM {raw} r JOIN {link}
LEFT JOIN {table} e ON e.id = l."entityId" AND e."orgId" = %(org_id)s
WHERE r.org_id = %(org_id)s AND r._deleted_at IS NULL AND NOT {is_merged} AND NOT {by_person}""")
_LIVE: Final = sql.SQL("""
SELECT count(*) FROM {table} WHERE "orgId" = %(org_id)s AND "deletedAt" IS NULL
    AND "externalIds" @> ANY(%(ids)s::jsonb[])""")
_BACKED: Final = sql.SQL("""
SELECT l."entityId" FROM {links} l JOIN {raw} r ON r.org_id = %(org_id)s AND r.id = {record_id}
WHERE l."orgId" = %(org_id)s AND {is_link}""")
_WITHOUT_RECORD: Final = sql.SQL("""
SELECT count(*) FROM {table} e WHERE e."orgId" = %(org_id)s AND e."deletedAt" IS NULL
    AND e."externalIds" @> ANY(%(ids)s::jsonb[])
    AND e.id NOT IN ({backed})""")
_UNLINKED: Final = sql.SQL("""
SELECT count(*) FROM {raw} r LEFT JOIN {link} WHERE r.org_id = %(org_id)s AND l."entityId" IS NULL""")
_TO_NO_ENTITY: Final = sql.SQL("""
SELECT count(*) FROM {raw} r JOIN {link}
LEFT JOIN {table} e ON e.id = l."entityId" AND e."orgId" = %(org_id)s
WHERE r.org_id = %(org_id)s AND e.id IS NULL AND NOT {is_merged}""")
_TO_NOTHING: Final = sql.SQL("""
SELECT count(*) FROM {edges} edge
WHERE edge."orgId" = %(org_id)s AND edge."deletedAt" IS NULL AND edge.metadata ->> 'source' = ANY(%(sources)s) AND (
    NOT EXISTS (SELECT FROM {links} l WHERE l."orgId" = edge."orgId" AND l."entityId" = edge."sourceEntityId")
    OR NOT EXISTS (SELECT FROM {links} l WHERE l."orgId" = edge."orgId" AND l."entityId" = edge."targetEntityId"))""")


@dataclass(frozen=True)
class CanonicalRule:
    """A check of one canonical table. applies_to: takes a table's name."""

    name: str
    description: str
    applies_to: Callable[[str], bool]
    examine: Callable[[Workspace, str], Finding]


def _is_entities(table: str) -> bool:
    return table in CANONICAL.tables


def _compare_counts(workspace: Workspace, table: str) -> Finding:
    declared = CANONICAL.tables[table]
    records = _count_records(workspace, declared)
    rows = workspace.count(_LIVE.format(table=workspace.canonical(table)), ids=ids_of_sources(declared))
    if changes.are_noted(workspace):  # a transform of them is still to come
        return Finding(passed=True, counts={"records": records, "rows": rows, "transform_pending": 1})
    return Finding(passed=records == rows, counts={"records": records, "rows": rows})


def _count_records(workspace: Workspace, table: CanonicalTable) -> int:
    """How many entities the table's live records are; records of two sources may be one."""
    each = [_RECORDS.format(by_person=deleted_by_person("e"), **_names(workspace, entity)) for entity in table.entities]
    return workspace.count(sql.SQL("SELECT count(*) FROM ({}) records").format(sql.SQL(" UNION ").join(each)))


def _find_without_record(workspace: Workspace, table: str) -> Finding:
    backed = [
        _BACKED.format(
            links=workspace.canonical(links.TABLE),
            raw=workspace.raw(entity.stream),
            record_id=record_id_of(entity, "l"),
            is_link=is_link_of(entity, "l"),
        )
        for entity in CANONICAL.tables[table].entities
    ]
    statement = _WITHOUT_RECORD.format(table=workspace.canonical(table), backed=sql.SQL(" UNION ALL ").join(backed))
    return _none(without_record=workspace.count(statement, ids=ids_of_sources(CANONICAL.tables[table])))


def _count_waiting(workspace: Workspace, table: str) -> Finding:
    return _none(waiting=conflicts.count_waiting(workspace).get(table, 0))


def _examine_links(workspace: Workspace, _table: str) -> Finding:
    entities = CANONICAL.entities.values()
    if changes.are_noted(workspace):
        return Finding(passed=True, counts={"transform_pending": 1})
    return _none(
        records_without_link=sum(workspace.count(_UNLINKED.format(**_names(workspace, each))) for each in entities),
        to_no_entity=sum(workspace.count(_TO_NO_ENTITY.format(**_names(workspace, each))) for each in entities),
    )


def _examine_edges(workspace: Workspace, _table: str) -> Finding:
    statement = _TO_NOTHING.format(edges=workspace.canonical(edges.TABLE), links=workspace.canonical(links.TABLE))
    [(to_nothing,)] = workspace.rows(statement, sources=edges.OURS)
    return _none(to_nothing=to_nothing)


def _none(**counts: int) -> Finding:
    return Finding(passed=not any(counts.values()), counts=counts)


def _names(workspace: Workspace, entity: Entity) -> Mapping[str, sql.Composable]:
    return {
        "raw": workspace.raw(entity.stream),
        "link": link_of(workspace, entity, sql.Identifier("r", "id")),
        "table": workspace.canonical(entity.table),
        "is_merged": is_merged(entity, sql.Identifier("r", "id")),
    }


CANONICAL_RULES: Final = (
    CanonicalRule(
        name="as_many_as_records",
        description="As many live rows as live records in the raw tables, without those that a person deleted here.",
        applies_to=_is_entities,
        examine=_compare_counts,
    ),
    CanonicalRule(
        name="no_entity_without_record",
        description="Every live row with an id of the source has its record in the raw tables.",
        applies_to=_is_entities,
        examine=_find_without_record,
    ),
    CanonicalRule(
        name="no_conflict_waits",
        description="No field that both sides changed waits for a person's decision.",
        applies_to=_is_entities,
        examine=_count_waiting,
    ),
    CanonicalRule(
        name="no_orphan_links",
        description="Every record has a link, and every link of a record leads to an entity of this org.",
        applies_to=lambda table: table == links.TABLE,
        examine=_examine_links,
    ),
    CanonicalRule(
        name="no_orphan_edges",
        description="Both ends of every edge made from the source are entities that a link of this org leads to.",
        applies_to=lambda table: table == edges.TABLE,
        examine=_examine_edges,
    ),
)


def rules_of(table: str) -> tuple[CanonicalRule, ...]:
    """The rules that apply to a canonical table."""
    return tuple(rule for rule in CANONICAL_RULES if rule.applies_to(table))


def examine_canonical(
    connection: Connection[Any], org_id: str, schema: str, chosen: Collection[tuple[str, str]] | None = None
) -> Iterator[tuple[str, CanonicalRule, Finding]]:
    """Each finding, by table and rule. Changes nothing. chosen: only these, by table and name of the rule."""
    with connection.transaction(force_rollback=True), connection.cursor(row_factory=tuple_row) as cursor:
        workspace = Workspace(cursor, org_id, schema, sync_id="check")
        set_planner(workspace)
        find_survivors(workspace)
        for table in TABLES:
            for rule in rules_of(table):
                if chosen is None or (table, rule.name) in chosen:
                    yield table, rule, rule.examine(workspace, table)
